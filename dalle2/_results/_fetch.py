"""Fetching an image, blocking and awaited: the two loops around `Download`, which decides everything.

A `Fetcher` is what a result keeps of its client: how to reach images, and nothing that could make a paid
call. When its client is closed, or was never there, it fetches over a connection of its own. What failed in
the transport is let go before anything is raised: its frames hold the request as it was sent.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from ._download import Download
from ._origins import Fetching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Protocol

    from .._image._data import ImageData
    from .._transport._async import AsyncTransport
    from .._transport._sync import Transport
    from ._origins import Origins

    class Sink(Protocol):
        """Where the bytes go."""

        def write(self, data: bytes) -> object:
            """Append."""

        def restart(self) -> None:
            """Forget what was written."""

    class AsyncSink(Protocol):
        """Where the bytes go, awaited."""

        async def write(self, data: bytes) -> object:
            """Append."""

        async def restart(self) -> object:
            """Forget what was written."""


T = TypeVar("T", "Transport", "AsyncTransport")


class Memory:
    """A sink that keeps the bytes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        """Append."""
        self.data += data

    def restart(self) -> None:
        """Forget what was written."""
        self.data.clear()


class AsyncMemory(Memory):
    """The same, awaited."""

    async def write(self, data: bytes) -> None:  # type: ignore[override]
        """Append."""
        self.data += data

    async def restart(self) -> None:  # type: ignore[override]
        """Forget what was written."""
        self.data.clear()


class BaseFetcher(Generic[T]):
    """What both fetchers have: how to fetch, and the client's transport."""

    def __init__(self, transport: T | None = None, how: Fetching | None = None) -> None:
        self._transport: T | None = transport
        self.how = Fetching() if how is None else how

    @property
    def origins(self) -> Origins:
        """Where the API is, as far as it is known by now."""
        return self.how.origins.with_peer(self._peer)

    @property
    def _peer(self) -> str | None:
        return None if self._transport is None else self._transport.peer

    def _usable(self) -> T | None:
        """The client's transport, unless the client is closed."""
        transport = self._transport
        return transport if transport is not None and transport.usable() else None


class Fetcher(BaseFetcher["Transport"]):
    """Fetches images, blocking."""

    def fetch(self, image: ImageData, sink: Sink) -> str:
        """Write the whole image into `sink`; gives its media type.

        Raises `DownloadError`; the sink may hold a part then.
        """
        with self.how.telling_of_loss(image):
            download = Download(image, self.how, self._peer)
            with self._connected() as transport:
                wait = self._attempt(transport, download, sink)
                while wait is not None:
                    time.sleep(wait)
                    wait = self._attempt(transport, download, sink)
        return download.fetched()

    def _attempt(self, transport: Transport, download: Download, sink: Sink) -> float | None:
        """One request; seconds until the next, `None` when the image is whole."""
        request, limits = download.request(), download.limits(transport.default_timeouts())
        try:
            with transport.open(request, limits, api=False, guard=download.refuse_address) as answer:
                if download.begin(answer.status, answer.headers):
                    sink.restart()
                for chunk in answer:
                    sink.write(download.feed(chunk))
            download.finish()
            return None
        except Download.AGAIN as failure:
            setback = download.judged(failure)
        return download.after(setback)

    @contextmanager
    def _connected(self) -> Iterator[Transport]:
        """The client's transport, else one for this image alone."""
        transport = self._usable()
        if transport is not None:
            yield transport
            return
        from .._transport._sync import Transport

        own = Transport()
        try:
            yield own
        finally:
            own.close()


class AsyncFetcher(BaseFetcher["AsyncTransport"]):
    """`Fetcher`, awaited."""

    async def fetch(self, image: ImageData, sink: AsyncSink) -> str:
        """`Fetcher.fetch`, awaited."""
        import anyio

        with self.how.telling_of_loss(image):
            download = Download(image, self.how, self._peer)
            async with self._connected() as transport:
                wait = await self._attempt(transport, download, sink)
                while wait is not None:
                    await anyio.sleep(wait)
                    wait = await self._attempt(transport, download, sink)
        return download.fetched()

    async def _attempt(self, transport: AsyncTransport, download: Download, sink: AsyncSink) -> float | None:
        """`Fetcher._attempt`, awaited."""
        request, limits = download.request(), download.limits(transport.default_timeouts())
        try:
            async with await transport.open(
                request, limits, api=False, guard=download.refuse_address
            ) as answer:
                if download.begin(answer.status, answer.headers):
                    await sink.restart()
                async for chunk in answer:
                    await sink.write(download.feed(chunk))
            download.finish()
            return None
        except Download.AGAIN as failure:
            setback = download.judged(failure)
        return download.after(setback)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncTransport]:
        """`Fetcher._connected`, awaited."""
        transport = self._usable()
        if transport is not None:
            yield transport
            return
        import anyio

        from .._transport._async import AsyncTransport

        own = AsyncTransport()
        try:
            yield own
        finally:
            with anyio.CancelScope(shield=True):
                await own.aclose()
