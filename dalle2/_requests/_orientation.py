"""How a photograph is to be turned: the EXIF orientation, read from the file's own structure.

The rule: what is not certain is 1, "as it is". A camera stores what its sensor saw, and says beside it which
way is up; viewers turn the picture, and many programs that only read pixels do not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_TAG = 0x0112
_MOST_TAGS = 200


def orientation_of(data: bytes) -> int:
    """The EXIF orientation of a PNG, JPEG or WebP, from 1 (upright) to 8; from 5 on it lies on its side."""
    try:
        return next((turn for block in _exif_blocks(data) if (turn := _orientation_in(block))), 1)
    except (struct.error, IndexError):
        return 1


def _exif_blocks(data: bytes) -> Iterator[bytes]:
    """The EXIF data in an image: a TIFF directory, each."""
    if data.startswith(b"\x89PNG"):
        for kind, start, length in _chunks(data, 8, ">I4s", 4):
            if kind == b"eXIf":
                yield data[start : start + length]
    elif data.startswith(b"RIFF"):
        for kind, start, length in _chunks(data, 12, "<4sI", 0):
            if kind == b"EXIF":
                yield data[start : start + length].removeprefix(b"Exif\0\0")
    elif data.startswith(b"\xff\xd8"):
        place = 2
        while data[place] == 0xFF and data[place + 1] not in (0xD9, 0xDA):
            if data[place + 1] == 0xFF:
                place += 1
                continue
            (length,) = struct.unpack_from(">H", data, place + 2)
            if data[place + 1] == 0xE1 and data[place + 4 : place + 10] == b"Exif\0\0":
                yield data[place + 10 : place + 2 + length]
            place += 2 + max(length, 2)


def _chunks(data: bytes, place: int, form: str, sums: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each chunk; RIFF fills each up to an even length."""
    while place + 8 <= len(data):
        first, second = struct.unpack_from(form, data, place)
        kind, length = (first, second) if isinstance(first, bytes) else (second, first)
        yield kind, place + 8, length
        place += 8 + length + sums + (0 if sums else length % 2)


def _orientation_in(block: bytes) -> int:
    """The orientation in a TIFF directory, 0 if it does not say."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 0
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    for number in range(min(count, _MOST_TAGS)):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * number)
        if tag == _TAG and kind == 3 and 1 <= value <= 8:
            return int(value)
    return 0
