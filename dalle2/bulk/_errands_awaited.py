"""Who does the errands of a batch, awaited: the twin of `_errands`, on asyncio and trio.

The rule: the generator that decides and writes runs in a thread, so that the event loop stays free.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from .._calls._contents import contents_async
from .._results._awaited import BATCH, in_thread
from ..settings import DEFAULT
from ._errands import Ask, Errand, Errands, More, Open, Pause, attempts_of, next_errand

if TYPE_CHECKING:
    from .._async_client import AsyncClient
    from ._signals import Stopper


async def run_errands_async(
    steps: Errands, client: AsyncClient, stopper: Stopper, keep: Callable[[], Awaitable[None]] = checkpoint
) -> None:
    """`run_errands`, awaited. The generator itself, which writes to the disk, runs in a thread."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(stopper.listen)
        messenger = _AsyncMessenger(client, stopper, keep, group.cancel_scope)
        try:
            async with aclosing(messenger):
                result: object = None
                while (errand := await in_thread(next_errand, steps, result)) is not None:
                    try:
                        result = await messenger.perform(errand)
                    except Exception as error:
                        result = error
        except Exception as error:  # raised as it is, and not in a group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


class _AsyncMessenger:
    def __init__(
        self,
        client: AsyncClient,
        stopper: Stopper,
        keep: Callable[[], Awaitable[None]],
        scope: anyio.CancelScope,
    ) -> None:
        self._client = client
        self._stopper = stopper
        self._keep = keep
        self._scope = scope
        self._download: AsyncGenerator[bytes, None] | None = None
        self._asked = anyio.Event()
        self._stopper.wake = self._wake

    async def perform(self, errand: Errand) -> object:
        """`_Messenger.perform`, awaited."""
        client = self._client
        if isinstance(errand, Ask):
            return await client._perform(attempts_of(client._session, errand.call), DEFAULT)
        if isinstance(errand, Open):
            await self.aclose()
            limits = client._session.timeouts(DEFAULT, client._transport.default_timeouts())
            self._download = contents_async(
                attempts_of(client._session, errand.call), client._transport, limits
            )
        elif isinstance(errand, More):
            return await self._more()
        elif isinstance(errand, Pause):
            with anyio.move_on_after(errand.seconds):
                await self._asked.wait()
        else:
            await self._keep()
            self._stopper.wake = self._wake
        return None

    async def _more(self) -> bytes | None:
        """Several chunks at once: each is a hop to a thread."""
        assert self._download is not None
        chunks, size = [], 0
        async for chunk in self._download:
            chunks.append(chunk)
            size += len(chunk)
            if size >= BATCH:
                break
        return b"".join(chunks) if chunks else None

    def _wake(self) -> None:
        self._asked.set()
        if self._stopper.count > 1:
            self._scope.cancel()

    async def aclose(self) -> None:
        """Close the download that is open."""
        download, self._download = self._download, None
        if download is not None:
            await download.aclose()
