"""The emulator as a real HTTP server, on threads.

The rule: HTTP/1.1 with connections kept alive, the standard library only, nothing printed. A request that
came whole gets one answer, and one that did not is not carried out; what may come is bounded in size and
time. On loopback it answers only for names of this machine, so that no web page can reach it under its own.
Leaving the `with` block closes every connection and waits for the threads behind them.
"""

from __future__ import annotations

import contextlib
import io
import select
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ._exchange import EmulatedRequest, EmulatedResponse, Loss
from ._incoming import BODY, HEAD, IDLE, Source, Unreadable, host_of, read_body

if TYPE_CHECKING:
    from ._exchange import Answers


class Serving:
    """A running server; made by `Emulator.serve`, used as a context manager or with `start` and `close`."""

    __module__ = "dalle2.testing"

    def __init__(self, emulator: Answers, host: str, port: int) -> None:
        self._emulator = emulator
        self._address = (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as `http://127.0.0.1:49152`."""
        if self._server is None:
            raise RuntimeError("the emulator's server is not running; use `with emulator.serve() as server:`")
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        """What to give a client as `base_url`."""
        return self.origin + ("/openai/v1" if self._emulator.persona == "azure" else "/v1")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.origin.rpartition(":")[2])

    def start(self) -> Serving:
        """Listen and answer, in threads of its own; `OSError` if the port is taken."""
        self._server = _Server(self._emulator, self._address)
        # A short poll, because closing waits for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="dalle2-emulator", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop: no new connections, the open ones closed, their threads ended."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Serving:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Stopping(threading.Event):
    """Set once the server stops; waiting for it is how the server sleeps."""


class _Server(socketserver.ThreadingTCPServer):
    # Not `http.server.HTTPServer`: that one looks up the host's name on binding, which can take seconds.
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, emulator: Answers, address: tuple[str, int]) -> None:
        self.emulator = emulator
        self.name = address[0]
        self.stopping = _Stopping()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._attend, args=(request, client_address), daemon=True)
        with self._guard:
            self._connections[thread] = request
        thread.start()

    def _attend(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                del self._connections[threading.current_thread()]

    def hang_up(self) -> None:
        """Close what is still open and wait for its threads."""
        self.stopping.set()
        with self._guard:
            connections = list(self._connections.items())
        for thread, connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is none of our business; anything else is a bug here and must be seen.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._source = Source(self.connection)
        self.rfile = self._reader = io.BufferedReader(self._source)

    def handle_one_request(self) -> None:
        """Read a request, answer it once, and keep the connection unless something was wrong."""
        self.close_connection = True
        self._source.allow(IDLE)
        try:
            self.raw_requestline = self.rfile.readline(65537)
            self._source.allow(HEAD)
            readable = 0 < len(self.raw_requestline) <= 65536 and self.parse_request()
            if not readable:
                return
            keeps, self.close_connection = not self.close_connection, True
            host = host_of(self.headers, self.request_version, self.server.name)
            self._source.allow(BODY)
            body = read_body(self.headers, self._reader)
        except Unreadable as problem:
            self._send(problem.answer())
            return
        except (TimeoutError, EOFError):  # nothing was carried out, and nobody waits
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        request = EmulatedRequest(
            method=self.command,
            origin=f"http://{host or '{}:{}'.format(*self.server.server_address[:2])}",
            path=unquote(path),
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            served=True,
        )
        try:
            answer = self.server.emulator.handle(request)
        except Exception:  # a bug here: it is seen, and the caller does not wait in vain
            self.server.handle_error(self.connection, self.client_address)
            self._send(Unreadable(500, "The emulator failed; its traceback is where it runs.").answer())
            return
        self.close_connection = not keeps
        self._source.allow(BODY)
        self._send(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: a server in a test has no reader."""

    def _send(self, response: EmulatedResponse) -> None:
        loss = response.loss
        if self.server.stopping.wait(response.delay):
            self.close_connection = True
            return
        if loss is not None and loss.after_bytes is None:
            self._lose(loss)
            return
        self.send_response_only(response.status)
        headers = dict(response.headers)
        if response.chunks is not None:
            headers["Transfer-Encoding"] = "chunked"
        elif "Content-Length" not in headers:
            headers["Content-Length"] = str(len(response.body))
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        if self.command == "HEAD":
            return
        for piece in cut(response):
            self.server.stopping.wait(response.pause)
            self.wfile.write(piece if response.chunks is None else b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        if loss is not None:
            self._lose(loss)
        elif response.chunks is not None:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _lose(self, loss: Loss) -> None:
        self.close_connection = True
        # A lost answer that times out: nothing is sent, until the client gives up or the server stops.
        while loss.cause == "timeout" and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(65536):
                break


def cut(response: EmulatedResponse) -> Iterator[bytes]:
    """The body in pieces, up to where a loss cuts it off."""
    left = None if response.loss is None else response.loss.after_bytes or 0
    for piece in [response.body] if response.chunks is None else response.chunks:
        part = piece if left is None else piece[:left]
        if part:
            yield part
        if left is not None:
            left -= len(part)
            if left == 0:
                return
