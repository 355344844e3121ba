"""Fetching an image, blocking and awaited: the two loops around `Download`, which decides everything.

A `Fetcher` is what a result keeps of its client: how to reach images, and nothing that could make a paid
call. When its client is closed, or was never there, it fetches over a connection of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from .._http import Timeouts, TransportError, origin_of
from .._state import ClientState
from ..errors import DownloadError
from ._download import Download, Rules, Setback, check_expired
from ._origins import Origins

if TYPE_CHECKING:
    from typing import Protocol, Self

    from .._image._data import ImageData
    from .._secrets import Secret
    from .._transport._async import AsyncTransport
    from .._transport._sync import Transport
    from ..retry import RetryPolicy

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


FETCH_TIMEOUTS = Timeouts(connect=10.0, read=60.0, write=60.0, pool=60.0)
"""Seconds; images come from stores that answer at once."""

_REFUSAL = 16_384
"""Bytes of a refusal that are read: what the store says of it is in the first few hundred."""

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


class Fetching:
    """How images are fetched: all of it plain values, so that both fetchers share it."""

    __slots__ = ("key", "policy", "shared", "site", "timeouts", "user_agent")

    def __init__(
        self,
        *,
        shared: ClientState | None = None,
        policy: RetryPolicy | None = None,
        site: Origins | None = None,
        key: tuple[str, Secret] | None = None,
        timeouts: Timeouts | None = None,
        user_agent: str = "dalle2",
    ) -> None:
        self.shared = ClientState() if shared is None else shared
        self.policy = policy
        self.site = Origins() if site is None else site
        self.key = key
        self.timeouts = timeouts
        self.user_agent = user_agent

    def begin(self, image: ImageData, site: Origins, started: float) -> Download:
        """A download of this image. Raises `DownloadError` if it must not or cannot be fetched: nothing was
        sent.
        """
        check_expired(image, self.shared.clock.now(self.shared.now()))
        rules = Rules(self.policy, site, self.user_agent, self.key)
        return Download(image, rules, started=started)

    def limits(self, theirs: Timeouts | None, download: Download) -> Timeouts:
        """The timeouts of one request."""
        return (self.timeouts or theirs or FETCH_TIMEOUTS).within(download.deadline - self.shared.monotonic())

    def fetched(self, download: Download) -> str:
        """Report a success; gives the media type."""
        self.shared.report(
            "ImageFetched",
            host=download.host,
            size=download.size,
            attempts=download.attempt + 1,
            at=self.shared.now(),
        )
        return download.media_type

    def lost(self, image: ImageData, error: DownloadError) -> None:
        """Report a failure."""
        host = origin_of(image.url or "")[1]
        self.shared.report("ImageLost", host=host, error=error, at=self.shared.now())

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled without the key and without what a client shares: clock, rate limits, listener."""
        return _restored, (self.policy, self.site, self.timeouts, self.user_agent)


def _restored(
    policy: RetryPolicy | None, site: Origins, timeouts: Timeouts | None, user_agent: str
) -> Fetching:
    return Fetching(policy=policy, site=site, timeouts=timeouts, user_agent=user_agent)


class BaseFetcher(Generic[T]):
    """What both fetchers have: a transport, and what is to be known without it."""

    def __init__(self, transport: T | None = None, how: Fetching | None = None) -> None:
        self._transport: T | None = transport
        self.how = Fetching() if how is None else how

    @property
    def site(self) -> Origins:
        """Where the API is, as far as it is known by now."""
        return self.how.site.with_peer(None if self._transport is None else self._transport.peer)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled without the transport: the copy fetches over connections of its own."""
        how = self.how
        return type(self), (None, _restored(how.policy, self.site, how.timeouts, how.user_agent))

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Fetcher(BaseFetcher["Transport"]):
    """Fetches images, blocking."""

    def fetch(self, image: ImageData, sink: Sink) -> str:
        """Write the whole image into `sink`; gives its media type.

        Raises `DownloadError`; the sink may hold a part then.
        """
        transport, own = self._transport, None
        if transport is None or not transport.usable():
            from .._transport._sync import Transport

            transport = own = Transport()
        try:
            download = self.how.begin(image, self.site, self.how.shared.monotonic())
            while True:
                setback = self._attempt(transport, download, sink)
                if setback is None:
                    break
                if setback.reason != "redirect":
                    time.sleep(download.after(setback, now=self.how.shared.monotonic()))
        except DownloadError as error:
            self.how.lost(image, error)
            raise
        finally:
            if own is not None:
                own.close()
        return self.how.fetched(download)

    def _attempt(self, transport: Transport, download: Download, sink: Sink) -> Setback | None:
        """One request; `None` when the image is whole."""
        how = self.how
        limits = how.limits(transport.default_timeouts(), download)
        try:
            with transport.open(
                download.request(), limits, api=False, guard=download.refuse_address
            ) as answer:
                step = download.begin(answer.status, answer.headers)
                if step == "redirect":
                    return Setback("redirect", "")
                if step == "refused":
                    body = b""
                    for chunk in answer:
                        body += chunk
                        if len(body) > _REFUSAL:
                            break
                        download.late(how.shared.monotonic())
                    text = body.decode("utf-8", "replace")
                    now = how.shared.clock.now(how.shared.now())
                    return download.refused(answer.status, answer.headers, text, now=now)
                if step == "restart":
                    sink.restart()
                for chunk in answer:
                    download.feed(chunk)
                    sink.write(chunk)
                    download.late(how.shared.monotonic())
            return download.finish()
        except TransportError as error:
            return Setback.of(error.failure, download.size)


class AsyncFetcher(BaseFetcher["AsyncTransport"]):
    """`Fetcher`, awaited."""

    async def fetch(self, image: ImageData, sink: AsyncSink) -> str:
        """`Fetcher.fetch`, awaited."""
        import anyio

        transport, own = self._transport, None
        if transport is None or not transport.usable():
            from .._transport._async import AsyncTransport

            transport = own = AsyncTransport()
        try:
            download = self.how.begin(image, self.site, self.how.shared.monotonic())
            while True:
                setback = await self._attempt(transport, download, sink)
                if setback is None:
                    break
                if setback.reason != "redirect":
                    await anyio.sleep(download.after(setback, now=self.how.shared.monotonic()))
        except DownloadError as error:
            self.how.lost(image, error)
            raise
        finally:
            if own is not None:
                with anyio.CancelScope(shield=True):
                    await own.aclose()
        return self.how.fetched(download)

    async def _attempt(
        self, transport: AsyncTransport, download: Download, sink: AsyncSink
    ) -> Setback | None:
        how = self.how
        limits = how.limits(transport.default_timeouts(), download)
        try:
            async with await transport.open(
                download.request(), limits, api=False, guard=download.refuse_address
            ) as answer:
                step = download.begin(answer.status, answer.headers)
                if step == "redirect":
                    return Setback("redirect", "")
                if step == "refused":
                    body = b""
                    async for chunk in answer:
                        body += chunk
                        if len(body) > _REFUSAL:
                            break
                        download.late(how.shared.monotonic())
                    text = body.decode("utf-8", "replace")
                    now = how.shared.clock.now(how.shared.now())
                    return download.refused(answer.status, answer.headers, text, now=now)
                if step == "restart":
                    await sink.restart()
                async for chunk in answer:
                    download.feed(chunk)
                    await sink.write(chunk)
                    download.late(how.shared.monotonic())
            return download.finish()
        except TransportError as error:
            return Setback.of(error.failure, download.size)
