"""What an error or an interrupt kept of a paid call, and how it becomes results again."""

from __future__ import annotations

import base64
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
