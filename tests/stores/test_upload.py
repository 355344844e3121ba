"""`image.upload`: what lies where, under which name, and what is never replaced."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import dalle2
from dalle2._stores import _bucket, address_of, perform, sidecar_of
from dalle2._stores._perform import asked
from dalle2.testing import Emulator

from .bucket import Bucket, cut, lost, meanwhile, says
from .conftest import keys


def placed(bucket: Bucket) -> dict[str, bytes]:
    """What lies in the bucket."""
    return {key: data for key, (data, _) in bucket.objects.items()}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("s3://pictures/corgi.png", "corgi.png"),
        ("s3://pictures/deep/er/corgi", "deep/er/corgi.png"),
        ("s3://pictures/corgi v1.2", "corgi v1.2.png"),
        ("s3://pictures/", "a-corgi-with-a-hat.png"),
        ("s3://pictures", "a-corgi-with-a-hat.png"),
        ("s3://pictures/dogs/", "dogs/a-corgi-with-a-hat.png"),
        ("s3://pictures/ä b#c%20d~*'&+=|\\<>.png", "ä b#c%20d~*'&+=|\\<>.png"),
        ("s3://pictures/日本/🐕.png", "日本/🐕.png"),
        ("s3://pictures/...", "....png"),
    ],
)
def test_an_image_lies_whole_under_the_name_that_was_given(
    bucket: Bucket, image: dalle2.ImageResult, url: str, key: str
) -> None:
    """With the suffix and the media type of its bytes; the URL that comes back names it."""
    assert image.upload(url) == f"s3://pictures/{key}"
    assert bucket.objects == {key: (image.read(), "image/png")}


def test_a_folder_gets_free_names(memory: Any, image: dalle2.ImageResult) -> None:
    """Numbered from 2, as on a disk, with few looks."""
    urls = [image.upload("memory://box/") for _ in range(6)]
    assert urls[0] == "memory://box/a-corgi-with-a-hat.png"
    assert urls[1:] == [f"memory://box/a-corgi-with-a-hat-{number}.png" for number in range(2, 7)]
    assert image.upload("memory://box/", overwrite=True) == urls[0]
    assert len(keys(memory)) == 6


def test_a_taken_name_is_refused_before_anything_is_fetched(memory: Any, image: dalle2.ImageResult) -> None:
    """What is there stays; with `overwrite` it is replaced."""
    memory.put("box/a.png", b"older")
    with pytest.raises(FileExistsError) as caught:
        image.upload("memory://box/a.png")
    assert caught.value.filename == "memory://box/a.png"
    assert image.content is None
    memory.put("box/b.png", b"older")
    with pytest.raises(FileExistsError):
        image.upload("memory://box/b")
    assert set(keys(memory).values()) == {b"older"}
    assert image.upload("memory://box/a.png", overwrite=True) == "memory://box/a.png"
    assert keys(memory)["box/a.png"] == image.read()


def test_a_file_url_is_saved_on_the_disk(tmp_path: Path, image: dalle2.ImageResult) -> None:
    """By `save`, and needs no obstore; folders that a store would not miss are made."""
    folder = tmp_path / "new folder"
    url = image.upload(f"file://{folder}/a")
    assert url == (folder / "a.png").as_uri()
    with pytest.raises(FileExistsError):
        image.upload(url)
    assert image.upload(url, overwrite=True) == url
    assert image.upload(f"file://{folder}") == (folder / "a-corgi-with-a-hat.png").as_uri()
    assert image.upload(f"file://{folder}/") == (folder / "a-corgi-with-a-hat-2.png").as_uri()
    assert (folder / "a.png").read_bytes() == image.read()


@pytest.mark.parametrize("url", ["memory://box/a.png", "s3://pictures/a.png", "file://{}/a.png"])
@pytest.mark.parametrize("same", [True, False])
def test_of_sixteen_writers_one_wins(
    bucket: Bucket, memory: Any, client: dalle2.Client, tmp_path: Path, url: str, same: bool
) -> None:
    """Whether their pictures differ or not; what lies there in the end is the winner's, whole."""
    images = [client.generate("x" if same else f"picture {n}", size="256x256")[0] for n in range(16)]
    for image in images:
        image.read()
    start, won = threading.Barrier(16), []
    lost_out: list[OSError] = []

    def put(image: dalle2.ImageResult) -> None:
        start.wait()
        try:
            won.append((image, image.upload(url.format(tmp_path))))
        except FileExistsError as error:
            lost_out.append(error)

    threads = [threading.Thread(target=put, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((winner, place),) = won
    assert len(lost_out) == 15
    there = {**placed(bucket), **keys(memory)}
    if "file" in url:
        there = {"a.png": (tmp_path / "a.png").read_bytes()}
    assert list(there.values()) == [winner.read()]
    assert place.endswith("/a.png")


def test_google_s_condition_is_another_and_means_the_same(
    bucket: Bucket, image: dalle2.ImageResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own variables; a stranger that comes after the look stays."""
    names = ("client_email", "private_key", "private_key_id")
    account = {"gcs_base_url": bucket.endpoint, "disable_oauth": True, **dict.fromkeys(names, "")}
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    name = "gs://pictures/deep/a b#.png"
    assert image.upload(name) == name
    assert bucket.objects == {"deep/a b#.png": (image.read(), "image/png")}
    bucket.puts.append(meanwhile(b"other"))
    with pytest.raises(FileExistsError):
        image.upload("gs://pictures/b.png")
    assert placed(bucket)["b.png"] == b"other"
    bucket.reads.clear()
    monkeypatch.setenv("GOOGLE_TIMEOUT", "50ms")
    with pytest.raises(TimeoutError):
        image.upload("gs://pictures/c.png")
    bucket.reads.set()


# Answers that do not say what happened


@pytest.mark.parametrize(
    "faults",
    [
        [lost],
        [cut],
        [cut, lost],
        [says(503, "SlowDown")],
        [says(500, "InternalError", landed=True)],
        [says(503), cut, says(429)],
        [says(409, "ConditionalRequestConflict")],
        [says(408, "RequestTimeout"), says(409, "ConditionalRequestConflict")],
        [says(400, "RequestTimeout")],
    ],
)
def test_what_can_pass_is_tried_again(bucket: Bucket, image: dalle2.ImageResult, faults: list[Any]) -> None:
    """A put costs nothing; one that landed although its answer was lost is seen to be ours."""
    bucket.puts += faults
    assert image.upload("s3://pictures/a.png") == "s3://pictures/a.png"
    assert placed(bucket) == {"a.png": image.read()}


@pytest.mark.parametrize(
    "faults", [[meanwhile(b"other")], [cut, meanwhile(b"other")], [says(503), meanwhile(b"x")]]
)
def test_what_another_put_there_meanwhile_stays(
    bucket: Bucket, image: dalle2.ImageResult, faults: list[Any]
) -> None:
    """Also after an attempt of ours whose fate is not known: other bytes are not ours."""
    bucket.puts += faults
    with pytest.raises(FileExistsError):
        image.upload("s3://pictures/a.png")
    assert len(placed(bucket)["a.png"]) < 10


def test_the_same_bytes_from_another_are_not_ours(bucket: Bucket, image: dalle2.ImageResult) -> None:
    """Where no answer was lost, a no is a no."""
    bucket.puts.append(meanwhile(image.read()))
    with pytest.raises(FileExistsError):
        image.upload("s3://pictures/a.png")


def test_an_answer_that_was_lost_and_a_stranger_of_our_size(
    bucket: Bucket, image: dalle2.ImageResult
) -> None:
    """As many bytes are not the same bytes."""
    bucket.puts += [cut, meanwhile(bytes(len(image.read())))]
    with pytest.raises(FileExistsError):
        image.upload("s3://pictures/a.png")


def test_a_conflict_that_does_not_end_is_no_file_that_exists(
    bucket: Bucket, image: dalle2.ImageResult
) -> None:
    """A 409 can mean that nothing landed, each time."""
    bucket.puts += [says(409, "OperationAborted")] * 9
    with pytest.raises(OSError, match="409 OperationAborted") as caught:
        image.upload("s3://pictures/a.png")
    assert not isinstance(caught.value, FileExistsError)
    bucket.puts[:] = [says(409, "ObjectLocked")]
    with pytest.raises(OSError, match="409 ObjectLocked"):
        image.upload("s3://pictures/a.png", overwrite=True)
    assert not bucket.objects


@pytest.mark.parametrize("conditions", ["ignored", "refused", "disabled"])
def test_a_store_without_conditions_replaces_nothing_that_was_there(
    bucket: Bucket, image: dalle2.ImageResult, monkeypatch: pytest.MonkeyPatch, conditions: str
) -> None:
    """It is looked for before; a free name works."""
    if conditions == "disabled":
        monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    else:
        bucket.conditions = conditions
    bucket.objects["a.png"] = b"older", "image/png"
    with pytest.raises(FileExistsError):
        image.upload("s3://pictures/a.png")
    assert image.upload("s3://pictures/b.png") == "s3://pictures/b.png"
    assert placed(bucket) == {"a.png": b"older", "b.png": image.read()}


def test_who_may_put_need_not_be_allowed_to_look(bucket: Bucket, image: dalle2.ImageResult) -> None:
    """The store's own condition holds."""
    bucket.forbidden |= {"HEAD", "GET", "LIST", "DELETE"}
    assert image.upload("s3://pictures/a.png") == "s3://pictures/a.png"
    with pytest.raises(FileExistsError):
        image.upload("s3://pictures/a.png")
    bucket.puts.append(lost)
    with pytest.raises(FileExistsError):  # ours, and nobody may see it
        image.upload("s3://pictures/b.png")


# What was made of what


def test_a_sidecar_says_what_the_image_was_made_of(memory: Any, client: dalle2.Client) -> None:
    """On request: prompt, model, parameters, request id; no key, no URL, no name of a user."""
    images = client.generate(
        "a corgi", n=2, size="256x256", user="someone", extra_body={"response_format": "url"}
    )
    assert images[1].upload("memory://box/a", provenance=True) == "memory://box/a.png"
    there = keys(memory)
    assert set(there) == {"box/a.png", "box/a.png.json"}
    told = json.loads(there["box/a.png.json"])
    assert told == {
        "prompt": "a corgi",
        "revised_prompt": None,
        "model": "dall-e-2",
        "parameters": {"n": 2, "size": "256x256", "response_format": "url"},
        "request_id": images.request_id,
        "created": images[1].created.isoformat(),
    }
    meta = memory.get("box/a.png.json").attributes
    assert meta["Content-Type"] == "application/json"


def test_an_image_that_was_kept_since_tells_what_it_knows(
    memory: Any, client: dalle2.Client, image: dalle2.ImageResult
) -> None:
    """Its prompt and model; a copy of a fresh result knows all."""
    kept = dalle2.ImageResult.from_dict(image.to_dict(), client=client)
    kept.upload("memory://box/a.png", provenance=True)
    told = json.loads(keys(memory)["box/a.png.json"])
    assert (told["prompt"], told["request_id"], told["parameters"]) == ("a corgi, with a hat", None, {})
    import copy

    copy.copy(image).upload("memory://box/b.png", provenance=True)
    assert json.loads(keys(memory)["box/b.png.json"])["parameters"] == {"size": "256x256"}


def test_a_sidecar_that_cannot_be_put_says_where_its_image_is(
    memory: Any, image: dalle2.ImageResult, tmp_path: Path
) -> None:
    """Whose sidecar lies there already is not known; no URL is lost."""
    memory.put("box/a.png.json", b"{}")
    with pytest.raises(FileExistsError, match=r"its image is in place: memory://box/a\.png") as caught:
        image.upload("memory://box/a.png", provenance=True)
    assert caught.value.filename == "memory://box/a.png.json"
    assert keys(memory) == {"box/a.png": image.read(), "box/a.png.json": b"{}"}
    (tmp_path / "a.png.json").write_text("{}")
    with pytest.raises(FileExistsError, match="in place: file://"):
        image.upload(f"file://{tmp_path}/a.png", provenance=True)
    assert image.upload(f"file://{tmp_path}/a.png", overwrite=True, provenance=True)
    assert json.loads((tmp_path / "a.png.json").read_text())["model"] == "dall-e-2"


# Several at once


Uploads = Callable[..., list[str]]


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def upload_all(request: pytest.FixtureRequest, emulator: Emulator) -> Uploads:
    """`images.upload` of three images, once for each kind of client."""

    async def awaited(url: str, **options: Any) -> list[str]:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            images = await client.generate("a fox", n=3, size="256x256")
            first = await images[0].upload("memory://one/a", **options)
            assert first == "memory://one/a.png"
            return await images.upload(url, **options)

    def upload(url: str, **options: Any) -> list[str]:
        if request.param == "asyncio":
            return asyncio.run(awaited(url, **options))
        if request.param == "trio":
            return trio.run(lambda: awaited(url, **options))
        with dalle2.Client("sk-test", http_client=emulator.client()) as client:
            images = client.generate("a fox", n=3, size="256x256")
            return images.upload(url, **options)

    return upload


@pytest.mark.parametrize("folder", ["memory://box/foxes", "memory://box/foxes/"])
def test_all_images_of_a_call_go_into_one_folder(memory: Any, upload_all: Uploads, folder: str) -> None:
    """Under their prompt, numbered; their URLs come in order."""
    urls = upload_all(folder, provenance=True)
    assert urls == [f"memory://box/foxes/a-fox-{number}.png" for number in (1, 2, 3)]
    there = keys(memory)
    assert {f"box/foxes/a-fox-{n}.png.json" for n in (1, 2, 3)} <= set(there)


def test_all_images_of_a_call_go_into_one_directory(tmp_path: Path, upload_all: Uploads, memory: Any) -> None:
    """`file://` is the disk."""
    urls = upload_all(f"file://{tmp_path}/foxes")
    assert urls == [(tmp_path / "foxes" / f"a-fox-{number}.png").as_uri() for number in (1, 2, 3)]


def test_all_are_tried_and_no_url_is_lost(bucket: Bucket, memory: Any, upload_all: Uploads) -> None:
    """`.uploaded` are the URLs of those that are in place, `.failed` the errors of the others."""
    bucket.puts += [says(400, "EntityTooLarge")]
    with pytest.raises(dalle2.DownloadError, match=r"1 of 3 images were not uploaded") as caught:
        upload_all("s3://pictures/foxes")
    error = caught.value
    assert error.reason == "partial"
    assert error.saved == ()
    assert sorted(error.uploaded) == sorted(f"s3://pictures/{key}" for key in bucket.objects)
    assert len(error.uploaded) == 2
    ((index, failed),) = error.failed.items()
    assert isinstance(failed, OSError)
    assert error.images[0].content is not None
    assert f"s3://pictures/foxes/a-fox-{index + 1}.png" == failed.filename


def test_what_can_pass_is_tried_again_for_each(bucket: Bucket, memory: Any, upload_all: Uploads) -> None:
    """Blocking and awaited alike."""
    bucket.puts += [lost, cut, says(503)]
    assert len(upload_all("s3://pictures/foxes")) == len(bucket.objects) == 3


def test_one_picture_is_no_folder(memory: Any, upload_all: Uploads) -> None:
    """As for `images.save`."""
    with pytest.raises(dalle2.InvalidRequestError, match="names one picture") as caught:
        upload_all("memory://box/foxes.png")
    assert caught.value.field == "prefix"


def test_an_interrupt_tells_what_is_in_place(
    bucket: Bucket, client: dalle2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second of three."""
    images = client.generate("a fox", n=3, size="256x256")
    real, done = dalle2.ImageResult._upload, []

    def upload(self: dalle2.ImageResult, upload: Any) -> str:
        if done:
            raise KeyboardInterrupt
        done.append(real(self, upload))
        return done[0]

    monkeypatch.setattr(dalle2.ImageResult, "_upload", upload)
    with pytest.raises(KeyboardInterrupt) as caught:
        images.upload("s3://pictures/foxes")
    assert "s3://pictures/foxes/a-fox-1.png" in caught.value.__notes__[0]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancel_tells_what_is_in_place(
    backend: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three that are put at once, one has arrived."""
    real, begun, notes = dalle2.AsyncImageResult._upload, list[int](), list[str]()

    async def work() -> None:
        async def upload(self: dalle2.AsyncImageResult, upload: Any) -> str:
            begun.append(1)
            if len(begun) > 1:
                await anyio.sleep_forever()
            url = await real(self, upload)
            scope.cancel()
            return url

        monkeypatch.setattr(dalle2.AsyncImageResult, "_upload", upload)
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            images = await client.generate("a fox", n=3, size="256x256")
            with anyio.CancelScope() as scope:
                try:
                    await images.upload("memory://cancelled/")
                except BaseException as cancelled:
                    notes.extend(cancelled.__notes__)
                    raise

    anyio.run(work, backend=backend)
    assert ["memory://cancelled/a-fox" in note for note in notes] == [True]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_cancelled_upload_ends_at_once(bucket: Bucket, emulator: Emulator, loop: str) -> None:
    """It does not wait for a store that does not answer; what arrives all the same is whole."""
    bucket.reads.clear()

    async def main() -> None:
        import anyio

        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            image = (await client.generate("a fox", size="256x256"))[0]
            content = await image.read()
            async with anyio.create_task_group() as group:
                group.start_soon(image.upload, "s3://pictures/a.png")
                while not bucket.begun.is_set():
                    await anyio.sleep(0.01)
                group.cancel_scope.cancel()
            assert not bucket.objects
            bucket.reads.set()
            assert image.content == content

    asyncio.run(main()) if loop == "asyncio" else trio.run(main)
    assert all(len(data) > 100 for data in placed(bucket).values())


def test_an_interrupt_is_no_trouble_of_the_store() -> None:
    """Ctrl-C while it is asked comes through."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(interrupted)


def test_without_obstore_the_error_names_the_extra(
    image: dalle2.ImageResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`file://` works without it."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    _bucket._memory.cache_clear()
    for url in ("s3://pictures/a.png", "memory://box/a.png"):
        with pytest.raises(dalle2.ConfigurationError, match=r"pip install 'dalle2-sdk\[cloud\]'"):
            image.upload(url)
    assert image.upload(f"file://{tmp_path}/a.png")


def test_a_large_image_is_put_in_one_request(bucket: Bucket) -> None:
    """Replacing one, too: parts of an upload that is killed would stay in the bucket, unseen and charged."""
    large = bytes(6_000_000)
    opened = _bucket.Bucket.open(address_of("s3://pictures/x"))
    perform(opened.put("x", large, overwrite=True))
    assert bucket.asked == [("PUT", "x")]
    assert bucket.objects["x"][0] == large


@pytest.mark.parametrize("name", ["user", "safety_identifier"])
def test_a_sidecar_does_not_say_whom_an_image_was_made_for(name: str) -> None:
    """Neither as a parameter of its own nor in `extra_body`."""
    parameters = {name: "someone", "extra_body": {name: "someone"}, "size": "256x256"}
    now = datetime.now(UTC)
    data = sidecar_of(prompt="a", model="m", parameters=parameters, request_id=None, created=now)
    assert json.loads(data)["parameters"] == {"size": "256x256"}
