"""What is known of one exchange: whether its request may have left, whom it reached, how long it may last.

httpx alone cannot tell whether a request left (a failed write and a lost answer look the same), its `trace`
events can. The rule: a request that left whole may have been carried out, whatever is raised afterwards; and
where nothing is known, it may have been, too.

The guard decides whether the address that a name turned out to have may be talked to: it is asked at the
moment of connecting, with the address of the connection itself, so that no second look-up can say
something else.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

from .._http import Departure, Failure, Patience, Term
from ._patience import Attended, Overheard, attend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from .._http import Timeouts
    from ._pools import Slot

    Guard: TypeAlias = "Callable[[str], str | None]"
    """Takes the address that a name resolved to, gives the reason to refuse it or `None`."""

    Head: TypeAlias = tuple[int, list[tuple[bytes, bytes]]]


_TELLING = {
    "connect_tcp.started": "_dial",
    "connect_tcp.complete": "_connected",
    "start_tls.complete": "_secured",
    "send_request_headers.started": "_begin",
    "send_request_body.started": "_write",
    "send_request_body.complete": "_left_whole",
    "send_request_body.failed": "_broke_off",
    "receive_response_headers.complete": "_answered",
    "receive_response_headers.failed": "_no_answer",
}
"""The trace events that decide something, nine of some twenty, and who takes them."""
_REFUSED_STREAM = 7


def untouched(error: BaseException, stream_id: int | None) -> bool:
    """Whether HTTP/2 says that the server has not begun with the request: `REFUSED_STREAM`, or a `GOAWAY`
    below the stream's id.
    """
    if type(error).__name__ == "ConnectionNotAvailable":  # httpcore's name for the latter
        return True
    event = error.args[0] if error.args else None
    if getattr(event, "error_code", None) == _REFUSED_STREAM and getattr(event, "remote_reset", False):
        return True
    last = getattr(event, "last_stream_id", None)
    return isinstance(last, int) and stream_id is not None and last < stream_id


class Watch:
    """What the trace events of one request told, and what is known without them."""

    __slots__ = (
        "_dialled", "_doubt", "_stream", "_tunnel", "_writing", "buffered", "came", "departure",
        "guard", "head", "host", "offered", "ours", "outer", "over", "peer", "seen", "slot", "stream_id",
        "term",
    )  # fmt: skip

    def __init__(
        self,
        guard: Guard | None = None,
        total: float | None = None,
        departure: Departure | None = None,
    ) -> None:
        self.departure = Departure() if departure is None else departure
        self.host = ""
        self.guard = guard
        self.ours = False
        """Whether the connections are our own, so that nothing happens on them unseen."""
        self.offered = False
        """Whether a caller's client has handed the request to its transport."""
        self.buffered = False
        """Whether what was written may leave after the writer gave up, as it may on asyncio."""
        self.came = b""
        """What was said in place of a head that could be read."""
        self.seen = False
        self.over: type[Overheard] = Attended
        """What its streams become."""
        self._stream: object = None
        self.head: Head | None = None
        self.peer: str | None = None
        self.slot: Slot[object] | None = None
        self.stream_id: int | None = None
        self.outer = sys.exc_info()[1]
        """The exception that the caller is handling: it hangs on all that are raised here."""
        self.term = None if total is None else Term(time.monotonic() + total)
        self._doubt = False
        self._writing = False
        self._dialled = ""
        self._tunnel = False

    @property
    def sent(self) -> bool:
        """Whether the request may have left whole."""
        if self._doubt or self._writing:
            return True
        return False if self.seen or self.ours else self.offered

    def offer(self) -> None:
        """A caller's client hands the request to its transport."""
        self.offered = self.departure.left = True

    def left(self) -> float | None:
        """Seconds that the exchange may still take, or `None` for no limit."""
        return None if self.term is None else self.term.left()

    def at_most(self, limit: float | None) -> float | None:
        """A limit for what comes before the sending (s), which the whole exchange bounds, too."""
        left = self.left()
        return limit if left is None else left if limit is None else min(limit, left)

    def phases(self, timeouts: Timeouts) -> dict[str, float | None]:
        """The timeouts for the library; each also knows when the whole exchange must be over."""
        names = ("connect", "read", "write", "pool")
        limits = {name: limit for name, limit in zip(names, timeouts, strict=False)}
        if self.term is None:
            return limits
        term = self.term
        return {name: None if limit is None else Patience(limit, term) for name, limit in limits.items()}

    def event(self, name: str, info: Mapping[str, object]) -> Failure | None:
        """Take one event; gives the reason to give up the connection just made, if there is one."""
        self.seen = True
        step = _TELLING.get(name.partition(".")[2])  # behind "http11.", "http2.", "connection.", ...
        failure: Failure | None = None if step is None else getattr(self, step)(info)
        return failure

    def _dial(self, info: Mapping[str, object]) -> None:
        self._dialled = str(info.get("host", ""))

    def _connected(self, info: Mapping[str, object]) -> Failure | None:
        stream = info["return_value"]
        self._attend(stream)
        get = getattr(stream, "get_extra_info", lambda name: None)
        try:
            raw = get("socket")
            if raw is not None:  # so that a quiet NAT does not drop a long generation
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            address = get("server_addr")
        except TimeoutError:  # no socket says so of itself: a signal handler does
            raise
        except OSError as error:
            return Failure("connect", False, f"the connection broke at once: {error}")
        if self._dialled.strip("[]").lower() != self.host:
            return None  # a proxy: it does its own policing
        self.peer = str(address[0]) if isinstance(address, tuple) else None
        if self.guard is None or self.peer is None:
            return None
        refused = self.guard(self.peer)
        return None if refused is None else Failure("refused_address", False, refused)

    def _secured(self, info: Mapping[str, object]) -> None:
        self._attend(info["return_value"])

    def _attend(self, stream: object) -> None:
        attend(stream, self.over, ours=self.slot is not None)
        self._stream = stream
        if self.slot is not None:
            self.slot.streams.add(stream)

    def _begin(self, info: Mapping[str, object]) -> None:
        # A proxy's CONNECT comes first and is traced alike.
        self._tunnel = getattr(info.get("request"), "method", b"") == b"CONNECT"
        self._doubt, self._writing = self.sent, False
        stream_id = info.get("stream_id")
        self.stream_id = stream_id if isinstance(stream_id, int) else None
        self.head = None

    def _write(self, info: Mapping[str, object]) -> None:
        """From here on an interrupt may come too late, until something proves that it did not."""
        if not self._tunnel:
            self._writing = self.departure.left = True

    def _left_whole(self, info: Mapping[str, object]) -> None:
        self._doubt, self._writing = self.sent, False

    def _broke_off(self, info: Mapping[str, object]) -> None:
        error = info.get("exception")
        if isinstance(error, Exception):
            proves = self._failed(error)
        else:  # trio cancels where bytes are left to write; a signal strikes anywhere
            proves = type(error).__name__ == "Cancelled"
        if proves:
            self._writing = False

    def _failed(self, error: Exception) -> bool:
        """Whether the library itself says that the body was not written to its end."""
        if self.buffered and "WriteTimeout" in {type(one).__name__ for one in (error, error.__cause__)}:
            return False
        from ._handlers import raised_by_handler

        told = type(error).__module__.partition(".")[0] in ("h11", "h2", "httpcore", "httpcore2", "httpx")
        return told and raised_by_handler(error, self.outer) is None

    def _answered(self, info: Mapping[str, object]) -> None:
        told = info.get("return_value")
        if not self._tunnel and isinstance(told, tuple):
            status, headers = (told[0], told[1]) if len(told) == 2 else (told[1], told[3])
            self.head = status, list(headers)

    def _no_answer(self, info: Mapping[str, object]) -> None:
        """A request that HTTP/2 calls untouched may be sent again, as httpcore itself does; others not."""
        error = info.get("exception")
        if self._doubt and isinstance(error, Exception) and untouched(error, self.stream_id):
            self._doubt = False
        streams = [self._stream]
        if self.slot is not None:
            streams = self.slot.streams.all()
        heard = [stream.conversation for stream in streams if isinstance(stream, Overheard)]
        if heard:
            self.came = bytes(max(heard, key=lambda one: one.turn).said)
