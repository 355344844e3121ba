"""What an answer is packed in: one layer of gzip or deflate at most, unpacked piece by piece.

Two layers swell without bound (647 bytes become gigabytes), and so does a chunk that is unpacked at once.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import httpx

PIECE = 1 << 16
"""Bytes that are unpacked at once."""
OURS = ("gzip", "x-gzip", "deflate")
_GZIP = b"\x1f\x8b"


def layers(header: str) -> list[str]:
    """The encodings that a `Content-Encoding` names, without those that change nothing."""
    names = [name.strip().lower() for name in header.split(",")]
    return [name for name in names if name not in ("", "identity")]


class Unpacker:
    """Unpacks one layer. Raises `ValueError` for what is not packed so."""

    __slots__ = ("_engine", "_held", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._engine: zlib._Decompress | None = None
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that these bytes hold."""
        if self._engine is None:
            data = self._held + data
            if len(data) < 2:
                self._held = data
                return
            self._engine = zlib.decompressobj(self._window(data))
        while data:
            engine = self._engine
            try:
                piece = engine.decompress(data, PIECE)
            except zlib.error as problem:
                raise ValueError(f"it is not packed as {self._name}: {problem}") from None
            if piece:
                yield piece
            data = engine.unconsumed_tail
            if engine.eof and engine.unused_data[:2] == _GZIP and self._name != "deflate":  # another part
                data = engine.unused_data
                self._engine = zlib.decompressobj(31)

    def _window(self, start: bytes) -> int:
        """How zlib is to read it. Deflate comes with zlib's header, as it should, or bare."""
        if self._name != "deflate":
            return 31
        return 15 if start[0] & 15 == 8 and not int.from_bytes(start[:2]) % 31 else -15

    def end(self) -> None:
        """After the last byte. Raises `ValueError` if the end is missing."""
        if (self._held and self._engine is None) or (self._engine is not None and not self._engine.eof):
            raise ValueError(f"what came is only the beginning of something packed as {self._name}")


def as_httpx(lib: ModuleType, response: Any) -> httpx.Response:
    """An answer of httpcore's as httpx's, which may know how to unpack it."""

    def close(self: object) -> None:
        response.close()

    async def aclose(self: object) -> None:
        await response.aclose()

    ways = {
        "__iter__": lambda self: iter(response.stream),
        "__aiter__": lambda self: aiter(response.stream),
        "close": close,
        "aclose": aclose,
    }
    stream = type("Stream", (lib.SyncByteStream, lib.AsyncByteStream), ways)()
    made: httpx.Response = lib.Response(response.status, headers=response.headers, stream=stream)
    return made
