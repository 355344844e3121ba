"""Decides where an image ends, from its own structure: one walker a format.

The rule: a walker is a generator that is sent the bytes in pieces of any size and returns at the image's end.
It keeps a few bytes of header and no picture data. Structure that cannot be is `NotAnImage`; bytes that stop
early just leave the walker waiting.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    Walk = Generator[None, bytes, None]
    """Advanced once with `next`, then sent a piece whenever it has used up the last one."""

# In JPEG's compressed data FF 00 stands for the byte FF, FF D0 to FF D7 are restarts, and FF may repeat.
_JPEG_MARKER = rb"\xff[^\x00\xd0-\xd7\xff]"
_SEARCHED = 1 << 18
"""Bytes of a picture that are searched at once: no other thread runs meanwhile."""
_LONGEST_META = 65_536
_ISPE = rb"(?s)ispe....(.{4})(.{4})"
_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class ImageError(ValueError):
    """These bytes are not one whole image. `reason` is a stable word, `detail` a phrase for a message."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class NotAnImage(ImageError):
    """Something else, or an image whose structure is broken.

    `reason` is `"html"`, `"xml"`, `"json"`, `"text"`, `"empty"`, `"unknown"` or `"damaged"`.
    """


class Truncated(ImageError):
    """An image that ends before its end marker; `reason` is `"truncated"`."""


def _damaged(detail: str) -> NotAnImage:
    return NotAnImage("damaged", f"a damaged image ({detail})")


class Seen:
    """What a walker has learnt, and its place in the chunk at hand."""

    def __init__(self, sums: bool) -> None:
        self.sums = sums
        self.whole = False
        self.width = 0
        self.height = 0
        self.has_alpha = False
        self.tail = b""
        self.chunk = b""
        self.place = 0

    def size(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def take(self, count: int) -> Generator[None, bytes, bytes]:
        """The next `count` bytes; small numbers only."""
        taken = self.chunk[self.place : self.place + count]
        self.place += len(taken)
        while len(taken) < count:
            self.chunk = yield
            part = self.chunk[: count - len(taken)]
            self.place = len(part)
            taken += part
        return taken

    def skip(self, count: int) -> Generator[None, bytes, None]:
        """Pass over `count` bytes."""
        self.place += count
        while self.place > len(self.chunk):
            self.place -= len(self.chunk)
            self.chunk = yield

    def checksum(self, count: int, start: int) -> Generator[None, bytes, int]:
        """The CRC-32 of the next `count` bytes, going on from `start`."""
        while count:
            if self.place >= len(self.chunk):
                self.chunk = yield
                self.place = 0
            part = memoryview(self.chunk)[self.place : self.place + count]
            start = zlib.crc32(part, start)
            self.place += len(part)
            count -= len(part)
        return start


def _walk_png(seen: Seen) -> Walk:
    yield from seen.skip(8)
    kind = b""
    while kind != b"IEND":
        header = yield from seen.take(8)
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        if length > 0x7FFF_FFFF or not kind.isalpha():
            raise _damaged("no PNG chunk where one must begin")
        checksum = zlib.crc32(kind)
        if kind == b"IHDR" and length >= 10:
            fields = yield from seen.take(10)
            seen.size(int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:8], "big"))
            seen.has_alpha = fields[9] in (4, 6)
            checksum, length = zlib.crc32(fields, checksum), length - 10
        seen.has_alpha |= kind == b"tRNS"
        if kind[:1].islower() or (kind == b"IDAT" and not seen.sums):
            # Readers pass over extra chunks, whatever is in them.
            yield from seen.skip(length + 4)
            continue
        checksum = yield from seen.checksum(length, checksum)
        stored = yield from seen.take(4)
        if int.from_bytes(stored, "big") != checksum:
            raise _damaged(f"wrong checksum of the PNG chunk {kind.decode()}")


def _walk_jpeg(seen: Seen) -> Walk:
    yield from seen.skip(2)
    marker = yield from _jpeg_marker(seen)
    while marker != 0xD9:
        if not (marker == 0x01 or 0xD0 <= marker <= 0xD8):
            length = int.from_bytes((yield from seen.take(2)), "big") - 2
            if length < 0:
                raise _damaged("a JPEG segment without a length")
            if marker in _JPEG_FRAMES and length >= 5:
                fields = yield from seen.take(5)
                seen.size(int.from_bytes(fields[3:], "big"), int.from_bytes(fields[1:3], "big"))
                length -= 5
            yield from seen.skip(length)
        if marker == 0xDA:
            marker = yield from _jpeg_scan(seen)
        else:
            marker = yield from _jpeg_marker(seen)


def _jpeg_marker(seen: Seen) -> Generator[None, bytes, int]:
    byte = yield from seen.take(1)
    if byte != b"\xff":
        raise _damaged("no JPEG marker where one must be")
    while byte == b"\xff":
        byte = yield from seen.take(1)
    return byte[0]


def _jpeg_scan(seen: Seen) -> Generator[None, bytes, int]:
    """Pass over compressed data; the marker that ends it."""
    while True:
        search = re.compile(_JPEG_MARKER).search  # compiled once: `re` keeps it
        for start in range(seen.place, len(seen.chunk), _SEARCHED):
            found = search(seen.chunk, start, start + _SEARCHED + 1)  # an FF at the end, with what follows
            if found:
                seen.place = found.end()
                return found[0][1]
        # An FF at the very end may be the first half of a marker.
        split = seen.chunk.endswith(b"\xff") and seen.place < len(seen.chunk)
        chunk = yield
        seen.chunk, seen.place = (b"\xff" + chunk if split else chunk), 0


def _walk_webp(seen: Seen) -> Walk:
    header = yield from seen.take(12)
    left = int.from_bytes(header[4:8], "little") - 4
    if left < 8:
        raise _damaged("a WebP container too short for a picture")
    count = min(left, 18)
    chunk = (yield from seen.take(count)).ljust(18, b"\0")
    kind, body = chunk[:4], chunk[8:]
    if kind == b"VP8X":
        seen.size(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        seen.has_alpha = bool(body[0] & 0x10)
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        seen.size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        seen.has_alpha = bool(bits >> 28 & 1)
    elif kind == b"VP8 ":
        seen.size(int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
    else:
        raise _damaged("no picture at the start of a WebP container")
    yield from seen.skip(left - count)


def _walk_gif(seen: Seen) -> Walk:
    header = yield from seen.take(13)
    seen.size(int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little"))
    yield from seen.skip(_gif_colours(header[10]))
    while (kind := (yield from seen.take(1))) != b"\x3b":
        if kind == b"\x2c":
            picture = yield from seen.take(9)
            yield from seen.skip(_gif_colours(picture[8]) + 1)
        elif kind == b"\x21":
            label, count = yield from seen.take(2)
            if not count:
                continue
            block = yield from seen.take(count)
            # The graphic control extension tells whether one colour is transparent.
            seen.has_alpha |= label == 0xF9 and bool(block[0] & 1)
        else:
            raise _damaged("no GIF block where one must begin")
        while count := (yield from seen.take(1))[0]:
            yield from seen.skip(count)


def _gif_colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _walk_svg(seen: Seen) -> Walk:
    while True:
        seen.tail = (seen.tail + (yield))[-256:]


def _walk_avif(seen: Seen) -> Walk:
    """Boxes, up to the end of the later of description (`meta`) and picture data (`mdat`)."""
    left = {b"meta", b"mdat"}
    while left:
        header = yield from seen.take(8)
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        used = 8
        if length == 1:
            length = int.from_bytes((yield from seen.take(8)), "big")
            used = 16
        if length == 0 and kind == b"mdat" and left == {kind}:
            return  # it goes to the end of the file, and nothing in it tells where that is
        if length < used or length >= 1 << 40 or not kind.isascii() or not kind.isalnum():
            raise _damaged("no AVIF box where one must be")
        if kind == b"meta":
            described = yield from seen.take(min(length - used, _LONGEST_META))
            used += len(described)
            _describe_avif(seen, described)
        yield from seen.skip(length - used)
        left.discard(kind)


def _describe_avif(seen: Seen, meta: bytes) -> None:
    """The largest picture of those described (its parts and its transparency have sizes of their own)."""
    sizes = [
        (int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big"))
        for found in re.finditer(_ISPE, meta)
    ]
    if sizes:
        seen.size(*max(sizes, key=lambda size: size[0] * size[1]))
    seen.has_alpha = _ALPHA in meta


WALKERS = {
    "image/png": _walk_png,
    "image/jpeg": _walk_jpeg,
    "image/webp": _walk_webp,
    "image/gif": _walk_gif,
    "image/svg+xml": _walk_svg,
    "image/avif": _walk_avif,
}
