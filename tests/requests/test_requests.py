"""Bad input is refused with its field before anything is sent; good input is read once and sent as it is."""

from __future__ import annotations

import gc
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from PIL import Image

from dalle2 import (
    AsyncClient,
    Client,
    EditRequest,
    GenerateRequest,
    InputImage,
    InvalidRequestError,
    VariationRequest,
    read_input,
)
from dalle2._requests._draft import Draft, value_of
from dalle2._requests._inputs import LARGEST, read_inputs
from dalle2._requests._values import parameters
from dalle2.testing import Emulator


def png(width: int = 4, height: int = 4, *, alpha: bool = True, size: int | None = None) -> bytes:
    """A whole PNG; with `size`, padded to exactly so many bytes by a chunk that readers pass over."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        )

    channels = 4 if alpha else 3
    rows = (b"\0" + b"\x7f" * width * channels) * height
    parts = [
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6 if alpha else 2, 0, 0, 0)),
        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""),
    ]
    if size is not None:
        parts.insert(1, chunk(b"paDd", b"\0" * (size - sum(map(len, parts)) - 12)))
    return b"".join(parts)


def picture(form: str, mode: str = "RGB") -> bytes:
    """A small picture in another format."""
    buffer = io.BytesIO()
    Image.new(mode, (4, 4)).save(buffer, format=form)
    return buffer.getvalue()


PNG = png()


@pytest.fixture
def emulator() -> Emulator:
    """An emulator that counts what reaches it."""
    return Emulator()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    """A client on it."""
    with emulator.client() as http, Client("sk-test", http_client=http) as client:
        yield client


Use = Callable[[Any], Any]

# what is done, the field that the error names, words of its message, what is allowed
BAD: list[tuple[Use, str, list[str], tuple[object, ...] | None]] = [
    # prompts
    (lambda c: c.generate(""), "prompt", ["empty"], None),
    (lambda c: c.generate(" \n\t"), "prompt", ["empty"], None),
    (lambda c: c.generate(None), "prompt", ["text", "NoneType"], None),
    (lambda c: c.generate(b"a corgi"), "prompt", ["text", "bytes"], None),
    (lambda c: c.generate("a" * 1001, model="dall-e-2"), "prompt", ["1001", "1000"], None),
    (lambda c: c.generate("half \ud83d"), "prompt", ["surrogate"], None),
    (lambda c: c.edit(PNG, ""), "prompt", ["empty"], None),
    (lambda c: c.edit(PNG, "a" * 1001, model="dall-e-2"), "prompt", ["1001", "1000"], None),
    (lambda c: c.moderate(" "), "prompt", ["empty"], None),
    (lambda c: c.stream(""), "prompt", ["empty"], None),
    # n
    *(
        (lambda c, n=n: c.generate("a corgi", n=n), "n", [repr(n)], None)
        for n in (0, -1, True, False, 2.0, "2")
    ),
    (lambda c: c.generate("a corgi", n=11), "n", ["11", "1 to 10"], tuple(range(1, 11))),
    (lambda c: c.edit(PNG, "a corgi", n=11), "n", ["11", "1 to 10"], tuple(range(1, 11))),
    (lambda c: c.vary(PNG, n=11), "n", ["11", "1 to 10"], tuple(range(1, 11))),
    (lambda c: c.generate("a corgi", n=2, model="dall-e-3"), "n", ["1 only"], (1,)),
    # sizes
    (
        lambda c: c.generate("a corgi", size="300x300"),
        "size",
        ["300x300", "256x256, 512x512 or 1024x1024"],
        ("256x256", "512x512", "1024x1024"),
    ),
    (lambda c: c.generate("a corgi", size=512), "size", ["512 (int)"], None),
    (lambda c: c.generate("a corgi", size=""), "size", ["empty"], None),
    (
        lambda c: c.edit(PNG, "a corgi", size="auto", model="dall-e-2"),
        "size",
        ["1024x1024"],
        ("256x256", "512x512", "1024x1024"),
    ),
    (lambda c: c.vary(PNG, size="1x1"), "size", ["1024x1024"], ("256x256", "512x512", "1024x1024")),
    # other words
    (
        lambda c: c.generate("a corgi", response_format="png"),
        "response_format",
        ["'png'", "url or b64_json"],
        ("url", "b64_json"),
    ),
    (lambda c: c.generate("a corgi", response_format=b"url"), "response_format", ["bytes"], None),
    (
        lambda c: c.generate("a corgi", quality="standard", model="dall-e-2"),
        "quality",
        ["dall-e-2 does not take"],
        None,
    ),
    (lambda c: c.generate("a corgi", style="vivid"), "style", ["dall-e-3"], None),
    (lambda c: c.generate("a corgi", model=" "), "model", ["empty"], None),
    (lambda c: c.generate("a corgi", user="\udc00"), "user", ["surrogate"], None),
    (lambda c: c.vary(PNG, model="dall-e-3"), "model", ["make variations", "dall-e-2"], ("dall-e-2",)),
    (lambda c: c.stream("a corgi", model="dall-e-2"), "stream", ["dall-e-2"], None),
    (lambda c: c.stream("a corgi", model="gpt-image-2", partial_images=-1), "partial_images", ["-1"], None),
    (
        lambda c: c.stream("a corgi", model="gpt-image-2", partial_images=4),
        "partial_images",
        ["4"],
        (0, 1, 2, 3),
    ),
    (
        lambda c: c.generate("a corgi", model="gpt-image-2", output_compression=101),
        "output_compression",
        ["101", "0 to 100"],
        tuple(range(101)),
    ),
    # what goes beside the parameters
    (lambda c: c.generate("a corgi", extra_body={"stream": True}), "stream", ["client.stream"], None),
    (lambda c: c.generate("a corgi", extra_body=[1]), "extra_body", ["mapping", "list"], None),
    (lambda c: c.generate("a corgi", extra_body={1: 2}), "extra_body", ["1 (int)"], None),
    (lambda c: c.generate("a corgi", extra_body={"a": {1}}), "a", ["JSON"], None),
    (lambda c: c.generate("a corgi", extra_body={"a": float("nan")}), "a", ["JSON"], None),
    (lambda c: c.generate("a corgi", extra_body={"a": "\ud83d"}), "a", ["JSON"], None),
    (lambda c: c.vary(PNG, extra_body={"a": {1}}), "a", ["JSON"], None),
    (lambda c: c.vary(PNG, extra_body={"a": "\ud83d"}), "a", ["JSON"], None),
    (lambda c: c.generate("a corgi", extra_headers={"bad name": "x"}), "extra_headers", ["bad name"], None),
    (lambda c: c.generate("a corgi", extra_headers={"X": "a\nb"}), "extra_headers", ["X"], None),
    *(
        (lambda c, key=key: c.generate("a corgi", idempotency_key=key), "idempotency_key", ["1 to 255"], None)
        for key in ("", "a\nb", "ü", "a" * 256, 3)
    ),
    (lambda c: c.send("a corgi"), "request", ["GenerateRequest", "str"], None),
    (lambda c: c.image("ftp://h.example/a.png"), "url", ["http"], None),
    (lambda c: c.image(None), "url", ["http"], None),
    (lambda c: c.image("https://h.example/a.png", created=3), "created", ["datetime"], None),
    # images
    (lambda c: c.edit(b"", "a corgi"), "image", ["empty"], None),
    (lambda c: c.edit(b"not an image", "a corgi"), "image", ["plain text", "prepare_image"], None),
    (lambda c: c.edit(b"\x00\x01" * 400, "a corgi"), "image", ["not a usable image"], None),
    (lambda c: c.edit(b"<!doctype html><p>No", "a corgi"), "image", ["HTML"], None),
    (lambda c: c.edit(PNG[:-20], "a corgi"), "image", ["cut off"], None),
    (lambda c: c.edit(PNG[:40] + b"\xff" + PNG[41:], "a corgi"), "image", ["not a usable image"], None),
    (lambda c: c.edit(picture("JPEG"), "a corgi"), "image", ["image/jpeg", "image/png"], ("image/png",)),
    (lambda c: c.edit(picture("GIF", "L"), "a corgi"), "image", ["image/gif"], ("image/png",)),
    (lambda c: c.edit(png(4, 5), "a corgi"), "image", ["4x5", "square"], None),
    (lambda c: c.edit(png(size=4 * 1024 * 1024), "a corgi"), "image", ["4194304", "prepare_image"], None),
    (lambda c: c.edit(png(size=4 * 1024 * 1024 + 1), "a corgi"), "image", ["4194305"], None),
    (lambda c: c.edit(bytes(LARGEST + 1), "a corgi"), "image", ["more than any host"], None),
    (lambda c: c.edit([], "a corgi"), "image", ["at least one"], None),
    (lambda c: c.edit([PNG, PNG], "a corgi"), "image", ["2 images", "exactly one"], None),
    (lambda c: c.edit([PNG] * 17, "a corgi"), "image", ["17 images", "exactly one"], None),
    (lambda c: c.edit([PNG] * 17, "a corgi", model="gpt-image-2"), "image", ["17", "1 to 16"], None),
    (lambda c: c.vary([]), "image", ["at least one"], None),
    (lambda c: c.vary([PNG, PNG]), "image", ["exactly one"], None),
    (lambda c: c.vary(picture("JPEG")), "image", ["image/jpeg"], ("image/png",)),
    (lambda c: c.vary(None), "image", ["NoneType"], None),
    (lambda c: c.vary(3), "image", ["int"], None),
    (lambda c: c.vary("a\0b"), "image", ["no path"], None),
    (lambda c: c.vary(io.StringIO("text")), "image", ["text file", "'rb'"], None),
    (lambda c: c.edit([io.BytesIO(PNG), io.StringIO("text")], "a corgi"), "image", ["text file"], None),
    (lambda c: c.edit(png(alpha=False), "a hat"), "image", ["mask_from_box", "prepare_image"], None),
    # masks
    (lambda c: c.edit(PNG, "a corgi", mask=png(8, 8)), "mask", ["8x8", "4x4"], None),
    (lambda c: c.edit(PNG, "a corgi", mask=png(alpha=False)), "mask", ["alpha", "mask_from_box"], None),
    (lambda c: c.edit(PNG, "a corgi", mask=picture("JPEG")), "mask", ["image/jpeg"], ("image/png",)),
    (lambda c: c.edit(PNG, "a corgi", mask=png(size=4 * 1024 * 1024)), "mask", ["4194304"], None),
    (lambda c: c.edit(PNG, "a corgi", mask=b""), "mask", ["empty"], None),
    (lambda c: c.edit(PNG, "a corgi", mask=3), "mask", ["int"], None),
]


@pytest.mark.parametrize(("use", "field", "words", "allowed"), BAD)
def test_bad_input_is_refused_before_anything_is_sent(
    use: Use,
    field: str,
    words: list[str],
    allowed: tuple[object, ...] | None,
    emulator: Emulator,
    client: Client,
) -> None:
    """The error names the field, what was given and what is allowed; no request leaves, sync or async."""
    with pytest.raises(InvalidRequestError) as caught:
        use(client)
    error = caught.value
    assert error.field == field
    assert all(word in str(error) for word in words), str(error)
    assert len(str(error)) < 400
    assert error.allowed == allowed
    assert isinstance(error, ValueError)
    assert not error.maybe_billed

    async def awaited() -> None:
        async with emulator.async_client() as http:
            result = use(AsyncClient("sk-test", http_client=http))
            if hasattr(result, "__await__"):
                await result

    with pytest.raises(InvalidRequestError) as again:
        anyio.run(awaited)
    assert (str(again.value), again.value.field) == (str(error), field)
    assert emulator.requests == []


FILES: list[tuple[str, Callable[[Path], object], type[Exception], str]] = [
    ("a missing file", lambda p: p / "missing.png", FileNotFoundError, "missing.png"),
    ("a missing file by its text", lambda p: str(p / "missing.png"), FileNotFoundError, "missing.png"),
    ("no name", lambda p: "", FileNotFoundError, "No such file"),
    ("a directory", lambda p: p, InvalidRequestError, "directory"),
    (
        "a JPEG named .png",
        lambda p: written(p / "a.png", picture("JPEG")),
        InvalidRequestError,
        "image/jpeg by its bytes",
    ),
    ("a text named .png", lambda p: written(p / "a.png", b"hello"), InvalidRequestError, "plain text"),
    ("a truncated PNG", lambda p: written(p / "a.png", PNG[:-5]), InvalidRequestError, "cut off"),
    ("an empty file", lambda p: written(p / "a.png", b""), InvalidRequestError, "empty"),
    ("4 MB and a byte", lambda p: written(p / "a.png", png(size=4194305)), InvalidRequestError, "4194305"),
]


def written(path: Path, data: bytes) -> Path:
    """The path, with the data in it."""
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "source", "kind", "words"), FILES, ids=[row[0] for row in FILES])
def test_a_file_that_is_no_usable_image_is_refused(
    name: str,
    source: Callable[[Path], object],
    kind: type[Exception],
    words: str,
    tmp_path: Path,
    emulator: Emulator,
    client: Client,
) -> None:
    """The disk speaks in its own errors, the content in ours; as image and as mask; nothing is sent."""
    path: Any = source(tmp_path)
    uses: list[Callable[[], object]] = [
        lambda: client.vary(path),
        lambda: client.edit(path, "a corgi"),
        lambda: client.edit(PNG, "a corgi", mask=path),
        lambda: client.edit([path], "a corgi"),
    ]
    for use in uses:
        with pytest.raises(kind, match=words):
            use()
    assert emulator.requests == []


def test_a_stream_at_its_end_is_refused(tmp_path: Path, emulator: Emulator, client: Client) -> None:
    """A file that was read already holds nothing more, and the error asks whether that is the reason."""
    with written(tmp_path / "a.png", PNG).open("rb") as file:
        client.vary(file)
        with pytest.raises(InvalidRequestError, match="already read to its end"):
            client.vary(file)
        assert not file.closed
    with pytest.raises(InvalidRequestError, match="closed file"):
        client.vary(file)
    assert len(emulator.requests) == 1


class Dribble(io.RawIOBase):
    """A raw stream that gives a few bytes at a time, as pipes do, and counts its reads."""

    def __init__(self, data: bytes, piece: int = 7) -> None:
        self._left = io.BytesIO(data)
        self._piece = piece
        self.ends = 0

    def read(self, size: int = -1) -> bytes:
        """A few bytes, whatever was asked for."""
        part = self._left.read(self._piece)
        self.ends += not part
        return part


def test_a_stream_that_comes_in_pieces_is_read_to_its_end_once() -> None:
    """Short reads are no end, and after the end nothing is asked for."""
    stream = Dribble(PNG)
    assert read_input(stream).data == PNG  # type: ignore[arg-type]
    assert stream.ends == 1


def test_a_stream_without_end_is_not_read_without_end() -> None:
    """One byte above what any host takes is enough to know."""
    endless = Dribble(bytes(LARGEST + 100_000), 1 << 20)
    with pytest.raises(InvalidRequestError, match=r"bytes, more than any host takes"):
        read_input(endless)  # type: ignore[arg-type]
    assert endless.ends == 0


def test_an_awaited_file_is_refused_and_its_coroutine_closed() -> None:
    """A `read()` that must be awaited gives no bytes; nothing complains of it later."""

    class Awaited:
        async def read(self, size: int) -> bytes:
            """What must be awaited."""
            return PNG

    class Never:
        def read(self, size: int) -> None:
            """What is not there yet."""
            return None

    with pytest.raises(InvalidRequestError, match=r"an awaited file: give await file.read\(\)"):
        read_input(Awaited())  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match=r"its read\(\) gave NoneType"):
        read_input(Never())  # type: ignore[arg-type]
    gc.collect()


SOURCES: list[tuple[str, Callable[[Path], object]]] = [
    ("text path", lambda p: str(written(p / "a.png", PNG))),
    ("path", lambda p: written(p / "a.png", PNG)),
    ("path with another suffix", lambda p: written(p / "a.jpg", PNG)),
    ("bytes", lambda p: PNG),
    ("bytearray", lambda p: bytearray(PNG)),
    ("memoryview", lambda p: memoryview(PNG)),
    ("stream", lambda p: io.BytesIO(PNG)),
    ("read input", lambda p: read_input(PNG, "mask")),
]


@pytest.mark.parametrize(("name", "source"), SOURCES, ids=[row[0] for row in SOURCES])
def test_an_image_comes_from_wherever_the_caller_has_it(
    name: str, source: Callable[[Path], object], tmp_path: Path
) -> None:
    """The same bytes, named and typed by themselves."""
    image = read_input(source(tmp_path))  # type: ignore[arg-type]
    assert (image.data, image.filename, image.facts.media_type) == (PNG, "image.png", "image/png")
    assert (image.facts.width, image.facts.height, image.facts.has_alpha) == (4, 4, True)
    assert repr(PNG)[:12] not in repr(image)


def test_a_pillow_image_becomes_a_png() -> None:
    """Whatever it was opened from; a mode that PNG does not have is refused with the way to mend it."""
    image = read_input(Image.open(io.BytesIO(picture("JPEG"))))
    assert (image.facts.media_type, image.filename) == ("image/png", "image.png")
    with pytest.raises(InvalidRequestError, match=r"convert\('RGBA'\)") as caught:
        read_input(Image.new("CMYK", (4, 4)), "mask")
    assert caught.value.field == "mask"


def test_a_result_is_an_input(emulator: Emulator, client: Client) -> None:
    """A variation of what was just made: its URL is fetched once, held bytes are used as they are."""
    made = client.generate("a corgi", size="256x256")[0]
    client.vary(made)
    client.edit(made, "a hat", mask=png(256, 256))
    assert [request.method for request in emulator.requests] == ["POST", "GET", "POST", "POST"]
    assert all(made.read() in request.body for request in emulator.requests[2:])


@pytest.mark.anyio
async def test_an_awaited_result_is_an_input(emulator: Emulator) -> None:
    """The same with `await`; where nothing can be awaited, the error says what to do."""
    async with emulator.async_client() as http:
        client = AsyncClient("sk-test", http_client=http)
        made = (await client.generate("a corgi", size="256x256"))[0]
        with pytest.raises(InvalidRequestError, match=r"await its read\(\)"):
            read_input(made)
        gc.collect()
        await client.vary(made)
        await client.edit([made], "a hat", mask=png(256, 256))
        assert read_input(made).data == await made.read()
    assert [request.method for request in emulator.requests] == ["POST", "GET", "POST", "POST"]


def test_files_are_read_once_and_no_handle_is_left_open(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One open for image and mask each, closed at once, although the call takes three attempts."""
    path, mask = written(tmp_path / "a.png", PNG), written(tmp_path / "m.png", PNG)
    opened: list[str] = []
    real = open

    def counted(name: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(os.fspath(name))
        return real(name, *args, **kwargs)

    emulator.fail_next(429, times=2)
    with warnings.catch_warnings(), emulator.client() as http:
        warnings.simplefilter("error", ResourceWarning)
        client = Client("sk-test", http_client=http, retry=quick())
        monkeypatch.setattr("dalle2._requests._sources.open", counted, raising=False)
        client.edit(path, "a corgi", mask=mask)
        gc.collect()
        for bad in (tmp_path / "bad.png", tmp_path / "short.png"):
            written(bad, PNG[:30])
            with pytest.raises(InvalidRequestError):
                client.vary(bad)
        gc.collect()
    assert opened[:2] == [str(path), str(mask)]
    assert len(opened) == 4
    assert len(emulator.requests) == 3
    assert all(request.body.count(PNG) == 2 for request in emulator.requests)
    if os.path.isdir("/proc/self/fd"):
        targets = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert not [target for target in targets if target.startswith(str(tmp_path))]


def quick() -> Any:
    """A policy that waits for nothing."""
    from dalle2 import RetryPolicy

    return RetryPolicy(initial=0)


def test_what_only_the_model_can_know_is_left_to_an_unknown_model(emulator: Emulator, client: Client) -> None:
    """A model that the catalogue does not know is asked, whatever the request looks like."""
    request = EditRequest(
        image=read_inputs([picture("JPEG"), PNG]), prompt="a" * 5000, model="new-model", n=50
    )
    with pytest.raises(Exception, match="new-model"):
        client.send(request)
    assert len(emulator.requests) == 1


def test_a_mask_that_the_model_does_not_limit_is_not_checked() -> None:
    """Limits come from the catalogue; a model without any for masks takes all."""
    from dalle2 import catalog
    from dalle2._requests._inputs import check_inputs

    known = catalog.find("dall-e-2")
    assert known is not None
    without = known._replace(images=None, mask=None)
    check_inputs(without, (read_input(png(4, 5)),), read_input(png(8, 8)), "edit")


@pytest.mark.parametrize(
    "make",
    [
        lambda: EditRequest(image=PNG, prompt="a corgi"),  # type: ignore[arg-type]
        lambda: EditRequest(image="a.png", prompt="a corgi"),  # type: ignore[arg-type]
        lambda: EditRequest(image=None, prompt="a corgi"),  # type: ignore[arg-type]
        lambda: VariationRequest(image=[]),
        lambda: VariationRequest(image={1}),  # type: ignore[arg-type]
    ],
)
def test_a_request_value_holds_read_images_only(make: Callable[[], object]) -> None:
    """Reading happens at the edge: `read_input` makes what a request takes."""
    with pytest.raises(InvalidRequestError, match="read_input") as caught:
        make()
    assert caught.value.field == "image"


def test_a_request_value_holds_a_read_mask_only() -> None:
    """The same for masks."""
    with pytest.raises(InvalidRequestError, match="read_input") as caught:
        EditRequest(image=read_input(PNG), prompt="a corgi", mask=PNG)  # type: ignore[arg-type]
    assert caught.value.field == "mask"


def test_requests_are_values() -> None:
    """Equal if they ask for the same, unchangeable, and silent about prompt, user and pixels."""
    made = EditRequest(image=read_input(PNG), prompt="a SECRET corgi", user="SECRET", n=2)
    assert made == EditRequest(image=[read_input(PNG)], prompt="a SECRET corgi", user="SECRET", n=2)
    assert made.image == (read_input(PNG),)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.n = 3  # type: ignore[misc]
    assert "SECRET" not in repr(made)
    assert "<14 characters>" in repr(made)
    assert parameters(made) == {"prompt": "a SECRET corgi", "user": "SECRET", "n": 2}


def test_a_draft_and_its_value_say_the_same() -> None:
    """A call works with a draft; who looks at its request sees the value, and each makes the other."""
    given = {"model": "dall-e-2", "n": 2, "size": "256x256", "prompt": "a corgi"}
    draft = Draft.generation({"seed": 1}, **given, style=None)
    made = GenerateRequest(**given, extra_body={"seed": 1})  # type: ignore[arg-type]
    assert draft.value == made
    assert draft.value is draft.value
    assert value_of(draft) is draft.value
    assert value_of(made) is made
    back = Draft.of(made)
    assert (back.operation, back.parameters, back.extra_body) == ("generate", draft.parameters, {"seed": 1})
    assert list(back.parameters) == list(draft.parameters)
    image, mask = read_input(PNG), read_input(PNG, "mask")
    for request in (
        EditRequest(image=[image, image], prompt="a corgi", mask=mask, n=2),
        VariationRequest(image=image, n=2),
    ):
        assert Draft.of(request).value is request
        smaller = Draft.of(request).without("n")
        assert smaller.value == attrs.evolve(request, n=None)
        assert smaller.without("n") is smaller
        assert smaller.to("m").value == attrs.evolve(request, n=None, model="m")


def test_what_a_request_is_made_of() -> None:
    """Prompt, images and mask of each kind."""
    image = read_input(PNG)
    mask = read_input(PNG, "mask")
    generation = Draft.of(GenerateRequest(prompt="a corgi"))
    edit = Draft.of(EditRequest(image=image, prompt="a corgi", mask=mask))
    variation = Draft.of(VariationRequest(image=image))
    assert (generation.images, generation.mask) == ((), None)
    assert (edit.images, edit.mask, edit.prompt) == ((image,), mask, "a corgi")
    assert (variation.images, variation.mask, variation.prompt) == ((image,), None, None)


def test_a_request_tells_what_it_will_cost() -> None:
    """By list price where it is known, for dall-e-2 unless a model is named; else `None`, never 0."""
    assert GenerateRequest(prompt="a corgi", n=10).estimate() == 0.2
    assert GenerateRequest(prompt="a corgi", size="256x256").estimate() == 0.016
    assert VariationRequest(image=read_input(PNG), n=2, size="512x512").estimate() == 0.036
    assert GenerateRequest(prompt="a corgi", model="somebody's").estimate() is None
    request = GenerateRequest(prompt="a corgi", model="dall-e-3", quality="hd")
    assert request.estimate() == 0.08
    from dalle2._money import PRICES
    from dalle2.catalog import Price

    mine = PRICES.with_prices(
        {"dall-e-3": Price("mine", {("hd", "1024x1024"): 0.5}, exact=True)}, as_of=PRICES.as_of
    )
    assert request.estimate(prices=mine) == 0.5


def test_an_input_image_of_another_kind_is_named_by_its_bytes() -> None:
    """Each media type has its suffix, as image and as mask."""
    assert InputImage.of(picture("WEBP")).filename == "image.webp"
    assert InputImage.of(picture("JPEG"), "mask").filename == "mask.jpg"
    assert [image.filename for image in read_inputs((PNG, picture("GIF", "L")))] == ["image.png", "image.gif"]
