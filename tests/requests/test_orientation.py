"""A photograph that its EXIF data turns: the mask fits what a viewer shows, and no edit mixes the two up."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

import dalle2
from dalle2 import catalog
from dalle2._image._media import facts
from dalle2._requests._inputs import check_inputs
from dalle2._requests._orientation import orientation_of
from dalle2.errors import InvalidRequestError

FORMS = ("PNG", "JPEG", "WEBP")


def photo(turn: int, form: str = "JPEG", size: tuple[int, int] = (40, 20)) -> bytes:
    """A picture, red on the left as it is stored, that EXIF turns."""
    picture = Image.new("RGB", size, "blue")
    picture.paste("red", (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = turn
    buffer = io.BytesIO()
    picture.save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_is_read_from_the_file(form: str, turn: int) -> None:
    """In each format that can say so, without Pillow."""
    assert orientation_of(photo(turn, form)) == turn


@pytest.mark.parametrize("form", (*FORMS, "GIF"))
def test_a_picture_that_does_not_say_is_upright(form: str) -> None:
    """No EXIF data, or none about this."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form)
    assert orientation_of(buffer.getvalue()) == 1


def block(order: str, entries: list[tuple[int, int, int]], start: int = 8) -> bytes:
    """A TIFF directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    body = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHIHH", tag, kind, 1, value, 0) for tag, kind, value in entries
    )
    return mark + struct.pack(order + "I", start) + body


def jpeg_with(exif: bytes, before: bytes = b"") -> bytes:
    """A JPEG whose first segment holds this."""
    head, rest = photo(1)[:2], photo(1)[2:]
    body = b"Exif\0\0" + exif
    return head + before + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + rest


@pytest.mark.parametrize("order", "<>")
def test_both_orders_of_bytes_are_read(order: str) -> None:
    """And a value that cannot be is passed over, as is one of another type, or of no order."""
    assert orientation_of(jpeg_with(block(order, [(1, 3, 9), (0x0112, 3, 6)]))) == 6
    assert orientation_of(jpeg_with(block(order, [(0x0112, 3, 6)]), before=b"\xff\xff")) == 6
    for wrong in ([(0x0112, 3, 9)], [(0x0112, 4, 6)], []):
        assert orientation_of(jpeg_with(block(order, wrong))) == 1
    assert orientation_of(jpeg_with(block(order, [(0x0112, 3, 6)], start=9_999))) == 1
    assert orientation_of(jpeg_with(b"no directory")) == 1


@given(
    st.sampled_from([photo(6, form) for form in FORMS]),
    st.integers(0, 400),
    st.binary(max_size=6),
    st.booleans(),
)
def test_a_damaged_file_is_never_an_error(data: bytes, place: int, noise: bytes, cut: bool) -> None:
    """Whatever stands there, or is missing."""
    damaged = data[:place] + noise + (b"" if cut else data[place + len(noise) :])
    assert orientation_of(damaged) in range(1, 9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: Image.open(io.BytesIO(data))])
def test_mask_and_picture_agree(form: str, turn: int, wrap: Callable[[bytes], object]) -> None:
    """A box in what a viewer shows lies on the same pixels in the picture that is made fit."""
    source = wrap(photo(turn, form))
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(photo(turn, form)))).size
    mask = dalle2.mask_from_box(source, (0, 0, 5, 10))  # type: ignore[arg-type]
    assert (facts(mask).width, facts(mask).height) == shown
    made = Image.open(io.BytesIO(dalle2.prepare_image(source, mask_box=(0, 0, 5, 10))))  # type: ignore[arg-type]
    left, top = (40 - shown[0]) // 2, (40 - shown[1]) // 2
    hole = made.getchannel("A").point(lambda alpha: 255 - alpha).getbbox()
    assert hole == (left, top, left + 5, top + 10)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_pillow_image_is_sent_as_a_viewer_shows_it(turn: int) -> None:
    """It becomes a PNG, which loses what EXIF said: so it is turned before."""
    data = photo(turn)
    sent = dalle2.read_input(Image.open(io.BytesIO(data)))
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (sent.facts.width, sent.facts.height) == shown.size
    assert Image.open(io.BytesIO(sent.data)).convert("RGB").tobytes() == shown.tobytes()


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_turned_photograph_with_a_mask_is_refused(turn: int) -> None:
    """Hosts differ in whether they turn it, so the mask may repaint another part."""
    model = catalog.MODELS["gpt-image-2"]
    image = dalle2.read_input(photo(turn))
    for size in ((40, 20), (20, 40)):
        mask = dalle2.read_input(dalle2.mask_from_box(size, (0, 0, 5, 5)), "mask")
        with pytest.raises(InvalidRequestError, match=r"EXIF.*prepare_image") as caught:
            check_inputs(model, [image], mask, "edit")
        assert caught.value.field == "image"
    check_inputs(model, [image], None, "edit")
    upright = dalle2.read_input(dalle2.prepare_image(photo(turn)))
    check_inputs(model, [upright], dalle2.read_input(dalle2.mask_from_box(40, (0, 0, 5, 5)), "mask"), "edit")
