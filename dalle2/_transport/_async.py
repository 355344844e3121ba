"""Awaited exchanges, on asyncio and trio: the twin of `_sync`."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, cast

import attrs

from .._http import Failure, HttpRequest, Timeouts, TransportError
from ._pools import Base, Slot, Slots
from ._shared import AsyncHttpClient, Guard, Watch, build, flat, host_of

if TYPE_CHECKING:
    from types import ModuleType

    import httpx


class AsyncAnswer:
    """`Answer`, awaited."""

    __slots__ = ("_lease", "_lib", "_response", "_watch", "headers", "status")

    def __init__(
        self,
        response: httpx.Response,
        lib: ModuleType,
        watch: Watch,
        lease: tuple[Slots[httpx.AsyncClient], Slot[httpx.AsyncClient]] | None,
    ) -> None:
        self._response = response
        self._lib = lib
        self._watch = watch
        self._lease = lease
        self.status = response.status_code
        self.headers = flat(response.headers)

    async def __aenter__(self) -> AsyncAnswer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self._response.aclose()
        finally:
            lease, self._lease = self._lease, None
            if lease is not None:
                lease[0].give_back(lease[1])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        lib = self._lib
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
            return
        except (lib.HTTPError, lib.StreamError) as error:
            failure = attrs.evolve(self._watch.failure(lib, error), sent=True)
        raise TransportError(failure)


class AsyncTransport(Base):
    """`Transport`, awaited. Our own clients belong to the event loop that made them; a new loop gets new ones."""

    kind = "AsyncClient"

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, object, str], Slots[httpx.AsyncClient]] = {}

    async def open(
        self, request: HttpRequest, timeouts: Timeouts, *, api: bool, guard: Guard | None = None
    ) -> AsyncAnswer:
        """`Transport.open`, awaited."""
        lib = self._library()
        scheme, host = host_of(request.url)
        watch = Watch(host, guard)

        async def trace(name: str, info: Mapping[str, object]) -> None:
            refused = watch.event(name, info)
            if refused is not None:
                await info["return_value"].aclose()  # type: ignore[attr-defined]
                raise TransportError(Failure("refused_address", False, refused))

        lease = self._lease(lib, scheme) if self.client is None else None
        client = cast("httpx.AsyncClient", self.client) if lease is None else lease[1].client
        try:
            made = build(lib, request, timeouts, trace, self.client if api else None)
            auth = {} if api and lease is None else {"auth": None}
            response = await client.send(made, stream=True, follow_redirects=False, **auth)
        except BaseException as error:
            if lease is not None:
                lease[0].give_back(lease[1])
            if not isinstance(error, (lib.HTTPError, lib.InvalidURL, lib.StreamError)):
                raise
            failure = watch.failure(lib, error)
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return AsyncAnswer(response, lib, watch, lease)
        raise TransportError(failure)

    def _lease(
        self, lib: ModuleType, scheme: str
    ) -> tuple[Slots[httpx.AsyncClient], Slot[httpx.AsyncClient]]:
        loop = _current_loop()
        if any(known[1] is not loop for known in self._own):
            self._own = {key: slots for key, slots in self._own.items() if key[1] is loop}
        key = os.getpid(), loop, scheme
        slots = self._own.get(key) or self._own.setdefault(key, Slots())
        return slots, slots.take(lambda: cast("httpx.AsyncClient", self._new(lib, scheme)))

    async def aclose(self) -> None:
        """Close the connections of our own that belong to the running loop."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, loop, _), slots in own.items():
            if pid == os.getpid() and loop is _current_loop():
                for slot in slots.all:
                    await slot.client.aclose()


def _current_loop() -> object:
    """An object that stands for the running event loop, asyncio's or trio's."""
    try:
        import asyncio

        return asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        if trio is None:
            raise
        token: object = trio.lowlevel.current_trio_token()
        return token
