"""A server on loopback that does what a fault says, with raw sockets, and counts what it would have billed.

A POST that was received whole is billed unless the fault refuses it in the API's own words. Each exchange
waits for the first byte of a request, so that faults are used up by requests and not by idle connections.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from types import TracebackType

REASONS = {200: "OK", 206: "Partial Content"}


def png(width: int = 96, height: int = 96, seed: int = 1) -> bytes:
    """A PNG of noise, so that no part of it can be guessed from another: 28 KB at 96 x 96."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    noise = random.Random(seed)
    rows = b"".join(b"\x00" + noise.randbytes(width * 3) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 0)), chunk(b"IEND", b"")]
    )


IMAGE = png()
ETAG = '"0x8D-first"'


@attrs.frozen
class Received:
    """One request as it came: `line` is its first line, byte for byte."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def method(self) -> str:
        """The method."""
        return self.line.partition(" ")[0]

    @property
    def target(self) -> str:
        """The path and query, byte for byte."""
        return self.line.split(" ")[1]


class Gone(Exception):
    """The connection is over."""


class Connection:
    """One connection, as the faults see it."""

    def __init__(self, server: FaultServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.request: Received | None = None

    def wait(self) -> None:
        """Wait for the first byte of a request without taking it."""
        if not self.sock.recv(1, socket.MSG_PEEK):
            raise Gone

    def peek_target(self) -> str:
        """The path of the request that is coming, without taking it."""
        return self.sock.recv(1024, socket.MSG_PEEK).split(b" ")[1].decode("latin-1")

    def head(self) -> tuple[str, dict[str, str], bytes]:
        """Read the head of a request, and whatever came with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                raise Gone
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        return line, headers, rest

    def read(self, *, bill: bool = True) -> Received:
        """Read a whole request. A POST counts as billed, unless it is going to be refused."""
        self.request = self.swallow()
        self.server.requests.append(self.request)
        if bill and self.request.method == "POST":
            self.server.billed.append(self.request)
        return self.request

    def swallow(self) -> Received:
        """Take a whole request off the wire as if nobody had seen it."""
        line, headers, body = self.head()
        length = int(headers.get("content-length", "0"))
        pieces = [body]
        left = length - len(body)
        while left > 0:
            more = self.sock.recv(min(left, 1 << 20))
            if not more:
                raise Gone
            pieces.append(more)
            left -= len(more)
        return Received(line, headers, b"".join(pieces))

    def good_body(self) -> bytes:
        """What a good answer to the request would hold."""
        if self.request is not None and self.request.method == "POST":
            return self.server.answer()
        return self.server.image

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def reply(
        self,
        status: int = 200,
        body: bytes | None = None,
        *,
        headers: dict[str, str] | None = None,
        length: int | None = -1,
        upto: int | None = None,
    ) -> None:
        """Send an answer; `length` is the one announced (`None`: none is), `upto` how much of the body
        is sent.
        """
        body = self.good_body() if body is None else body
        fields = {"Content-Type": "application/json", **(headers or {})}
        if length is not None:
            fields["Content-Length"] = str(len(body) if length == -1 else length)
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in fields.items()
        )
        self.send(head.encode("latin-1") + b"\r\n" + body[:upto])

    def reset(self) -> None:
        """End the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def close(self) -> None:
        """End the connection politely."""
        raise Gone

    def hold(self) -> None:
        """Say nothing more until the other side leaves or the server stops."""
        while not self.server.stopping.is_set():
            readable, _, _ = select.select([self.sock], [], [], 0.02)
            if readable and not self.sock.recv(65536):
                break
        raise Gone

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Send byte by byte."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            if self.server.stopping.wait(pause):
                break
        raise Gone


Act = Callable[[Connection], None]


def good(connection: Connection) -> None:
    """Answer as one wishes: JSON to a POST; an image to a GET, with `Range` and `If-Match` honoured."""
    request = connection.read()
    if request.method == "POST":
        connection.reply()
        return
    headers = {"Content-Type": "image/png", "ETag": ETAG, "Accept-Ranges": "bytes"}
    body = connection.good_body()
    wanted = request.headers.get("if-match")
    if wanted is not None and wanted != ETAG:
        connection.reply(412, b"<Error><Code>ConditionNotMet</Code></Error>")
        return
    span = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if span is None:
        connection.reply(200, body, headers=headers)
        return
    start = int(span[1])
    connection.reply(
        206,
        body[start:],
        headers=headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"},
    )


class FaultServer:
    """Does each of `acts` once, in order, then `then` for ever."""

    def __init__(self, acts: Iterable[Act] = (), *, then: Act = good) -> None:
        self.requests: list[Received] = []
        self.billed: list[Received] = []
        self.image = IMAGE
        self.stopping = threading.Event()
        self.connections = 0
        self._acts = list(acts)
        self._then = then
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.socket()
        # A small window, set before any connection is made, so that a large request cannot hide in it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1024)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> set[str | None]:
        """The idempotency keys of all POSTs."""
        return {one.headers.get("idempotency-key") for one in self.requests if one.method == "POST"}

    def answer(self) -> bytes:
        """A good answer to a paid POST."""
        url = f"{self.origin}/private/img.png"
        return json.dumps({"created": 1_800_000_000, "data": [{"url": url}]}).encode()

    def then(self, *acts: Act, forever: Act | None = None) -> None:
        """Do these next, and forget what was counted."""
        with self._lock:
            self._acts = list(acts)
            self._then = forever or self._then
        self.requests.clear()
        self.billed.clear()

    def _next(self) -> Act:
        with self._lock:
            return self._acts.pop(0) if self._acts else self._then

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._attend, args=(sock,), daemon=True)
            with self._lock:
                self.connections += 1
                self._open[thread] = sock
            thread.start()

    def _attend(self, sock: socket.socket) -> None:
        connection = Connection(self, sock)
        try:
            while True:
                connection.wait()
                self._next()(connection)
        except (Gone, OSError):
            pass
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)
            sock.close()

    def __enter__(self) -> FaultServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            left = list(self._open.items())
        for thread, sock in left:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()
