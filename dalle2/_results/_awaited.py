"""Results that fetch and save themselves, awaited: the twin of `_blocking`, with the disk in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from . import BaseResult, Target, data_from
from ._download import Download
from ._origins import BaseFetcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Protocol

    from PIL.Image import Image as PillowImage

    from .._image._data import ImageData
    from .._transport._async import AsyncTransport
    from ._atomic import AtomicFile
    from ._uploads import Upload

    class AsyncSink(Protocol):
        """Where the bytes go, awaited."""

        async def write(self, data: bytes) -> object:
            """Append."""

        async def restart(self) -> object:
            """Forget what was written."""

    class AsyncFetches(Protocol):
        """A `dalle2.AsyncClient`, as far as fetching is concerned."""

        @property
        def _fetcher(self) -> AsyncFetcher: ...


BATCH = 256 * 1024
"""Bytes for one hop to a thread: a small image takes one in all."""


T = TypeVar("T")
P = ParamSpec("P")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread, on asyncio and trio alike; here, where no more threads can be had.

    However its caller is cancelled, it ends when the work has ended. (anyio alone lets asyncio's own
    `task.cancel` through while the thread works on.)
    """
    import anyio
    import anyio.to_thread

    done: list[T] = []
    failed: list[BaseException] = []
    waiting = True

    def kept() -> None:
        try:
            done.append(work(*args, **kwargs))
        except BaseException as error:
            failed.append(error)
        if not waiting:
            done.clear()

    async def hop() -> None:
        try:
            await anyio.to_thread.run_sync(kept)
        except RuntimeError:  # a limit of the system, or the interpreter is about to end
            kept()

    try:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                group.start_soon(hop)
        if failed:
            raise failed.pop()
        return done.pop()
    finally:
        waiting = False
        done.clear()  # a file that nobody will get is closed and removed now


class _ThreadedFile:
    """A file that is written in a thread, in batches."""

    def __init__(self, file: AtomicFile) -> None:
        self._file = file
        self._pending = bytearray()
        self._begun = False

    async def write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= BATCH:
            batch, self._pending, self._begun = bytes(self._pending), bytearray(), True
            await in_thread(self._file.write, batch)

    async def restart(self) -> None:
        self._pending.clear()
        if self._begun:
            await in_thread(self._file.restart)

    def finish(self, target: Target, kind: str) -> Path:
        self._file.write(bytes(self._pending))
        return target.publish(self._file, kind)


class AsyncMemory:
    """A sink that keeps the bytes, and gives them without a copy."""

    def __init__(self) -> None:
        self.data = BytesIO()

    async def write(self, data: bytes) -> None:
        """Append."""
        self.data.write(data)

    async def restart(self) -> None:
        """Forget what was written."""
        self.data.truncate(self.data.seek(0))


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


class AsyncImageResult(BaseResult[AsyncFetcher]):
    """One image, fetched, saved and shown by awaiting; what needs no I/O is as in `ImageResult`."""

    __module__ = "dalle2"
    __slots__ = ()
    _fetchers = AsyncFetcher

    async def read(self) -> bytes:
        """The image's bytes, fetched once and kept.

        Raises `ImageExpiredError` if the URL is dead, `DownloadError` for anything else that keeps the whole
        image from coming, also for held bytes that are not one (`content` has them as they are). Fetching
        costs nothing; what can pass is tried again.
        """
        if len(self._data.content or b"") > BATCH and not self._checked:
            await in_thread(self._held)
        held = self._held()
        if held is not None:
            return held[0]
        memory = AsyncMemory()
        kind = await self._fetcher.fetch(self._data, memory)
        return self._hold(memory.data.getvalue(), kind)

    async def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save the image and give the path that it got; the bytes stream to the disk, in a
        thread, and are not kept.

        `path` is a file name, to which a missing suffix is added from the bytes, or a directory (an existing
        one, or a text that ends in a slash), in which the image gets a free name made from its prompt. The
        file appears whole or not at all, and an older one survives a failure and a cancellation.

        With `overwrite` an older file is replaced whole: links are followed, its mode stays, and a file that
        may not be written is not replaced; other hard links keep the older picture.

        Raises `InvalidRequestError` for what is no path on this disk, `FileExistsError` if the name is taken
        and `overwrite` is false, `FileNotFoundError`, `PermissionError` and other built-in `OSError`s for the
        local disk (a missing directory before anything is fetched), and like `read` for the rest.
        """
        return await self._save(Target(path, self._stem, overwrite=overwrite))

    async def _save(self, target: Target) -> Path:
        file = await in_thread(target.open)
        try:
            if self._data.content is not None:
                return await in_thread(self._publish_held, file, target)
            sink = _ThreadedFile(file)
            kind = await self._fetcher.fetch(self._data, sink)
            return await in_thread(sink.finish, target, kind)
        except BaseException:
            file.withdraw()
            raise

    async def upload(self, url: str, *, overwrite: bool = False, provenance: bool = False) -> str:
        """Put the image into a store, and give the URL that it got; its bytes are fetched once and kept.

        `url` is `s3://`, `gs://`, `az://`, `memory://` or the like (extra `cloud`), or `file://`: a name, to
        which a missing suffix is added from the bytes, or a folder (a URL that ends in a slash), in which the
        image gets a free name made from its prompt. Credentials come from the store's own environment
        variables. The object appears whole or not at all; without `overwrite` none is replaced, and of
        several writers at once one wins (where the store has no such condition, it is looked for before).
        `provenance` puts `NAME.json` beside it: prompt, model, parameters, request id. The store is asked in
        a thread; a cancelled upload ends at once, and may still arrive, whole.

        Raises `InvalidRequestError` for what is no URL of a store, `ConfigurationError` without the extra or
        with settings that cannot be used, `FileExistsError` if the name is taken and `overwrite` is false,
        `FileNotFoundError` for a bucket that is not there, `PermissionError`, `ConnectionError`,
        `TimeoutError` and other built-in `OSError`s for the store (what can pass is tried again), and like
        `read` for the rest.
        """
        from ._uploads import Upload, Where

        sidecar = self._sidecar() if provenance else None
        where = await in_thread(Where, url)
        return await self._upload(Upload(where, self._stem, overwrite=overwrite, sidecar=sidecar))

    async def _upload(self, upload: Upload) -> str:
        from .._stores import perform_async

        if upload.where.path is not None:
            return await in_thread(upload.beside, await self._save(await in_thread(upload.target)))
        await perform_async(upload.before())
        content = await self.read()
        return await perform_async(upload.put(content, self._kind()))

    async def show(self) -> None:
        """Show the picture: in a notebook, else with the system's viewer. It is fetched if it must be.

        Raises like `read`, and `ConfigurationError` where no viewer is found.
        """
        from ._display import shown_in_kernel, view

        content = await self.read()
        if not shown_in_kernel(self):
            await in_thread(view, content, self.media_type)

    async def to_pil(self) -> PillowImage:
        """The picture for Pillow (extra `pillow`), decoded in a thread. It is fetched if it must be.

        Raises like `read`, `DownloadError` for a format that Pillow does not know, and `ConfigurationError`
        without Pillow.
        """
        from ._display import to_pil

        return await in_thread(to_pil, await self.read())

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, client: AsyncFetches | None = None) -> AsyncImageResult:
        """The image that `to_dict` described, fetched through `client` if given.
        Raises `InvalidRequestError`.

        The mapping is believed, the API's place in it included: take it only from where you put it.
        """
        image, how = data_from(data)
        return cls(image, AsyncFetcher(None, how) if client is None else client._fetcher)


async def held(*sources: object) -> None:
    """Fetch the awaited results among these inputs, so that their bytes can be sent."""
    for source in sources:
        for one in source if isinstance(source, (list, tuple)) else (source,):
            if isinstance(one, AsyncImageResult):
                await one.read()
