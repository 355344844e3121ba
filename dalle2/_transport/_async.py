"""Awaited exchanges, on asyncio and trio: the twin of `_sync`."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from .._http import Departure, HttpRequest, Timeouts, TransportError
from ._pools import Base, Slot, Slots
from ._shared import Watch, as_written, build, flat, tells

if TYPE_CHECKING:
    from types import AsyncGeneratorType, ModuleType

    import httpx

    from ._shared import AsyncHttpClient, Guard

_BUFFERED = 64
"""Chunks that may have come before a connection was closed."""


class AsyncAnswer:
    """`Answer`, awaited."""

    __slots__ = ("_chunks", "_lease", "_left", "_lib", "_response", "_watch", "headers", "status")

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
        self._chunks: AsyncIterator[bytes] | None = None
        self._left = False
        self.status = response.status_code
        self.headers = flat(response.headers)

    async def __aenter__(self) -> AsyncAnswer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncAnswer:
        return self

    async def __anext__(self) -> bytes:
        # Not an async generator: trio warns of one that is left half-way to the garbage collector.
        lib = self._lib
        if self._chunks is None:
            self._chunks = self._response.aiter_bytes()
        self._left = False
        try:
            chunk = await anext(self._chunks)
            self._left = True
            return chunk
        except (lib.HTTPError, lib.StreamError) as error:
            failure = self._watch.failure(lib, error)._replace(sent=True)
        raise TransportError(failure)

    async def aclose(self) -> None:
        """End the exchange; what is left of the body is not read."""
        try:
            await self._response.aclose()
            if self._left and self._chunks is not None:
                await _run_out(self._chunks)
        finally:
            lease, self._lease = self._lease, None
            if lease is not None:
                lease[0].give_back(lease[1])


async def _run_out(chunks: AsyncIterator[bytes]) -> None:
    """Bring the library's nested generators, left half-way, to their end.

    The connection is closed, so the innermost one raises soon.
    """
    with suppress(Exception, StopAsyncIteration):
        for _ in range(_BUFFERED):
            await anext(chunks)


class AsyncTransport(Base):
    """`Transport`, awaited. Clients of our own belong to one event loop; a new loop gets new ones."""

    kind = "AsyncClient"

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, object, str], _Home] = {}

    async def open(
        self,
        request: HttpRequest,
        timeouts: Timeouts,
        *,
        api: bool,
        guard: Guard | None = None,
        departure: Departure | None = None,
    ) -> AsyncAnswer:
        """`Transport.open`, awaited."""
        lib = self._library()
        watch = Watch(guard, departure)

        async def trace(name: str, info: Mapping[str, object]) -> None:
            failure = watch.event(name, info)
            if failure is not None:
                await info["return_value"].aclose()  # type: ignore[attr-defined]
                raise TransportError(failure)

        lease = None
        try:
            made = build(lib, request, timeouts, trace, watch, self.client if api else None)
            if not api:
                as_written(lib, made, request.url)
            if self.client is None:
                lease = await self._lease(lib, made.url.scheme)
            client = cast("httpx.AsyncClient", self.client) if lease is None else lease[1].client
            watch.sending(told=lease is not None or tells(lib, client, made.url))
            response = await client.send(made, stream=True, follow_redirects=False, auth=None)
        except BaseException as error:
            if lease is not None:
                lease[0].give_back(lease[1])
            problem = self._problem(lib, watch, error)
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return AsyncAnswer(response, lib, watch, lease)
        raise problem

    async def _lease(
        self, lib: ModuleType, scheme: str
    ) -> tuple[Slots[httpx.AsyncClient], Slot[httpx.AsyncClient]]:
        key = os.getpid(), _current_loop(), scheme
        home = self._own.get(key)
        if home is None or home.gone():
            self._own = {known: other for known, other in list(self._own.items()) if not other.gone()}
            home = self._own[key] = _Home(key[1])
            await anext(home.ending)
        return home.slots, home.slots.take(lambda: cast("httpx.AsyncClient", self._new(lib, scheme)))

    async def aclose(self) -> None:
        """Close the connections of our own that belong to the running loop."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, loop, _), home in own.items():
            if pid == os.getpid() and loop is _current_loop():
                await home.ending.aclose()


class _Home:
    """The pools of one event loop, which closes them at its end, as it does every open async generator."""

    __slots__ = ("_loop", "ending", "slots")

    def __init__(self, loop: object) -> None:
        self._loop = loop
        self.slots: Slots[httpx.AsyncClient] = Slots()
        self.ending = cast("AsyncGeneratorType[None, None]", _ending(self.slots))

    def gone(self) -> bool:
        """Whether the loop has ended, or is about to."""
        return self.ending.ag_frame is None or getattr(self._loop, "is_closed", bool)()


async def _ending(slots: Slots[httpx.AsyncClient]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        for slot in slots.all:
            await slot.client.aclose()


def _current_loop() -> object:
    """An object that stands for the running event loop, asyncio's or trio's."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        token: object = sys.modules["trio"].lowlevel.current_trio_token()
        return token
