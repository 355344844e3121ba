"""What an error or an interrupt kept of a paid call, and how it becomes results again."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import anyio
import pytest

import dalle2
from dalle2.testing import Emulator

PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))
HALF = {"created": 1724527201, "data": [{"b64_json": base64.b64encode(PNG).decode()}, {"url": None}]}


def failing(host: Any) -> dalle2.DecodeError:
    """The error of an answer of which one image is readable."""
    host.say(HALF)
    with (
        dalle2.Client("sk-test", base_url=host.base_url) as client,
        pytest.raises(dalle2.DecodeError) as caught,
    ):
        client.generate("a fox", n=2)
    return caught.value


def test_what_an_error_kept_tells_itself_without_any_call(host: Any) -> None:
    """URL, bytes, date and plain values are there without a client."""
    (kept,) = failing(host).images
    assert (kept.url, kept.content, kept.media_type, kept.expires_at) == (None, PNG, "image/png", None)
    assert kept.to_dict()["b64_json"] == kept.b64_json


def test_a_client_gives_the_kept_images_as_its_own() -> None:
    """`images_of` gives `Images` of the asking client, of its kind, with the call's request."""
    emulator = Emulator()
    error = dalle2.DecodeError("one of two")
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        error.images = list(client.generate("a fox", n=2, size="256x256"))
        images = client.images_of(error)
        assert isinstance(images, dalle2.Images)
        assert [image.url for image in images] == [image.url for image in error.images]
        assert images[0].read() == images[0].content
        assert list(client.images_of(dalle2.DecodeError("none"))) == []

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as awaited:
            others = awaited.images_of(error)
            assert isinstance(others, dalle2.AsyncImages)
            assert (await others[1].read())[:4] == b"\x89PNG"

    anyio.run(main)


LOADED_LATE = ("_requests._values", "_transport._handlers", "_wire._errors", "_wire._reading", "events")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
def test_an_answer_is_kept_where_no_more_modules_can_be_loaded(
    flavour: str, status: int, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, or a package that is being upgraded: the bytes that came are in the error."""
    body = json.dumps([{"url": "https://images.example/a.png"}]).encode()
    host.say({"data": [{"url": "https://images.example/a.png"}]})
    host.say(body, status=status)

    def lose() -> None:
        monkeypatch.delattr(dalle2, "events")
        for name in LOADED_LATE:
            monkeypatch.setitem(sys.modules, f"dalle2.{name}", None)

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", base_url=host.base_url) as client:
            await client.generate("a fox")
            lose()
            await client.generate("a fox")

    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        if flavour == "sync":
            with dalle2.Client("sk-test", base_url=host.base_url) as client:
                client.generate("a fox")
                lose()
                client.generate("a fox")
        else:
            anyio.run(main, backend=flavour)
    assert (caught.value.reason, caught.value.status_code, caught.value.body) == ("unreadable", status, body)
    assert caught.value.maybe_billed
    assert len(host.asked) == 2


def test_an_answer_that_broke_off_is_kept_there_too(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where the connection broke."""
    host.say([b'{"data": ['], cut=True)
    monkeypatch.setitem(sys.modules, "dalle2._wire._reading", None)
    with (
        dalle2.Client("sk-test", base_url=host.base_url) as client,
        pytest.raises(dalle2.OutcomeUnknownError) as caught,
    ):
        client.generate("a fox")
    assert (caught.value.status_code, caught.value.body) == (200, b'{"data": [')


def test_what_was_streamed_before_something_unforeseen_is_kept(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partial image that came first is in the error."""
    from dalle2._calls import _stream

    partial = {"type": "image_generation.partial_image", "partial_image_index": 0}
    event = json.dumps(partial | {"b64_json": base64.b64encode(PNG).decode()}).encode()
    host.say([b"data: " + event + b"\n\n"] * 2, kind="text/event-stream")
    real, left = _stream.told_by, [1]

    def told_by(*given: Any) -> Any:
        if not left:
            raise OSError(24, "Too many open files")
        left.pop()
        return real(*given)

    monkeypatch.setattr(_stream, "told_by", told_by)
    with (
        dalle2.Client("sk-test", base_url=host.base_url, model="gpt-image-2.5-flare") as client,
        pytest.raises(dalle2.OutcomeUnknownError) as caught,
    ):
        for _ in client.stream("a fox"):
            pass
    assert [image.content for image in caught.value.images] == [PNG]


@pytest.mark.parametrize("name", ["_requests._values", "_transport._handlers", "events"])
def test_a_signal_while_a_module_is_loaded_is_a_signal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its handler raises may be an `OSError`, as `TimeoutError` is; one of the system has a number."""
    from dalle2._calls._loop import _stops
    from dalle2._requests._draft import Draft
    from dalle2._state import Reporter
    from dalle2._wire._context import Context

    class Striking:
        """A finder during which a signal comes."""

        def find_spec(self, wanted: str, *more: object) -> None:
            """Raise what its handler raises."""
            if wanted == f"dalle2.{name}":
                raise TimeoutError

    if name == "events":
        monkeypatch.delattr(dalle2, "events", raising=False)
    monkeypatch.delitem(sys.modules, f"dalle2.{name}", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Striking(), *sys.meta_path])
    with pytest.raises(TimeoutError):
        if name == "events":
            Reporter(lambda event: None)("ImageFetched", host="h", size=1, attempts=1, at=None)
        elif name == "_transport._handlers":
            _stops(ValueError())
        else:
            Context("h", request=Draft("generate", {"prompt": "a fox"})).resent  # noqa: B018
