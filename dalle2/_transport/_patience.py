"""A connection's stream: how long to wait for it, and whether it said more than it was asked.

The library's own stream stays where it is, only its class is replaced by a subclass of it, which knows when
the whole exchange must be over. A process that was stopped, or slept with its machine, finds the time over
and an answer in the socket, which is paid for: what is there is read before an exchange is given up, also
where the other end answers a request that does not leave. And where the answer of HTTP/1.1 ends is counted
in its bytes: what comes after it would be taken for the answer to the next request. Such a connection calls
itself readable while it is idle, which the pools take for a connection that the server has ended.
"""

from __future__ import annotations

import itertools
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._http import AT_ONCE, Failure, TransportError, allowed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Step: TypeAlias = "Callable[[Conversation, bytes], bytes]"
    """Takes bytes, gives those that belong to the next step."""

    class Stream:  # what the library's streams are, blocking or awaited
        def read(self, max_bytes: int, timeout: float | None = None) -> Any: ...
        def write(self, buffer: bytes, timeout: float | None = None) -> Any: ...
        def get_extra_info(self, info: str) -> Any: ...

else:
    Stream = object

LARGEST_HEAD = 1 << 20
"""Bytes before an answer's body: interim answers and heads."""
PIECE = 1 << 18
"""Bytes that are written at once by a blocking stream, and read at once of a long body: after each the time
is looked at. Of 64 KiB, as much as the library asks for, a download costs a quarter more.
"""
SAID = 1 << 16
"""Bytes of an answer that are kept in case that its head cannot be read."""
_turns = itertools.count(1)
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Conversation:
    """Where the answers in the bytes of an HTTP/1.1 connection end; `surplus` once it said more than that."""

    __slots__ = ("_after", "_held", "_left", "_seen", "_step", "broken_off", "gathers", "said", "socket",
                 "surplus", "turn", "unsent", "used")  # fmt: skip

    def __init__(self, *, gathers: bool = False) -> None:
        self.broken_off = False
        """Whether its last question is not asked to its end, and only what came before is its answer."""
        self.gathers = gathers
        """Whether the head of a request waits for the first bytes of its body, so that both leave at once."""
        self.unsent = b""
        self.said = bytearray()
        """How the last answer begins, as it came."""
        self.socket: Any = None
        self.surplus = False
        self.turn = 0
        """Its last question's place among those of all conversations."""
        self.used = False
        self._step: Step = Conversation._idle
        self._after = self._step
        self._held = bytearray()
        self._left = 0
        self._seen = 0

    @property
    def over(self) -> bool:
        """Whether all that was asked is answered."""
        return self._step is Conversation._idle

    @property
    def unheard(self) -> bool:
        """Whether a question of HTTP/1.1 has no answer yet."""
        return self._step is Conversation._head and not self._seen

    def asked(self, data: bytes) -> tuple[bytes, ...]:
        """A request goes on; gives what is to be sent now. The library ends each request with no bytes."""
        if data and self.over:  # HTTP/2 counts for itself
            self._step = Conversation._unknown if data[:5] == b"PRI *" else Conversation._head
            self._seen = 0
            self.said.clear()
            self.turn = next(_turns)
            if self.gathers:
                self.unsent = data
                return ()
        head, self.unsent = self.unsent, b""
        return (head, data) if len(data) > SAID else (head + data,)

    def at_once(self, most: int) -> int:
        """How many bytes to read, where `most` is what the library would: in a long body, more."""
        return max(most, min(self._left, PIECE))

    def heard(self, data: bytes) -> None:
        """Bytes came. Raises `TransportError` for an answer whose head does not end."""
        self.used = True
        if self._step is not Conversation._unknown and len(self.said) < SAID:
            self.said += data
        while data:
            data = self._step(self, data)

    def _idle(self, data: bytes) -> bytes:
        self.surplus = True
        return b""

    def _unknown(self, data: bytes) -> bytes:
        """The end of the connection is the end of the answer."""
        return b""

    def _endless(self) -> Step:
        """Where this answer ends cannot be told here, whatever the library makes of it: nothing more
        is asked.
        """
        self.surplus = True
        return Conversation._unknown

    def _head(self, data: bytes) -> bytes:
        self._seen += len(data)
        start = max(0, len(self._held) - 2)
        self._held += data
        end = _BLANK_LINE.search(self._held, start)
        if end is None:
            if self._seen > LARGEST_HEAD:
                raise TransportError(Failure("unreadable", True, "the head of the answer does not end"))
            return b""
        head, rest = bytes(self._held[: end.start()]), bytes(self._held[end.end() :])
        self._held.clear()
        try:
            self._step = self._framing(head)
        except (ValueError, IndexError):
            self._step = self._endless()
        if self._step is Conversation._head and self._seen > LARGEST_HEAD:
            raise TransportError(Failure("unreadable", True, "interim answers do not end"))
        return rest

    def _framing(self, head: bytes) -> Step:
        """What follows a head."""
        line, *fields = head.split(b"\n")
        status = int(line.split()[1])
        if status in (204, 304):
            return Conversation._idle
        if status < 200:
            return self._endless() if status == 101 else Conversation._head
        named = {
            name.strip().lower(): value for name, _, value in (field.partition(b":") for field in fields)
        }
        if named.get(b"transfer-encoding", b"").strip().lower().endswith(b"chunked"):
            return Conversation._size
        if b"content-length" not in named:
            return self._endless()
        self._left, self._after = int(named[b"content-length"]), Conversation._idle
        return Conversation._body if self._left else Conversation._idle

    def _body(self, data: bytes) -> bytes:
        rest = data[self._left :]
        self._left -= len(data) - len(rest)
        if not self._left:
            self._step = self._after
        return rest

    def _line(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The line that these bytes complete, and the rest."""
        line, end, rest = data.partition(b"\n")
        if not end:
            self._held += line[:LARGEST_HEAD]
            return None, b""
        line = bytes(self._held + line).strip()
        self._held.clear()
        return line, rest

    def _size(self, data: bytes) -> bytes:
        line, rest = self._line(data)
        if line is not None:
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                self._step = self._endless()
            else:
                self._left, self._after = size + 2, Conversation._size  # with the line's end behind it
                self._step = Conversation._body if size else Conversation._trailer
        return rest

    def _trailer(self, data: bytes) -> bytes:
        line, rest = self._line(data)
        if line == b"":
            self._step = Conversation._idle
        return rest


class Overheard(Stream):
    """A stream with a `Conversation`."""

    conversation: Conversation

    def get_extra_info(self, info: str) -> Any:
        """Of the stream itself; one that said too much is readable, and so no more to be used."""
        return (info == "is_readable" and self.conversation.surplus) or super().get_extra_info(info)

    def _ask(self, data: bytes) -> tuple[bytes, ...]:
        """Bytes of a request are about to be sent; gives those that are to be sent now.

        A connection that has spoken since it was looked at is given up before the first of them: httpcore
        then takes another one.
        """
        if self.conversation.over and self.conversation.used and self.get_extra_info("is_readable"):
            unavailable = self._known("ConnectionNotAvailable")
            if unavailable is not None:
                raise unavailable
        return self.conversation.asked(data)

    def _wait(self, timeout: float | None) -> float | None:
        """The seconds that a read may take now. Raises `TransportError` if the time is over."""
        return AT_ONCE if self.conversation.broken_off else allowed(timeout, reads=True)

    def _broken_off(self, error: Exception) -> Exception | None:
        """What to raise where a request did not leave in time and an answer is there: that by which httpcore
        comes to read it.
        """
        late = type(error).__name__ == "WriteTimeout" or isinstance(error, TransportError)
        broken = self._known("WriteError")
        if not (broken and late and self.conversation.unheard and self.get_extra_info("is_readable")):
            return None
        self.conversation.broken_off = True
        return broken(str(error))

    def _known(self, name: str) -> type[Exception] | None:
        """An exception by which a connection tells httpcore what to do."""
        roots = {base.__module__.partition(".")[0] for base in type(self).__mro__}
        root = next(iter(roots & {"httpcore", "httpcore2"}), "")
        return getattr(sys.modules.get(root), name, None)


class Attended(Overheard):
    """Put over the class of a blocking stream."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, within the exchange's time."""
        if self.conversation.unsent:  # a library that does not say where a request ends
            self.write(b"")
        data: bytes = super().read(self.conversation.at_once(max_bytes), self._wait(timeout))
        self.conversation.heard(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes, within the exchange's time."""
        try:
            for piece in self._ask(buffer):
                for at in range(0, len(piece), PIECE):
                    super().write(piece[at : at + PIECE], allowed(timeout))
        except Exception as error:
            if (broken := self._broken_off(error)) is None:
                raise
            raise broken from error


_classes: dict[type, type] = {}


def attend(stream: object, over: type[Overheard] = Attended, *, ours: bool = False) -> None:
    """From now on this stream is attended to, if it is of a kind that can be: `over` is put over its class.

    `ours`: nobody else uses it.
    """
    base = type(stream)
    if not hasattr(base, "read") or issubclass(base, Overheard):
        return
    made = _classes.get(base)
    if made is None:
        made = _classes[base] = type(base.__name__, (over, base), {})
    with suppress(TypeError, AttributeError):  # a stream that is not written in Python stays as it is
        stream.conversation = Conversation(gathers=ours)  # type: ignore[attr-defined]
        stream.__class__ = made
