"""The images that the benchmark serves: valid PNGs of about a given size, full of noise."""

from __future__ import annotations

import random
import struct
import zlib

_IDAT = 65_536
"""Bytes of picture data a chunk, as Pillow writes them."""


def png(size: int) -> bytes:
    """A whole RGB picture of about `size` bytes; the same for the same size."""
    width = 16 if size < 65_536 else 1024
    height = max(1, size // (3 * width + 1))
    noise = random.Random(size)
    rows = b"".join(b"\0" + noise.randbytes(3 * width) for _ in range(height))
    data = zlib.compress(rows, level=0)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [_chunk(b"IDAT", data[at : at + _IDAT]) for at in range(0, len(data), _IDAT)]
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(parts) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
