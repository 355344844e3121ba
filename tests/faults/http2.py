"""A server that speaks HTTP/2 on loopback, without TLS, and breaks its rules on purpose.

A request counts as received once its last frame is here, and as billed unless it is refused in a way that
HTTP/2 defines as untouched.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType

import h2.config
import h2.connection
import h2.errors
import h2.events

IMAGES = json.dumps({"created": 1_800_000_000, "data": [{"b64_json": "iVBORw0KGgo="}]}).encode()


class Link:
    """One connection, as a fault sees it once a request is here."""

    def __init__(self, server: Http2Server, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.stream = 0
        self.asked = 0

    def run(self) -> None:
        """Attend to it until it ends."""
        self.h2.initiate_connection()
        self.flush()
        while data := self.sock.recv(65536):
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded):
                    self.stream, self.asked = event.stream_id, self.asked + 1
                    self.server.received += 1
                    self.server.next_act()(self)
            self.flush()

    def flush(self) -> None:
        """Send what the library has ready."""
        self.sock.sendall(self.h2.data_to_send())

    def frame(self, kind: int, flags: int, payload: bytes, *, stream: int | None = None) -> None:
        """Send a frame as it is, whatever the rules say."""
        self.flush()
        number = self.stream if stream is None else stream
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big")
        self.sock.sendall(head + payload)

    def answer(self, body: bytes = IMAGES) -> None:
        """Answer as one should."""
        self.h2.send_headers(self.stream, [(":status", "200"), ("content-type", "application/json")])
        self.h2.send_data(self.stream, body, end_stream=True)
        self.flush()


Act = Callable[[Link], None]


def fine(link: Link) -> None:
    """Answer as one should."""
    link.answer()


def data_first(link: Link) -> None:
    """Send the body before the head."""
    link.frame(0, 1, b"{}")


def broken_hpack(link: Link) -> None:
    """Send a head that cannot be unpacked."""
    link.frame(1, 4, b"\xff\xff\xff\xff\xff\xff\xff\xff")


def bad_window(link: Link) -> None:
    """Open a window by nothing, which is forbidden."""
    link.frame(8, 0, (0).to_bytes(4, "big"), stream=0)


def huge_window(link: Link) -> None:
    """Open a window beyond its limit."""
    for _ in range(2):
        link.frame(8, 0, (0x7FFFFFFF).to_bytes(4, "big"), stream=0)


def unknown_stream(link: Link) -> None:
    """Speak on a stream that nobody opened."""
    link.frame(0, 1, b"x", stream=2)


def no_frames(link: Link) -> None:
    """Send what is no frame at all."""
    link.flush()
    link.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 10)


def reset_stream(code: h2.errors.ErrorCodes) -> Act:
    """Reset the stream for this reason."""

    def act(link: Link) -> None:
        link.h2.reset_stream(link.stream, code)

    act.__name__ = f"reset_{code.name.lower()}"
    return act


def leave(last: int | None, code: int = 0, *, close: bool = True) -> Act:
    """Send a GOAWAY that names the last stream begun with: `None` for the one of this request."""

    def act(link: Link) -> None:
        named = link.stream if last is None else last
        link.frame(7, 0, named.to_bytes(4, "big") + code.to_bytes(4, "big"), stream=0)
        if close:
            link.sock.shutdown(socket.SHUT_RDWR)

    return act


def half_a_body(link: Link) -> None:
    """Reset the stream in the middle of the answer."""
    link.h2.send_headers(link.stream, [(":status", "200"), ("content-type", "application/json")])
    link.h2.send_data(link.stream, IMAGES[:20])
    link.h2.reset_stream(link.stream, h2.errors.ErrorCodes.INTERNAL_ERROR)


def hang_up(link: Link) -> None:
    """Close once the request is here."""
    link.sock.shutdown(socket.SHUT_RDWR)


class Http2Server:
    """Does what it is told with each request, in order, and well from then on."""

    def __init__(self, *acts: Act, forever: Act = fine) -> None:
        self.received = 0
        self._acts = list(acts)
        self._forever = forever
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._socks)

    def next_act(self) -> Act:
        """What to do with the request that has just come."""
        return self._acts.pop(0) if self._acts else self._forever

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socks.append(sock)
                thread = threading.Thread(target=self._attend, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _attend(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError), sock:
            Link(self, sock).run()

    def __enter__(self) -> Http2Server:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
