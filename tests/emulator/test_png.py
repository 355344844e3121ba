"""PNG files: what is written can be read by others, and what others write can be read."""

from __future__ import annotations

import io
import random
import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dalle2.testing._png import SIGNATURE, Bitmap, by_lanes, decode, dimensions, encode


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes without a pattern, the same each time."""
    return random.Random(seed).randbytes(size)


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def file(
    width: int = 1,
    height: int = 1,
    depth: int = 8,
    colour_type: int = 2,
    raw: bytes = b"\0\1\2\3",
    *,
    header: bytes | None = None,
    interlaced: int = 0,
    packed: bytes | None = None,
    extra: bytes = b"",
) -> bytes:
    """A PNG with these contents, right or wrong."""
    start = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    body = zlib.compress(raw) if packed is None else packed
    return (
        SIGNATURE
        + chunk(b"IHDR", start if header is None else header)
        + extra
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def saved(image: Image.Image, **options: object) -> bytes:
    """The image as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def smooth(mode: str) -> Image.Image:
    """A picture with gradients, for which Pillow uses filters of several kinds."""
    grey = Image.radial_gradient("L").resize((61, 37))
    coloured = Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))
    if mode in ("LA", "RGBA"):
        base = grey if mode == "LA" else coloured
        base = base.copy()
        base.putalpha(grey.rotate(45))
        return base
    return coloured.convert(mode)


bitmaps = st.builds(
    lambda width, height, channels, seed, levels: Bitmap(
        width, height, channels, bytes(v % levels for v in noise(width * height * channels, seed))
    ),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([3, 4]),
    st.integers(0, 9),
    st.sampled_from([2, 256]),
)


@given(bitmaps)
def test_what_is_written_is_read_back(bitmap: Bitmap) -> None:
    """Encoding loses nothing, and says size and alpha truly."""
    data = encode(bitmap)
    assert decode(data) == bitmap
    assert dimensions(data) == (bitmap.width, bitmap.height, bitmap.channels == 4)


@given(bitmaps)
def test_pillow_reads_what_is_written(bitmap: Bitmap) -> None:
    """Another reader sees the same pixels."""
    with Image.open(io.BytesIO(encode(bitmap))) as image:
        assert image.mode == ("RGB" if bitmap.channels == 3 else "RGBA")
        assert image.tobytes() == bitmap.pixels


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        (0, bytes(v % 2 for v in noise(3 * 32 * 32))),
        (1, bytes(v for row in range(32) for x in range(32) for v in [(x * 5 + row * row * 89) % 256] * 3)),
        (2, noise(3 * 32) * 32),
    ],
)
def test_the_filter_suits_the_picture(kind: int, pixels: bytes) -> None:
    """Noise is stored as it is, likeness to the left or to the row above is used."""
    data = encode(Bitmap(32, 32, 3, pixels))
    at = data.index(b"IDAT")
    raw = zlib.decompress(data[at + 4 :][: int.from_bytes(data[at - 4 : at], "big")])
    assert set(raw[::97]) == {kind}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_what_pillow_writes_is_read(mode: str) -> None:
    """All colour types that Pillow writes give the pixels that Pillow sees."""
    image = smooth(mode)
    data = saved(image)
    assert decode(data).rgba == image.convert("RGBA").tobytes()
    assert dimensions(data) == (61, 37, mode in ("LA", "RGBA"))


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
def test_a_palette_may_be_transparent(colours: int) -> None:
    """A palette of 1, 2, 4 or 8 bits with `tRNS` has an alpha channel."""
    image = smooth("RGB").quantize(colours)
    data = saved(image, transparency=bytes([0, 128]))
    with Image.open(io.BytesIO(data)) as seen:
        assert decode(data).rgba == seen.convert("RGBA").tobytes()
    assert dimensions(data) == (61, 37, True)


@pytest.mark.parametrize("depth", [2, 4])
def test_few_grey_levels_are_spread(depth: int) -> None:
    """Grey of 2 or 4 bits reaches from black to white."""
    data = file(2, 1, depth, 0, bytes([0, (1 << depth) - 1 << 8 - 2 * depth]))
    assert decode(data).pixels == b"\0\0\0\xff\xff\xff"


def test_16_bit_samples_keep_their_high_byte() -> None:
    """Two bytes a sample become one."""
    assert decode(file(1, 1, 16, 2, b"\0\x12\xff\x34\xff\x56\xff")).pixels == b"\x12\x34\x56"


def filtered(pixels: bytes, stride: int, step: int) -> bytes:
    """Rows filtered as the PNG standard writes it down, each filter in turn."""
    rows = [bytes(stride)] + [pixels[start : start + stride] for start in range(0, len(pixels), stride)]
    out = bytearray()
    for number, (above, row) in enumerate(pairwise(rows)):
        kind = number % 5
        out.append(kind)
        for i, value in enumerate(row):
            a = row[i - step] if i >= step else 0
            c = above[i - step] if i >= step else 0
            b = above[i]
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
    return bytes(out)


@given(bitmaps)
def test_all_five_filters_are_undone(bitmap: Bitmap) -> None:
    """Rows of any filter in any order give the pixels back."""
    raw = filtered(bitmap.pixels, bitmap.width * bitmap.channels, bitmap.channels)
    assert decode(file(bitmap.width, bitmap.height, 8, 2 if bitmap.channels == 3 else 6, raw)) == bitmap


def test_pixel_data_may_come_in_several_chunks() -> None:
    """The contents of all IDAT chunks are one stream."""
    packed = zlib.compress(b"\0\1\2\3")
    data = file(packed=packed[5:], extra=chunk(b"IDAT", packed[:5]))
    assert decode(data).pixels == b"\1\2\3"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a PNG"),
        (b"\xff\xd8\xff\xe0 a JPEG", "not a PNG"),
        (SIGNATURE, "cut short"),
        (SIGNATURE + chunk(b"IEND", b""), "header"),
        (file(header=b"short"), "header"),
        (file()[:-1], "cut short"),
        (file()[:40], "cut short"),
        (file().replace(b"IHDR", b"IHDr"), "checksum in its IHDr chunk"),
        (file(width=0), "says it is 0x1"),
        (file(width=1 << 20, height=1 << 20), "says it is 1048576x1048576"),
        (file(depth=3), "colour type 2 with 3 bits"),
        (file(colour_type=5), "colour type 5"),
        (file(header=struct.pack(">IIBBBBB", 1, 1, 8, 2, 1, 0, 0)), "unknown format"),
        (file(header=struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 1, 0)), "unknown format"),
    ],
)
def test_no_size_is_read_from_what_is_no_png(data: bytes, reason: str) -> None:
    """Both readers refuse what is no PNG, is cut short or damaged, and say why."""
    for read in (decode, dimensions):
        with pytest.raises(ValueError, match=reason):
            read(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (file(interlaced=1), "interlaced"),
        (file(raw=b"\0\1\2"), "cut short"),
        (file(raw=b"\5\1\2\3"), "row filter 5"),
        (file(packed=b"nothing"), "damaged pixel data"),
        (file(colour_type=3, raw=b"\0\1", extra=chunk(b"PLTE", b"\1\2\3")), "palette lacks"),
        (file(colour_type=3, raw=b"\0\0"), "palette lacks"),
    ],
)
def test_pixels_that_cannot_be_read_are_refused(data: bytes, reason: str) -> None:
    """A file with a good frame may still hold pixels that cannot be read."""
    assert dimensions(data)[:2] == (1, 1)
    with pytest.raises(ValueError, match=reason):
        decode(data)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: file()[:-12] + tail))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    """Whatever comes in, the answer is a bitmap or a `ValueError`."""
    for read in (decode, dimensions):
        try:
            read(data)
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((0, 1, 3, b""), "at least one pixel"),
        ((1, 1, 2, b"12"), "channels"),
        ((2, 2, 3, b"123"), "12 bytes, got 3"),
    ],
)
def test_a_bitmap_is_complete(arguments: tuple[int, int, int, bytes], reason: str) -> None:
    """Size, channels and pixels must fit together."""
    with pytest.raises(ValueError, match=reason):
        Bitmap(*arguments)


def test_a_bitmap_can_be_asked_for_alpha() -> None:
    """Without an alpha channel everything is opaque."""
    assert Bitmap(1, 1, 3, b"abc").rgba == b"abc\xff"
    assert Bitmap(1, 1, 3, b"abc").alpha == b"\xff"
    assert Bitmap(1, 1, 4, b"abc\0").rgba == b"abc\0"
    assert Bitmap(1, 1, 4, b"abc\0").alpha == b"\0"


@given(st.integers(0, 40000))
def test_long_strings_are_combined_in_pieces(size: int) -> None:
    """The length does not matter to a rule for bytes."""
    first, second = noise(size, 1), noise(size, 2)
    assert by_lanes(first, second, lambda a, b, one: a ^ b ^ one) == bytes(
        a ^ b ^ 1 for a, b in zip(first, second, strict=True)
    )
