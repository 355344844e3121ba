"""Which connection pool a request goes to.

httpx's own pool looks at every connection for every request, and so costs more than all the rest of a call
above some twenty connections. The rule: many small pools instead of a large one, each for a few requests at
a time. A new request goes to the first pool with room, so that a quiet client has one; at the limit, it
queues at the least busy one.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast

from .._http import Timeouts, TransportError
from ..errors import ConfigurationError
from ._bare import AsyncBareClient, BareClient, proxies_set
from ._shared import Watch, library_of, no_tls, tls_context

if TYPE_CHECKING:
    from types import ModuleType

    import httpx

C = TypeVar("C")

PER_POOL = 2
MOST_POOLS = 128
IDLE = 5.0
"""Seconds after which a connection is not used again: a paid request on a stale one could be lost."""


class Slot(Generic[C]):
    """A client with its small pool, and how many requests are on it."""

    __slots__ = ("busy", "client")

    def __init__(self, client: C) -> None:
        self.client = client
        self.busy = 0


class Slots(Generic[C]):
    """The pools of one scheme, in one process and event loop."""

    __slots__ = ("_lock", "all")

    def __init__(self) -> None:
        self.all: list[Slot[C]] = []
        self._lock = threading.Lock()

    def take(self, make: Callable[[], C]) -> Slot[C]:
        """A pool with room, made if there is none."""
        with self._lock:
            slot = next((slot for slot in self.all if slot.busy < PER_POOL), None)
            if slot is None and len(self.all) >= MOST_POOLS:
                slot = min(self.all, key=lambda slot: slot.busy)
            if slot is None:
                slot = Slot(make())
                self.all.append(slot)
            slot.busy += 1
            return slot

    def give_back(self, slot: Slot[C]) -> None:
        """The request on it has ended."""
        with self._lock:
            slot.busy -= 1


class Base:
    """What both transports decide alike."""

    kind: Literal["Client", "AsyncClient"]

    def __init__(self, client: object = None) -> None:
        self.lib: ModuleType | None = None if client is None else library_of(client, self.kind)
        self.client = client
        self.closed = False
        self.peer: str | None = None

    def default_timeouts(self) -> Timeouts | None:
        """The timeouts of the caller's client if they were set, else `None`."""
        theirs = getattr(self.client, "timeout", None)
        if theirs is None or self.lib is None or theirs == self.lib.Timeout(5.0):
            return None
        return Timeouts(theirs.connect, theirs.read, theirs.write, theirs.pool)

    def usable(self) -> bool:
        """Whether requests can still be sent."""
        return not self.closed and not getattr(self.client, "is_closed", False)

    def _library(self) -> ModuleType:
        if not self.usable():
            raise self._closed()
        if self.lib is None:
            self.lib = importlib.import_module("httpx")
        return self.lib

    def _closed(self) -> ConfigurationError:
        what = "this client" if self.closed else "the http_client of this client"
        return ConfigurationError(f"{what} is closed: make a new one")

    def _problem(self, lib: ModuleType, watch: Watch, error: BaseException) -> Exception:
        """What to raise, outside the handler, for a failed sending. Raises `error` itself if it is none."""
        if isinstance(error, (lib.HTTPError, lib.InvalidURL, lib.StreamError)):
            return TransportError(watch.failure(lib, error))
        if isinstance(error, RuntimeError) and not self.usable():  # another thread closed it just now
            return self._closed()
        raise error

    def _new(
        self, lib: ModuleType, scheme: str
    ) -> httpx.Client | httpx.AsyncClient | BareClient | AsyncBareClient:
        limits = lib.Limits(
            max_connections=PER_POOL, max_keepalive_connections=PER_POOL, keepalive_expiry=IDLE
        )
        verify = tls_context(lib) if scheme == "https" else no_tls()
        if proxies_set():
            return cast(
                "httpx.Client | httpx.AsyncClient",
                getattr(lib, self.kind)(verify=verify, limits=limits, timeout=None, follow_redirects=False),
            )
        if self.kind == "Client":
            return BareClient(lib.HTTPTransport(verify=verify, limits=limits))
        return AsyncBareClient(lib.AsyncHTTPTransport(verify=verify, limits=limits))
