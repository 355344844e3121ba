"""The streams of awaited connections: `_patience` for them. Loaded by clients that await."""

from __future__ import annotations

import math
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from .._http import AT_ONCE, Patience, Term, allowed
from ._patience import SAID, Overheard

_GRACE = 0.1
"""Seconds after the deadline in which a traced exchange ends by itself. Others are cancelled then."""


class AsyncAttended(Overheard):
    """Put over the class of an awaited stream."""

    def get_extra_info(self, info: str) -> Any:
        """`Overheard`'s, and bytes that lie unread in the layers, where no look at the socket shows them."""
        if info != "is_readable":
            return super().get_extra_info(info)
        if self.conversation.surplus or _more_came(self):
            return True
        if not (self.conversation.gathers and hasattr(select, "poll")):
            return super().get_extra_info(info)
        # What the libraries' streams do, too, which look for the socket in all of their layers each time.
        if self.conversation.socket is None:
            self.conversation.socket = super().get_extra_info("socket")
        number = self.conversation.socket.fileno()
        if number < 0:
            return True
        question = select.poll()
        question.register(number, select.POLLIN)
        return bool(question.poll(0))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, within the exchange's time."""
        if self.conversation.unsent:  # as there
            await self.write(b"")
        most = self.conversation.at_once(max_bytes)
        with _uncancelled(timeout):
            try:
                data: bytes = await super().read(most, self._wait(timeout))
            except Exception as error:
                if type(error).__name__ != "ReadTimeout":
                    raise
                data = await super().read(most, AT_ONCE)  # a loop that awakes late looks at its timers first
        self.conversation.heard(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes, within the exchange's time."""
        with _uncancelled(timeout):
            try:
                for piece in self._ask(buffer):
                    if piece:
                        with _listening(self, piece):
                            await super().write(piece, allowed(timeout))
            except Exception as error:
                if (broken := self._broken_off(error)) is None:
                    raise
                raise broken from error


@contextmanager
def _listening(stream: object, piece: bytes) -> Iterator[None]:
    """Let asyncio take what comes while a large piece is written: a connection that breaks is closed with all
    that was not taken.
    """
    layer = getattr(stream, "_stream", None)
    transport = getattr(getattr(layer, "transport_stream", layer), "_transport", None)
    if transport is None or len(piece) <= SAID:
        yield
        return
    transport.resume_reading()
    try:
        yield
    finally:
        if not transport.is_closing():
            transport.pause_reading()


def bounded(term: Term | None) -> AbstractContextManager[Any]:
    """A cancel scope that ends shortly after the exchange must be over, for transports that nobody can
    attend to.
    """
    if term is None:
        return nullcontext()
    import anyio

    term.scope = anyio.CancelScope(deadline=_end(term))
    return term.scope  # type: ignore[no-any-return]


def _end(term: Term) -> float:
    """When a scope ends, by the event loop's clock."""
    import anyio

    return anyio.current_time() + max(term.left(), 0.0) + _GRACE


@contextmanager
def _uncancelled(timeout: float | None) -> Iterator[None]:
    """Around a step that bounds itself: an event loop that awakes late would cancel it before it looks at
    its sockets.
    """
    if not isinstance(timeout, Patience) or timeout.term.scope is None:
        yield
        return
    term = timeout.term
    term.scope.deadline = math.inf
    try:
        yield
    finally:
        term.scope.deadline = _end(term)


def _more_came(stream: object) -> bool:
    layer = getattr(stream, "_stream", None)
    while layer is not None:
        bio = getattr(layer, "_read_bio", None) or getattr(layer, "_incoming", None)
        if getattr(bio, "pending", 0) or getattr(getattr(layer, "_protocol", None), "read_queue", None):
            return True
        layer = getattr(layer, "transport_stream", None)
    return False
