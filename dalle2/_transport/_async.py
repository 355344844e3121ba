"""Awaited exchanges, on asyncio and trio: the twin of `_sync`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from .._http import Failure, HttpRequest, Timeouts, TransportError
from ._awaiting import AsyncAttended, bounded
from ._building import needs_httpx
from ._carrier import CORE, maker
from ._exchange import Base, BaseAnswer
from ._pools import Slot, Slots

if TYPE_CHECKING:
    from types import AsyncGeneratorType, ModuleType

    import httpx

    from .._http import Departure
    from ._callers import AsyncHttpClient
    from ._proxies import Named
    from ._watch import Guard, Watch

_BUFFERED = 64
"""Chunks that may have come before a connection was closed."""
_PIECE = 1 << 18
"""Bytes that are handed on at once: whoever takes them keeps the event loop from its other work meanwhile."""


class AsyncAnswer(BaseAnswer):
    """`Answer`, awaited."""

    __slots__ = ("_chunks", "_given", "_left", "_next")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._chunks: AsyncIterator[bytes] | None = None
        self._next: Iterator[bytes] = iter(())
        self._given = False
        self._left = False

    async def __aenter__(self) -> AsyncAnswer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncAnswer:
        return self

    async def __anext__(self) -> bytes:
        # Not an async generator: trio warns of one that is left half-way to the garbage collector.
        try:
            if not self._started:
                held = self._held()
                if held is not None:
                    self._next, self._whole = _cut((held,)), True
                else:
                    self._chunks = self._as_they_come()
            while (piece := next(self._next, None)) is None:
                if self._chunks is None or self._whole:
                    raise StopAsyncIteration
                await self._more(self._chunks)
            return await self._in_turn(piece)
        except StopAsyncIteration:
            raise
        except Exception as error:
            problem = self._broken(error)
        raise problem

    def _as_they_come(self) -> Any:
        if self._packed_otherwise():
            return self._response.aiter_bytes()
        return aiter(self._response.stream) if self._lib.__name__ == CORE else self._response.aiter_raw()

    async def _in_turn(self, piece: bytes) -> bytes:
        """The piece, after the event loop's other work if nobody waited for it."""
        if self._given:
            import anyio

            try:
                await anyio.sleep(0)
            except BaseException:
                self._next = chain((piece,), self._next)
                raise
        self._given = True
        return piece

    def rest(self) -> Iterator[bytes] | None:
        """What is here and was not handed on, if that is the answer's end."""
        return self._next if self._whole else None

    async def _more(self, chunks: AsyncIterator[bytes]) -> None:
        """Wait for the next chunk, or the end."""
        self._left = self._given = False
        with bounded(self._watch.term) as late:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                self._end()
                return
        if late is not None and late.cancelled_caught:
            raise TransportError(
                Failure("timeout", True, "the deadline passed while the answer was arriving")
            )
        self._left = True
        self._next = _cut(self._pieces(chunk))

    async def aclose(self) -> None:
        """End the exchange; what is left of the body is not read."""
        import anyio

        clean = False
        try:
            with anyio.CancelScope(shield=True):  # as the library's own pool would: nothing is waited for
                await self._response.aclose()
            if self._left and self._chunks is not None:
                await _run_out(self._chunks)
            clean = True
        except Exception as problem:  # what came is here; only the connection is not used again
            self._let_interrupt_pass(problem)
        finally:
            self._release(clean=clean)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are small enough."""
    for piece in pieces:
        for at in range(0, len(piece), _PIECE):
            yield piece[at : at + _PIECE]


async def _run_out(chunks: AsyncIterator[bytes]) -> None:
    """Bring the library's nested generators, left half-way, to their end.

    The connection is closed, so the innermost one raises soon.
    """
    with suppress(Exception, StopAsyncIteration):
        for _ in range(_BUFFERED):
            await anext(chunks)


class AsyncTransport(Base):
    """`Transport`, awaited. Connections of our own belong to one event loop; a new loop gets new ones."""

    kind = "AsyncClient"

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, object, str, str, Named | None], _Home] = {}

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
        if self.client is None:
            await self._prepared(request.url, needs_httpx(request, self._routes, api=api))
        lib = self._library()
        watch = self._watch(timeouts, guard, departure)
        loop = _current_loop()
        watch.over, watch.buffered = AsyncAttended, hasattr(loop, "call_soon")

        async def trace(name: str, info: Mapping[str, object]) -> None:
            failure = watch.event(name, info)
            if failure is not None:
                await info["return_value"].aclose()  # type: ignore[attr-defined]
                raise TransportError(failure)

        lease = None
        try:
            if self.client is None:
                lease = await self._lease(lib, request.url, loop, watch, timeouts)
                watch.slot = lease[1]
            made = self._built(lib, request, timeouts, trace, watch, api=api)
            with bounded(watch.term) as late:
                if lease is not None:
                    response = await lease[1].transport.handle_async_request(made)
                    if lib.__name__ != CORE:
                        response.request = made
                else:
                    client = cast("httpx.AsyncClient", self.client)
                    response = await client.send(made, stream=True, follow_redirects=False, auth=None)
            if late is not None and late.cancelled_caught:
                raise TransportError(Failure("timeout", True, "the deadline passed"))
        except BaseException as error:
            if lease is not None:
                lease[0].give_back(lease[1], clean=False)
            comes_to = self._comes_to(lib, watch, error)
            if comes_to is error:
                raise
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return AsyncAnswer(response, lib, watch, lease)
        finally:
            watch.departure.left = watch.sent
        if not isinstance(comes_to, BaseException):
            return AsyncAnswer(comes_to, lib, watch)
        raise comes_to

    async def _lease(
        self, lib: ModuleType, url: str, loop: object, watch: Watch, timeouts: Timeouts
    ) -> tuple[Slots[Any], Slot[Any]]:
        scheme, proxy = self._routes.find(url)
        key = os.getpid(), loop, lib.__name__, scheme, proxy
        home = self._own.get(key)
        if home is None or home.gone():
            self._own = {known: other for known, other in list(self._own.items()) if not other.gone()}
            home = self._own[key] = _Home(loop, Slots(maker(lib, self.kind, scheme, proxy)))
            await anext(home.ending)
        slots = home.slots
        slot = slots.take()
        if slot is not None:
            return slots, slot
        import anyio

        rung = anyio.Event()
        turn = slots.queue(rung.set)
        try:
            with anyio.move_on_after(watch.at_most(timeouts.pool)):
                await rung.wait()
        except BaseException:
            slots.leave(turn)
            raise
        return slots, self._turned(slots, turn)

    async def warm_up(self) -> None:
        """Load what a first call over https would, off the event loop."""
        await self._prepared("https://")

    async def _prepared(self, url: str, httpx: bool = False) -> None:
        """Load, in a thread, what a first call would load in the event loop: modules and certificates."""
        scheme, loop = url.partition(":")[0].lower(), _current_loop()
        running = "asyncio" if hasattr(loop, "run_in_executor") else "trio"
        needed = scheme, f"anyio._backends._{running}", "httpx" if httpx else CORE
        if needed not in _prepared:
            await _in_thread(loop, lambda: self._load(*needed))
            _prepared.add(needed)

    def _load(self, scheme: str, *names: str) -> None:
        self._prepare(scheme)
        for name in (*_LOADED_LATE, *names):
            with suppress(ImportError):
                importlib.import_module(name)

    async def aclose(self) -> None:
        """Close the connections of our own that belong to the running loop."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, loop, *_), home in own.items():
            if pid == os.getpid() and loop is _current_loop():
                await home.ending.aclose()


_prepared: set[tuple[str, str, str]] = set()
"""The schemes for which everything is loaded, on asyncio or trio, with httpx or without."""
_LOADED_LATE = ("anyio.abc", "anyio.lowlevel", "anyio.streams.tls", "anyio.to_thread", "encodings.idna")
"""What the libraries load as late as at the first connection."""


class _Home:
    """The slots of one event loop, which closes them at its end, as it does every open async generator."""

    __slots__ = ("_loop", "ending", "slots")

    def __init__(self, loop: object, slots: Slots[Any]) -> None:
        self._loop = loop
        self.slots = slots
        self.ending = cast("AsyncGeneratorType[None, None]", _ending(slots))

    def gone(self) -> bool:
        """Whether the loop has ended, or is about to."""
        return self.ending.ag_frame is None or getattr(self._loop, "is_closed", bool)()


async def _ending(slots: Slots[Any]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        import anyio

        slots.close()
        await anyio.sleep(0)  # asyncio closes the sockets at its next step


def _current_loop() -> object:
    """An object that stands for the running event loop, asyncio's or trio's, which may be a guest of
    the other's.
    """
    import asyncio

    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)  # a thread may just be loading it
    if lowlevel is not None and lowlevel.in_trio_task():
        token: object = lowlevel.current_trio_token()
        return token
    return asyncio.get_running_loop()


async def _in_thread(loop: Any, work: Callable[[], None]) -> None:
    """Do this in a thread of the event loop; here, where no more threads can be had."""
    try:
        if hasattr(loop, "run_in_executor"):
            await loop.run_in_executor(None, work)
        else:
            await sys.modules["trio"].to_thread.run_sync(work)
    except RuntimeError:
        work()
