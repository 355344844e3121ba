"""Connections of our own: which of them a request goes to, and when they are not used again.

httpx's own pool looks at every connection for every request, and so costs more than all the rest of a call
above some twenty connections. The rule: many slots, each with a small pool for one request at a time (two
connections: to the API, and to where its images are). A new request goes to the slot used last, so that a
quiet client has one; at the limit it queues at the least busy one. A slot goes back only from an exchange
that ended well: what a cancelled one leaves in its pool (a connection half open, a lock held) would jam it.

httpx's transports are used without its client around them, which adds redirects, cookies, authentication,
hooks and a log line to each call: requests here are built whole and want none of it, and it is half of a
call's cost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar, cast
from weakref import WeakValueDictionary

from .._http import origin_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine
    from types import ModuleType

    import httpx

    from ._proxies import Named


C = TypeVar("C")

CONNECTIONS = 2
MOST_SLOTS = 128
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
    """A transport with its small pool, how many requests are on it, and the streams of its connections."""

    __slots__ = ("__weakref__", "busy", "spent", "streams", "transport", "used")

    def __init__(self, transport: C) -> None:
        self.transport = transport
        self.busy = 0
        self.spent = False
        self.used = 0.0
        self.streams = Living[object]()

    def close(self) -> None:
        """End its connections, at once and past the pool, a lock of which may be held for ever."""
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


class Slots(Generic[C]):
    """The slots of one scheme, in one process and event loop.

    It has no lock, and needs none: what is taken from `free` is nobody else's, and what is lost on the way
    (to a signal handler that raises) is forgotten by `all`.
    """

    __slots__ = ("all", "free")

    def __init__(self) -> None:
        self.all = Living[Slot[C]]()
        self.free: list[Slot[C]] = []

    def take(self, make: Callable[[], C]) -> Slot[C]:
        """A free slot, made if there is none; at the limit, the least busy one."""
        slot: Slot[C] | None = None
        with suppress(IndexError):
            slot = self.free.pop()
        if slot is None:
            known = self.all.all() if len(self.all) >= MOST_SLOTS else []
            slot = min(known, key=lambda slot: slot.busy) if known else Slot(make())
            self.all.add(slot)
        slot.busy += 1
        return slot

    def give_back(self, slot: Slot[C], *, clean: bool) -> None:
        """The request on it has ended; `clean`: and left nothing behind that could harm the next one."""
        slot.busy -= 1
        if not clean:
            slot.spent = True
            self.all.discard(slot)
        if slot.busy > 0:
            return
        if slot.spent:
            slot.close()
        else:
            slot.used = time.monotonic()
            self.free.append(slot)
            self._tidy(slot.used - IDLE)

    def _tidy(self, since: float) -> None:
        """Close the slot that was unused the longest, if that is too long, so that a rush leaves no crowd."""
        with suppress(IndexError):
            if len(self.free) > 1 and self.free[0].used < since:
                old = self.free.pop(0)
                self.all.discard(old)
                old.close()

    def close(self) -> None:
        """End the connections that are idle now, and the others when the call on them has ended: it may have
        been paid for, and who closes a client need not know of it.
        """
        for slot in self.all.all():
            slot.spent = True
            if slot.busy <= 0:
                slot.close()
        self.free.clear()


class Routes:
    """Which proxy the environment names for a URL. It is read once for each origin."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Named | None] = {}

    def find(self, url: str) -> tuple[str, Named | None]:
        """The scheme, and the proxy or `None`. Raises `ConfigurationError` for one that cannot be used."""
        origin = origin_of(url)
        if origin not in self._known:
            if len(self._known) >= MOST_SLOTS:
                self._known.clear()
            self._known[origin] = _proxy_for(origin)
        return origin[0], self._known[origin]


def _proxy_for(origin: tuple[str, str, int]) -> Named | None:
    from urllib.request import getproxies

    if not any(scheme != "no" for scheme in getproxies()):
        return None
    from ._proxies import proxy_for

    return proxy_for(*origin)


def new_transport(
    lib: ModuleType, name: str, scheme: str, proxy: Named | None
) -> httpx.HTTPTransport | httpx.AsyncHTTPTransport:
    """A transport of this name with a small pool of its own. Raises `ConfigurationError`."""
    limits = lib.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=IDLE
    )
    if scheme == "https":
        from ._certificates import tls_context

        verify = tls_context(lib)
    else:
        verify = _no_tls()
    through: object = None
    if proxy is not None:
        from ._proxies import readable

        through = readable(lib, proxy)
    made = cast(
        "httpx.HTTPTransport | httpx.AsyncHTTPTransport",
        getattr(lib, name)(verify=verify, limits=limits, proxy=through),
    )
    if name == "HTTPTransport" and hasattr(getattr(made, "_pool", None), "_optional_thread_lock"):
        # httpcore's own lock is written in Python: a signal handler that raises in its `acquire` leaves it
        # held, and httpcore then waits for it for ever while it tidies up.
        made._pool._optional_thread_lock = threading.Lock()  # type: ignore[assignment]
    return made


_plain: list[ssl.SSLContext] = []


def _no_tls() -> ssl.SSLContext:
    """A context that trusts nobody, for what speaks plain http: httpx would build a full one each."""
    if not _plain:
        import ssl

        _plain.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return _plain[0]
