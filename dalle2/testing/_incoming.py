"""What may come in at the emulator's server: how large, how slow, and for whom.

The rule: a message that can be read in two ways is refused, as is a host that the server was not bound to;
whoever sends too much or too slowly is hung up on.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import time
from email.message import Message
from typing import TYPE_CHECKING

from ._exchange import EmulatedResponse, json_response

if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import WriteableBuffer

    class Body(Protocol):
        """Where the bytes come from."""

        def read(self, size: int, /) -> bytes: ...
        def readline(self, size: int, /) -> bytes: ...


LARGEST_BODY = 256 * 1024 * 1024
"""Bytes; sixteen uploads of the usual size are a quarter of it."""
IDLE, HEAD, BODY = 120.0, 30.0, 300.0
"""Seconds until a request begins, for the rest of its head, and for its body."""
_LINE = 65536


class Unreadable(Exception):
    """A request that is not carried out because of how it came."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def answer(self) -> EmulatedResponse:
        """What is said to it."""
        error = {"message": str(self), "type": "invalid_request_error", "param": None, "code": None}
        return json_response({"error": error}, status=self.status)


class Source(io.RawIOBase):
    """The bytes of a connection, until a moment that is set anew for each part of a request."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until = 0.0

    def allow(self, seconds: float) -> None:
        """Let what is read next come within so many seconds."""
        self._until = time.monotonic() + seconds
        self._connection.settimeout(seconds)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what is there. Raises `TimeoutError`."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def host_of(headers: Message, version: str, bound: str) -> str:
    """The host that is asked for; empty where HTTP/1.0 names none. Raises `Unreadable` for one that is not
    this server.
    """
    names = headers.get_all("Host", [])
    if len(names) > 1 or (not names and version != "HTTP/1.0"):
        raise Unreadable(400, "A request names its host once.")
    name = str(names[0]).strip() if names else ""
    if names and not answers_for(name, bound):
        raise Unreadable(
            421, f"This server answers for {bound or 'any host'} only; bind it to the host that is meant."
        )
    return name


def answers_for(name: str, bound: str) -> bool:
    """Whether a server that was bound to an address answers to this `Host`."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?", name)
    if found is None:
        return False
    host = found[1].strip("[]").lower().rstrip(".")
    if bound in ("", "0.0.0.0", "::") or host == bound.lower():
        return True
    return _is_here(bound) and _is_here(host)


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_body(headers: Message, source: Body) -> bytes:
    """The whole body. Raises `Unreadable` for one that is framed twice, wrongly or too large, `EOFError` for
    one that breaks off.
    """
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if not codings and not lengths:
        return b""
    if codings:
        if lengths or len(codings) > 1 or str(codings[0]).strip().lower() != "chunked":
            raise Unreadable(400, "The body of a request is framed once: by its length, or chunked.")
        return _read_chunks(source)
    if len(lengths) > 1 or not re.fullmatch(r"\d{1,18}", str(lengths[0]).strip(), re.ASCII):
        raise Unreadable(400, "The Content-Length is no number.")
    return _exactly(source, _allowed(int(lengths[0])))


def _read_chunks(source: Body) -> bytes:
    body = bytearray()
    while size := _size(source):
        _allowed(len(body) + size)
        body += _exactly(source, size)
        if _exactly(source, 2) != b"\r\n":
            raise Unreadable(400, "A chunk is longer than it says.")
    for _ in range(100):  # trailers say nothing here
        if not _line(source).strip():
            return bytes(body)
    raise Unreadable(400, "There are more than 100 trailers.")


def _size(source: Body) -> int:
    digits = _line(source).partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits):
        raise Unreadable(400, "A chunk has no size.")
    return int(digits, 16)


def _line(source: Body) -> bytes:
    line = source.readline(_LINE)
    if not line.endswith(b"\n"):
        if len(line) == _LINE:
            raise Unreadable(400, "A line is too long.")
        raise EOFError
    return line


def _exactly(source: Body, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _allowed(size: int) -> int:
    if size > LARGEST_BODY:
        raise Unreadable(413, f"A body has at most {LARGEST_BODY} bytes.")
    return size
