"""Connections of our own: which of them a request goes to, and when they are not used again.

httpx's own pool looks at every connection for every request, and so costs more than all the rest of a call
above some twenty connections. The rule: many slots, each for one request at a time, with a connection or two
(to the API, and to where its images are). A new request goes to the slot used last, so that a quiet client
has one; where all are busy it waits in a line. A slot goes back only from an exchange that ended well: what a
cancelled one leaves behind (a connection half open, a lock held) would jam it.

What a slot's transport is, `_carrier` decides.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Coroutine

C = TypeVar("C")

MOST_SLOTS = 256
"""Requests that are under way at once. A crowd of more than half of it has one connection each."""
IDLE = 5.0
"""Seconds after which a connection is not used again: a paid request on a stale one could be lost."""
_STEPS = 9
"""Of closing a stream; those of anyio and trio are one or two."""


class Living(Generic[C]):
    """What is still in somebody's hands. Safe to look at while others add to it."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: WeakValueDictionary[int, C] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, one: C) -> None:
        """Know it from now on."""
        self._by_id[id(one)] = one

    def discard(self, one: C) -> None:
        """Forget it."""
        self._by_id.pop(id(one), None)

    def all(self) -> list[C]:
        """What is there now."""
        return [one for ref in self._by_id.valuerefs() if (one := ref()) is not None]


class Slot(Generic[C]):
    """A transport for one request at a time, and the streams of its connections."""

    __slots__ = ("__weakref__", "busy", "spent", "streams", "transport", "used")

    def __init__(self, transport: C) -> None:
        self.transport = transport
        self.busy = True
        self.spent = False
        self.used = 0.0
        self.streams = Living[object]()

    def close(self) -> None:
        """End its connections, at once and past the library, a lock of which may be held for ever."""
        for stream in self.streams.all():
            hang_up(stream)


def hang_up(stream: object) -> None:
    """End a connection: for an awaited stream, the first step of closing it, which nobody can cancel."""
    with suppress(Exception):
        closing = getattr(stream, "aclose", None)
        if closing is None:
            stream.close()  # type: ignore[attr-defined]
        else:
            _run_on(closing())


def _run_on(work: Coroutine[object, None, object]) -> None:
    """Run a coroutine as far as it gets without its event loop."""
    try:
        for _ in range(_STEPS):
            if work.send(None) is not None:
                break
    finally:
        work.close()


class Turn(Generic[C]):
    """A place in the line. `ring` is called when a slot is there, or when none will come any more."""

    __slots__ = ("ring", "slot")

    def __init__(self, ring: Callable[[], object]) -> None:
        self.ring = ring
        self.slot: Slot[C] | None = None


class Slots(Generic[C]):
    """The slots of one scheme, in one process and event loop.

    It has no lock, and needs none: what is taken from `free` or `line` is nobody else's, and what is lost on
    the way (to a signal handler that raises) is forgotten by `all`, once no kept traceback holds it.
    """

    __slots__ = ("_make", "all", "free", "line")

    def __init__(self, make: Callable[[Living[Slot[C]]], C]) -> None:
        self._make = make
        self.all = Living[Slot[C]]()
        self.free: list[Slot[C]] = []
        self.line: deque[Turn[C]] = deque()

    def take(self) -> Slot[C] | None:
        """A free slot, made if there are not too many; `None` if others wait already, or all are busy."""
        return None if self.line else self._next()

    def _next(self) -> Slot[C] | None:
        with suppress(IndexError):
            slot = self.free.pop()
            slot.busy = True
            return slot
        if len(self.all) >= MOST_SLOTS:
            return None
        self.all.add(slot := Slot(self._make(self.all)))
        return slot

    def queue(self, ring: Callable[[], object]) -> Turn[C]:
        """Wait in the line."""
        self.line.append(turn := Turn[C](ring))
        self._serve()  # what was given back just now
        return turn

    def leave(self, turn: Turn[C]) -> None:
        """Wait no more."""
        with suppress(ValueError):
            self.line.remove(turn)
        if turn.slot is not None:
            self.give_back(turn.slot, clean=True)

    def _serve(self) -> None:
        """Those who waited the longest get what is free."""
        while self.line and (slot := self._next()) is not None:
            try:
                turn = self.line.popleft()
            except IndexError:  # another thread served it
                self._rest(slot)
                continue
            turn.slot = slot
            turn.ring()

    def give_back(self, slot: Slot[C], *, clean: bool) -> None:
        """The request on it has ended; `clean`: and left nothing behind that could harm the next one."""
        if not clean:
            slot.spent = True
            self.all.discard(slot)
        if slot.spent:
            slot.close()
        else:
            self._rest(slot)
            self._tidy(slot.used - IDLE)
        self._serve()

    def _rest(self, slot: Slot[C]) -> None:
        slot.busy = False
        slot.used = time.monotonic()
        self.free.append(slot)

    def _tidy(self, since: float) -> None:
        """Close the slot that was unused the longest, if that is too long, so that a rush leaves no crowd."""
        with suppress(IndexError):
            if len(self.free) > 1 and self.free[0].used < since:
                old = self.free.pop(0)
                self.all.discard(old)
                old.close()

    def close(self) -> None:
        """End the connections that are idle now, and the others when the call on them has ended: it may have
        been paid for, and who closes a client need not know of it. Nobody gets another one.
        """
        for slot in self.all.all():
            slot.spent = True
            if not slot.busy:
                slot.close()
        self.free.clear()
        with suppress(IndexError):
            while True:
                self.line.popleft().ring()
