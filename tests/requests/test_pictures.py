"""Pictures made fit to be sent: square, RGBA, small enough, and transparent only where it was asked for."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from dalle2 import read_input
from dalle2._image._media import facts
from dalle2._requests._opened import scaled_image
from dalle2._requests._pictures import BELOW_BYTES, mask_from_box, prepare_image
from dalle2.errors import ConfigurationError, InvalidRequestError

RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


def encoded(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """The picture in these bytes, which are a whole PNG with an alpha channel."""
    assert facts(data).media_type == "image/png"
    assert facts(data).has_alpha
    return Image.open(io.BytesIO(data))


def noise(side: int) -> Image.Image:
    """A picture that no PNG can make smaller."""
    return Image.frombytes("RGBA", (side, side), os.urandom(side * side * 4))


WIDE = Image.new("RGB", (40, 20), "red")


def test_padding_is_opaque_and_keeps_the_whole_picture() -> None:
    """A wide picture gets white borders above and below, and nothing becomes transparent."""
    made = opened(prepare_image(encoded(WIDE)))
    assert (made.mode, made.size) == ("RGBA", (40, 40))
    assert made.getpixel((20, 0)) == (255, 255, 255, 255)
    assert made.getpixel((20, 20)) == RED
    assert made.getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("fill", "expected"), [("#0000ff", BLUE), ("blue", BLUE), ("transparent", (0, 0, 0, 0))]
)
def test_the_padding_colour_is_a_choice(fill: str, expected: tuple[int, ...]) -> None:
    """A name, a hex colour, or transparent so that an edit paints the borders."""
    assert opened(prepare_image(WIDE, fill=fill)).getpixel((0, 0)) == expected


def test_cropping_keeps_the_middle() -> None:
    """The longer sides are cut off evenly."""
    picture = Image.new("RGB", (60, 20), "blue")
    picture.paste("red", (20, 0, 40, 20))
    made = opened(prepare_image(picture, fit="crop"))
    assert made.size == (20, 20)
    assert made.getpixel((0, 0)) == made.getpixel((19, 19)) == RED


def test_a_size_is_met_exactly() -> None:
    """Larger and smaller pictures come out with the side that was asked for."""
    assert opened(prepare_image(WIDE, size=256)).size == (256, 256)
    assert opened(prepare_image(Image.new("L", (700, 900)), size=256, fit="crop")).size == (256, 256)


def test_the_picture_is_turned_upright() -> None:
    """The EXIF orientation of a photograph is applied."""
    picture = Image.new("RGB", (40, 20), "blue")
    picture.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = opened(prepare_image(encoded(picture, "JPEG", exif=exif, quality=95), fill="white"))
    top, bottom = made.getpixel((20, 5)), made.getpixel((20, 35))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 200 > bottom[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "F", "I"])
def test_every_kind_of_picture_becomes_rgba(mode: str) -> None:
    """Grey, palette, print colours and floats alike."""
    assert opened(prepare_image(Image.new(mode, (8, 4)))).mode == "RGBA"


def test_sixteen_bits_become_eight() -> None:
    """A middle grey of 16 bits stays a middle grey."""
    picture = Image.new("I;16", (4, 4), 0x8000)
    assert opened(prepare_image(encoded(picture))).getpixel((0, 0)) == (128, 128, 128, 255)


def test_the_transparency_of_the_picture_is_kept() -> None:
    """What the caller made transparent is still the part to repaint."""
    picture = Image.new("RGBA", (20, 20), RED)
    picture.paste((0, 0, 0, 0), (0, 0, 10, 20))
    made = opened(prepare_image(picture))
    assert made.getpixel((5, 5)) == (0, 0, 0, 0)
    assert made.getpixel((15, 5)) == RED


def test_a_large_picture_is_scaled_below_the_limit() -> None:
    """Noise of 8 MB comes out under 4 MB, and still as large as fits."""
    data = prepare_image(noise(1400))
    assert 2_500_000 < len(data) < BELOW_BYTES
    assert opened(data).width == opened(data).height


def test_a_size_that_cannot_fit_is_refused() -> None:
    """The error says how large it would be and what to do."""
    with pytest.raises(
        InvalidRequestError, match=r"at 1400x1400 this picture has \d+ bytes.*smaller size"
    ) as caught:
        prepare_image(noise(1400), size=1400)
    assert caught.value.field == "size"


def test_a_box_of_the_picture_becomes_transparent() -> None:
    """The box counts in the picture's own pixels and moves with it."""
    made = opened(prepare_image(WIDE, mask_box=(0, 0, 10, 20)))
    assert made.getpixel((5, 20)) == (0, 0, 0, 0)
    assert made.getpixel((15, 20)) == RED
    assert made.getpixel((5, 5)) == (255, 255, 255, 255)


def test_a_box_that_is_cropped_away_is_refused() -> None:
    """A mask that nobody would notice to be missing is an error."""
    with pytest.raises(InvalidRequestError, match="outside the middle") as caught:
        prepare_image(WIDE, fit="crop", mask_box=(0, 0, 5, 20))
    assert caught.value.field == "mask_box"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data, path: data,
        lambda data, path: memoryview(data),
        lambda data, path: io.BytesIO(data),
        lambda data, path: path,
        lambda data, path: str(path),
        lambda data, path: Image.open(io.BytesIO(data)),
    ],
    ids=["bytes", "memoryview", "file", "path", "str", "Pillow"],
)
def test_every_source_is_read(wrap: Callable[[bytes, Path], object], tmp_path: Path) -> None:
    """Bytes, a binary file, a path and a Pillow image give the same."""
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(WIDE))
    data = path.read_bytes()
    assert prepare_image(wrap(data, path)) == prepare_image(WIDE)  # type: ignore[arg-type]
    assert facts(mask_from_box(wrap(data, path), (0, 0, 5, 5))).width == 40  # type: ignore[arg-type]


PNG = encoded(Image.effect_noise((64, 64), 50))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "image is empty"),
        (b"hello, this is no picture", "not a picture that can be read"),
        (PNG[: len(PNG) // 2], "not a picture that can be read"),
        (PNG[:50] + b"\0" * 200 + PNG[250:], "not a picture that can be read"),
        (io.StringIO("text"), "open it in binary mode"),
        (3, "must be a path, bytes, a binary file, a result or a Pillow image; it is int"),
        (os.curdir, "image is a directory"),
    ],
    ids=["empty", "text", "cut", "damaged", "text file", "number", "directory"],
)
def test_what_is_no_picture_is_refused(source: object, words: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(InvalidRequestError, match=words) as caught:
        prepare_image(source)  # type: ignore[arg-type]
    assert caught.value.field == "image"


def test_a_missing_file_is_the_operating_systems_error(tmp_path: Path) -> None:
    """The local disk speaks with the built-in errors."""
    with pytest.raises(FileNotFoundError):
        prepare_image(tmp_path / "none.png")


def test_a_picture_of_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would unpack to gigabytes is not unpacked."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InvalidRequestError, match="too many pixels"):
        prepare_image(encoded(WIDE))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 5000}, "size"),
        ({"size": True}, "size"),
        ({"size": "256x256"}, "size"),
        ({"fit": "stretch"}, "fit"),
        ({"fill": "no colour"}, "fill"),
        ({"fill": 7}, "fill"),
        ({"mask_box": (0, 0, 41, 20)}, "mask_box"),
        ({"mask_box": (5, 5, 5, 9)}, "mask_box"),
        ({"mask_box": (0, 9, 5, 2)}, "mask_box"),
        ({"mask_box": (-1, 0, 5, 5)}, "mask_box"),
        ({"mask_box": (0, 0, 5)}, "mask_box"),
        ({"mask_box": "box"}, "mask_box"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(arguments: dict[str, object], field: str) -> None:
    """Sizes, ways to fit, colours and boxes that make no sense."""
    with pytest.raises(InvalidRequestError) as caught:
        prepare_image(WIDE, **arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("size", "expected"), [(32, (32, 32)), ((30, 20), (30, 20)), (WIDE, (40, 20)), (PNG, (64, 64))]
)
def test_a_mask_is_transparent_in_its_box_alone(
    size: int | tuple[int, int] | Image.Image | bytes, expected: tuple[int, int]
) -> None:
    """Black and opaque, but for the box; as large as its image."""
    mask = opened(mask_from_box(size, (3, 4, 10, 12)))
    assert (mask.mode, mask.size) == ("RGBA", expected)
    wanted = Image.new("L", expected, 255)
    wanted.paste(0, (3, 4, 10, 12))
    assert mask.getchannel("A").tobytes() == wanted.tobytes()


def test_a_mask_of_a_format_that_only_pillow_knows() -> None:
    """A BMP is measured by Pillow."""
    assert opened(mask_from_box(encoded(WIDE, "BMP"), (0, 0, 1, 1))).size == (40, 20)


@pytest.mark.parametrize("size", [0, -3, True, 10**9, (4, 0), (1, 2, 3), ("a", "b"), (10**9, 4)])
def test_a_mask_needs_a_possible_size(size: object) -> None:
    """No empty, negative or gigantic mask is made."""
    with pytest.raises(InvalidRequestError) as caught:
        mask_from_box(size, (0, 0, 1, 1))  # type: ignore[arg-type]
    assert caught.value.field == "image"


def test_scaling_gives_exactly_the_size() -> None:
    """Without alpha the picture stays without, with alpha it keeps it."""
    plain = scaled_image(encoded(Image.new("RGB", (816, 816), "red")), 256, 256, "image/png")
    assert (facts(plain).width, facts(plain).height, facts(plain).has_alpha) == (256, 256, False)
    clear = scaled_image(encoded(Image.new("RGBA", (64, 64))), 32, 16, "image/png")
    assert opened(clear).size == (32, 16)
    assert facts(scaled_image(encoded(WIDE, "WEBP"), 40, 20, "image/png")).media_type == "image/png"


def test_scaling_leaves_a_png_of_that_size_alone() -> None:
    """Byte for byte."""
    assert scaled_image(PNG, 64, 64, "image/png") is PNG


def test_scaling_needs_an_image() -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidRequestError, match="not an image that can be scaled"):
        scaled_image(b"{}", 4, 4, "image/png")


def test_without_pillow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask of a known size needs no Pillow; the rest says what to install."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert mask_from_box(8, (0, 0, 4, 4))
    assert mask_from_box(PNG, (0, 0, 4, 4))
    with pytest.raises(ConfigurationError, match=r"pip install 'dalle2-sdk\[pillow\]'"):
        prepare_image(PNG)


def bomb(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, all black: a few kilobytes, whatever its size."""
    rows = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join([rows.compress(row * 100) for _ in range(height // 100)] + [rows.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (64_001, 1_000), (9_000, 9_000)])
def test_the_size_is_asked_before_a_picture_is_unpacked(width: int, height: int) -> None:
    """A few kilobytes that hold hundreds of millions of pixels are refused by what their header says."""
    data = bomb(width, height)
    assert len(data) < 200_000
    uses: list[Callable[[], object]] = [
        lambda: prepare_image(data),
        lambda: prepare_image(Image.open(io.BytesIO(data))),
        lambda: read_input(Image.open(io.BytesIO(data))),
        lambda: scaled_image(data, 256, 256, "image/png"),
    ]
    tracemalloc.start()
    for use in uses:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            pytest.raises(InvalidRequestError, match=f"{width}x{height}, more than 64 million"),
        ):
            use()
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_picture_that_only_pillow_can_measure_is_asked_too() -> None:
    """A TIFF names its size, and nothing of it is unpacked."""
    data = encoded(Image.new("1", (8_100, 8_100)), "TIFF", compression="group4")
    with pytest.raises(InvalidRequestError, match="8100x8100, more than 64 million"):
        prepare_image(data)


def test_a_strip_is_scaled_before_it_is_padded() -> None:
    """A picture of a million by one pixels becomes a square of the largest side, and no million million."""
    assert opened(prepare_image(Image.new("L", (1_000_000, 1)))).size == (2048, 2048)
    assert opened(prepare_image(Image.new("L", (1, 1_000_000)), size=64)).size == (64, 64)


def test_a_mask_for_a_picture_that_is_too_large_is_refused() -> None:
    """Its own size is bounded, whoever says it."""
    with pytest.raises(InvalidRequestError, match=r"13000x13000.*at most 8192") as caught:
        mask_from_box(bomb(13_000, 13_000), (0, 0, 1, 1))
    assert caught.value.field == "image"


@pytest.mark.parametrize(
    "problem",
    [NotImplementedError("no"), MemoryError("no"), RuntimeError("no"), KeyError("no"), OSError("no")],
)
def test_whatever_pillow_raises_is_an_error_of_this_package(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder meets what it does not know; the words are ours."""

    def fails(*args: object, **options: object) -> None:
        raise problem

    monkeypatch.setattr(ImageOps, "exif_transpose", fails)
    for use in (prepare_image, read_input):
        with pytest.raises(InvalidRequestError, match="no"):
            use(WIDE)


def test_a_kind_that_needs_a_plugin_says_which() -> None:
    """HEIC and AVIF are read by some installations of Pillow."""
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(600)
    with pytest.raises(InvalidRequestError, match=r"a HEIC picture.*pip install pillow-heif"):
        prepare_image(heic)


@pytest.mark.parametrize("form", ["BMP", "TIFF", "JPEG2000", "AVIF", "GIF", "WEBP"])
def test_what_hosts_do_not_take_is_made_fit(form: str) -> None:
    """The way that the errors name works."""
    assert opened(prepare_image(encoded(WIDE, form))).size == (40, 40)
    assert opened(mask_from_box(encoded(WIDE, form), (0, 0, 5, 5))).size == (40, 20)


def test_a_file_without_end_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a gigabyte is more than any picture has."""
    monkeypatch.setattr("dalle2._requests._opened._LARGEST_FILE", 100)
    with pytest.raises(InvalidRequestError, match="more than 100 bytes"):
        prepare_image(bytes(101))
