"""Blocking exchanges."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from .._http import Departure, HttpRequest, Timeouts, TransportError
from ._pools import Base, Slot, Slots
from ._shared import Watch, as_written, build, flat, tells

if TYPE_CHECKING:
    from types import ModuleType

    import httpx

    from ._shared import Guard, HttpClient


class Answer:
    """An answer whose body is still to come: iterate it for the decoded bytes, once; the `with` closes it."""

    __slots__ = ("_lease", "_lib", "_response", "_watch", "headers", "status")

    def __init__(
        self,
        response: httpx.Response,
        lib: ModuleType,
        watch: Watch,
        lease: tuple[Slots[httpx.Client], Slot[httpx.Client]] | None,
    ) -> None:
        self._response = response
        self._lib = lib
        self._watch = watch
        self._lease = lease
        self.status = response.status_code
        self.headers = flat(response.headers)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self._response.close()
        finally:
            lease, self._lease = self._lease, None
            if lease is not None:
                lease[0].give_back(lease[1])

    def __iter__(self) -> Iterator[bytes]:
        lib = self._lib
        try:
            if "content-encoding" in self.headers:
                yield from self._response.iter_bytes()
            else:  # the bytes as they come, without the steps that would change nothing
                yield from cast("Iterable[bytes]", self._response.stream)
            return
        except (lib.HTTPError, lib.StreamError) as error:
            failure = self._watch.failure(lib, error)._replace(sent=True)
        raise TransportError(failure)


class Transport(Base):
    """Blocking exchanges, over clients of our own or the caller's."""

    kind = "Client"

    def __init__(self, client: HttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, str], Slots[httpx.Client]] = {}

    def open(
        self,
        request: HttpRequest,
        timeouts: Timeouts,
        *,
        api: bool,
        guard: Guard | None = None,
        departure: Departure | None = None,
    ) -> Answer:
        """Send a request; gives the answer once its headers are here. Raises `TransportError`."""
        lib = self._library()
        watch = Watch(guard, departure)

        def trace(name: str, info: Mapping[str, object]) -> None:
            failure = watch.event(name, info)
            if failure is not None:
                info["return_value"].close()  # type: ignore[attr-defined]
                raise TransportError(failure)

        lease = None
        try:
            made = build(lib, request, timeouts, trace, watch, self.client if api else None)
            if not api:
                as_written(lib, made, request.url)
            if self.client is None:
                lease = self._lease(lib, made.url.scheme)
            client = cast("httpx.Client", self.client) if lease is None else lease[1].client
            watch.sending(told=lease is not None or tells(lib, client, made.url))
            response = client.send(made, stream=True, follow_redirects=False, auth=None)
        except BaseException as error:
            if lease is not None:
                lease[0].give_back(lease[1])
            problem = self._problem(lib, watch, error)
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return Answer(response, lib, watch, lease)
        raise problem

    def _lease(self, lib: ModuleType, scheme: str) -> tuple[Slots[httpx.Client], Slot[httpx.Client]]:
        key = os.getpid(), scheme
        slots = self._own.get(key) or self._own.setdefault(key, Slots())
        return slots, slots.take(lambda: cast("httpx.Client", self._new(lib, scheme)))

    def close(self) -> None:
        """Close the connections of our own; a caller's client is left as it is."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, _), slots in own.items():
            if pid == os.getpid():
                for slot in slots.all:
                    slot.client.close()
