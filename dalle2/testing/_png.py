"""PNG files in and out, without an imaging library: what the emulator paints and what it is sent.

The rule: what is written is a plain 8-bit PNG that any reader takes, and what cannot be read is a
`ValueError` that says why. Filters work on a big integer, a byte a lane: a loop over pixels would
take seconds.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Iterator

import attrs

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples a pixel, by colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PIECE = 1 << 14
_MAX_PIXELS = 1 << 26  # enough for 8192 x 8192; a small file can claim any size


@attrs.frozen
class Bitmap:
    """Pixels row by row from the top left: 3 bytes a pixel (RGB) or 4 (RGBA, alpha 0 is transparent)."""

    width: int
    height: int
    channels: int
    pixels: bytes = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a bitmap needs at least one pixel, got {self.width}x{self.height}")
        if self.channels not in (3, 4):
            raise ValueError(f"channels must be 3 (RGB) or 4 (RGBA), got {self.channels}")
        expected = self.width * self.height * self.channels
        if len(self.pixels) != expected:
            raise ValueError(f"pixels must hold {expected} bytes, got {len(self.pixels)}")

    @property
    def rgba(self) -> bytes:
        """The pixels with 4 bytes each; opaque where there is no alpha channel."""
        if self.channels == 4:
            return self.pixels
        return interleave(
            *(self.pixels[channel::3] for channel in range(3)), b"\xff" * (self.width * self.height)
        )

    @property
    def alpha(self) -> bytes:
        """The alpha channel alone, one byte a pixel; 255 where there is none."""
        return self.pixels[3::4] if self.channels == 4 else b"\xff" * (self.width * self.height)


def interleave(*planes: bytes) -> bytes:
    """One byte of each plane in turn: planes of red, green and blue become RGB pixels."""
    out = bytearray(len(planes) * len(planes[0]))
    for number, plane in enumerate(planes):
        out[number :: len(planes)] = plane
    return bytes(out)


def encode(bitmap: Bitmap) -> bytes:
    """A PNG file of the bitmap: 8 bits a sample, one filter for all rows, compressed for speed."""
    stride = bitmap.width * bitmap.channels
    # Some bands of the picture tell whether it resembles itself more downwards or sideways.
    bands = range(0, len(bitmap.pixels), stride * max(8, bitmap.height // 8))
    sample = b"".join(bitmap.pixels[start : start + 8 * stride] for start in bands)
    kind = min(
        (2, 1, 0), key=lambda kind: len(zlib.compress(_filtered(kind, sample, stride, bitmap.channels), 1))
    )
    lines = _filtered(kind, bitmap.pixels, stride, bitmap.channels)
    raw = b"".join(bytes([kind]) + lines[start : start + stride] for start in range(0, len(lines), stride))
    colour_type = 2 if bitmap.channels == 3 else 6
    header = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, colour_type, 0, 0, 0)
    # Level 3 makes flat pictures a third smaller than level 1 in about the same time.
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw, 3)) + _chunk(b"IEND", b"")
    return SIGNATURE + body


def dimensions(data: bytes) -> tuple[int, int, bool]:
    """Width, height, and whether pixels can be transparent (an alpha channel, or a palette with `tRNS`).

    The pixels are not decoded. Raises `ValueError` if the bytes are no PNG, are cut short or damaged.
    """
    chunks = list(_chunks(data))
    width, height, _, colour_type, _ = _header(chunks)
    names = [name for name, _ in chunks]
    return width, height, colour_type in (4, 6) or (colour_type == 3 and b"tRNS" in names)


def decode(data: bytes) -> Bitmap:
    """Read a PNG: grey, grey with alpha, RGB, RGBA or palette, 1 to 16 bits a sample, all filters.

    16-bit samples keep their high byte. Interlaced files are not read, and a single transparent colour
    (`tRNS` without a palette) is ignored. Raises `ValueError` with the reason.
    """
    return _decode(data)


# An upload is read when it is checked and again for each picture made of it.
@functools.lru_cache(maxsize=4)
def _decode(data: bytes) -> Bitmap:
    chunks = list(_chunks(data))
    width, height, depth, colour_type, interlaced = _header(chunks)
    if interlaced:
        raise ValueError("the PNG is interlaced; save it without interlacing")
    samples = _SAMPLES[colour_type]
    stride = (width * samples * depth + 7) // 8
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    try:
        raw = zlib.decompressobj().decompress(packed, (stride + 1) * height)
    except zlib.error as error:
        raise ValueError(f"the PNG has damaged pixel data: {error}") from None
    if len(raw) < (stride + 1) * height:
        raise ValueError("the PNG is cut short: some of its pixel data is missing")
    flat = b"".join(_unfiltered(raw, stride, max(1, samples * depth // 8)))
    if depth == 16:
        flat = flat[::2]
    elif depth < 8:
        flat = _unpacked(flat, stride, depth, width, scaled=colour_type == 0)
    if colour_type in (2, 6):
        return Bitmap(width, height, samples, flat)
    if colour_type == 3:
        return _from_palette(width, height, flat, dict(chunks))
    grey = flat[::samples]
    return Bitmap(
        width, height, samples + 2, interleave(grey, grey, grey, *([flat[1::2]] if samples == 2 else []))
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG: the file does not begin with the PNG signature")
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        head = data[position : position + 8]
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or len(data) < position + length + 12:
            raise ValueError("the PNG is cut short: it ends before its last chunk")
        name, content = head[4:], data[position + 8 : position + 8 + length]
        position += length + 12
        if zlib.crc32(name + content) != int.from_bytes(data[position - 4 : position], "big"):
            raise ValueError(
                f"the PNG is damaged: wrong checksum in its {name.decode('ascii', 'replace')} chunk"
            )
        yield name, content


def _header(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int, int, int, int]:
    name, content = chunks[0]
    if name != b"IHDR" or len(content) != 13:
        raise ValueError("the PNG does not begin with a header (IHDR) of 13 bytes")
    width, height, depth, colour_type, compression, filtering, interlaced = struct.unpack(">IIBBBBB", content)
    if not 0 < width * height <= _MAX_PIXELS:
        raise ValueError(f"the PNG says it is {width}x{height}; 1 to {_MAX_PIXELS} pixels are read")
    if depth not in _DEPTHS.get(colour_type, ()) or compression or filtering:
        raise ValueError(
            f"the PNG has an unknown format: colour type {colour_type} with {depth} bits a sample"
        )
    return width, height, depth, colour_type, interlaced


def _filtered(kind: int, pixels: bytes, stride: int, channels: int) -> bytes:
    """Each pixel less the one to the left (1) or the one above (2), or as it is (0)."""
    if kind == 0:
        return pixels
    if kind == 2:
        return _subtract(pixels, bytes(stride) + pixels[:-stride])
    left = bytearray(channels) + pixels[:-channels]
    for channel in range(channels):
        left[channel::stride] = bytes(len(pixels) // stride)
    return _subtract(pixels, bytes(left))


def by_lanes(first: bytes, second: bytes, rule: Callable[[int, int, int], int]) -> bytes:
    """Combine two equally long strings byte by byte: the rule gets both as integers, and a 1 in each byte.

    Pieces that fit the processor's cache are worked on one after another. The rule must keep to its bytes.
    """
    done = []
    for start in range(0, len(first), _PIECE):
        piece = first[start : start + _PIECE]
        size = len(piece)
        a, b = int.from_bytes(piece, "little"), int.from_bytes(second[start : start + _PIECE], "little")
        done.append(rule(a, b, _ones(size)).to_bytes(size, "little"))
    return b"".join(done)


@functools.lru_cache(maxsize=8)
def _ones(size: int) -> int:
    return int.from_bytes(b"\x01" * size, "little")


def _subtract(first: bytes, second: bytes) -> bytes:
    # The high bit of each byte is set first, so that none borrows from its neighbour.
    return by_lanes(
        first, second, lambda a, b, one: ((a | one << 7) - (b & one * 127)) ^ ((a ^ b ^ one * 255) & one << 7)
    )


def _unfiltered(raw: bytes, stride: int, step: int) -> Iterator[bytes]:
    """The rows as they were before filtering; `step` is the distance in bytes to the pixel at the left."""
    row = bytes(stride)
    for start in range(0, len(raw), stride + 1):
        kind, line = raw[start], raw[start + 1 : start + 1 + stride]
        if kind == 0:
            row = line
        elif kind == 1:
            row = _running_sum(line, step)
        elif kind == 2:
            row = _add(line, row)
        elif kind in (3, 4):
            undo = _undo_average if kind == 3 else _undo_paeth
            row = interleave(*(undo(line[lane::step], row[lane::step]) for lane in range(step)))
        else:
            raise ValueError(f"the PNG is damaged: row filter {kind} does not exist")
        yield row


def _add(first: bytes, second: bytes) -> bytes:
    # The high bits are added apart, so that no byte carries into its neighbour.
    return by_lanes(
        first, second, lambda a, b, one: ((a & one * 127) + (b & one * 127)) ^ ((a ^ b) & one << 7)
    )


def _running_sum(line: bytes, step: int) -> bytes:
    """Add to each byte all bytes before it in its lane, in steps of 1, 2, 4, ... pixels."""
    while step < len(line):
        line = _add(line, bytes(step) + line[:-step])
        step *= 2
    return line


def _undo_average(line: bytes, above: bytes) -> bytes:
    out = bytearray()
    value = 0
    for delta, up in zip(line, above, strict=True):
        value = (delta + (value + up) // 2) & 255
        out.append(value)
    return bytes(out)


def _undo_paeth(line: bytes, above: bytes) -> bytes:
    out = bytearray()
    value = corner = 0
    for delta, up in zip(line, above, strict=True):
        to_left, to_up, to_corner = abs(up - corner), abs(value - corner), abs(value + up - 2 * corner)
        if to_left > to_up or to_left > to_corner:
            value = up if to_up <= to_corner else corner
        value = (value + delta) & 255
        corner = up
        out.append(value)
    return bytes(out)


def _unpacked(flat: bytes, stride: int, depth: int, width: int, *, scaled: bool) -> bytes:
    """One byte a sample from 1, 2 or 4 bits; `scaled` spreads grey values over 0..255."""
    per_byte = 8 // depth
    top = (1 << depth) - 1
    factor = 255 // top if scaled else 1
    shifts = range(8 - depth, -1, -depth)
    wide = interleave(*(flat.translate(bytes((v >> s & top) * factor for v in range(256))) for s in shifts))
    return b"".join(wide[start : start + width] for start in range(0, len(wide), stride * per_byte))


def _from_palette(width: int, height: int, indices: bytes, chunks: dict[bytes, bytes]) -> Bitmap:
    colours, transparency = chunks.get(b"PLTE", b""), chunks.get(b"tRNS")
    if len(colours) < 3 * (max(indices) + 1):
        raise ValueError("the PNG is damaged: a pixel uses a colour that its palette lacks")
    planes = [colours[channel::3] for channel in range(3)]
    tables = [plane.ljust(256, b"\x00") for plane in planes]
    if transparency is not None:
        tables.append(transparency.ljust(256, b"\xff"))
    return Bitmap(
        width, height, len(tables), interleave(*(indices.translate(table[:256]) for table in tables))
    )
