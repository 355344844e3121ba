"""The awaited shell: tasks that call and fetch, and one loop that asks the engine. On asyncio and trio alike.

The rule: what blocks (the journal, the disk) runs in a thread, so that the event loop stays free. A cancelled
run ends at once; what it was at is then held.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from .._results._awaited import AsyncImageResult, in_thread
from ..errors import Dalle2Error
from ._engine import Engine
from ._keeper import Fetch, Put
from ._receipt import receipt_of, receipt_of_error
from ._vault import Came
from ._verdict import told
from ._work import Arrival, Brought, Trip

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from .._async_client import AsyncClient
    from ._journal import Order
    from ._signals import Stopper


class _Inbox:
    """What arrived, and a way to wait for it."""

    def __init__(self) -> None:
        self._arrived: list[Arrival] = []
        self._news = anyio.Event()

    def put(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        self._news.set()

    def wake(self) -> None:
        self._news.set()

    def take(self) -> list[Arrival]:
        arrived, self._arrived = self._arrived, []
        return arrived

    async def news(self, wait: float | None) -> None:
        with anyio.move_on_after(wait):
            await self._news.wait()
        self._news = anyio.Event()


async def drive_async(
    engine: Engine,
    client: AsyncClient,
    sender: AsyncClient,
    stopper: Stopper,
    after: Callable[[], Awaitable[None]],
) -> None:
    """Run the engine until it is finished, or somebody stopped it for good."""
    inbox = _Inbox()
    stopper.wake = inbox.wake
    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(stopper.listen)
            try:
                await _loop(engine, client, sender, stopper, after, inbox, group)
            except Exception as error:  # raised as it is, and not in a group
                failure = error
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(engine.abandon, inbox.take())
    if failure is not None:
        raise failure


async def _loop(
    engine: Engine,
    client: AsyncClient,
    sender: AsyncClient,
    stopper: Stopper,
    after: Callable[[], Awaitable[None]],
    inbox: _Inbox,
    group: TaskGroup,
) -> None:
    if engine.planner.pace.base:  # a first call that loads what it needs would come too late
        with suppress(Dalle2Error):  # which is for a call to meet
            await sender.warm_up()
    while True:
        if stopper.count:
            engine.interrupt()
        if stopper.count > 1:
            return
        work = await in_thread(engine.step, inbox.take())
        await checkpoint()  # if the run was cancelled meanwhile, none of it begins
        for order in work.orders:
            group.start_soon(_send, engine, sender, order, inbox)
        for trip in work.trips:
            group.start_soon(_run, engine, client, trip, inbox)
        await after()
        if work.finished:
            return
        if work.wait != 0:
            await inbox.news(work.wait)


async def _send(engine: Engine, sender: AsyncClient, order: Order, inbox: _Inbox) -> None:
    try:
        await checkpoint()
        while wait := await in_thread(engine.launch, order) if engine.shares else engine.launch(order):
            await anyio.sleep(wait)
        if engine.shares:
            await checkpoint()
    except BaseException:  # cancelled: it is not made
        engine.launched.discard(order.unit.number)
        raise
    if wait is None:
        inbox.put(Came(order))
        return
    try:
        came = Came(order, receipt_of(await sender.send(order.request, idempotency_key=order.key)))
    except Dalle2Error as error:
        receipt = receipt_of_error(error, told(error))
        came = Came(order, receipt, None if receipt else error)
    except Exception as error:
        came = Came(order, error=error)
    if engine.vault.at_once and came.receipt is not None and came.receipt.has_bytes:
        with anyio.CancelScope(shield=True):  # it is here and paid for
            (came,) = await in_thread(engine.vault.secure, [came])
    inbox.put(came)


async def _run(engine: Engine, client: AsyncClient, trip: Trip, inbox: _Inbox) -> None:
    try:
        result = await _perform(engine, client, trip.effect)
    except Exception as error:
        result = error
    inbox.put(Brought(trip, result))


async def _perform(engine: Engine, client: AsyncClient, effect: Fetch | Put) -> object:
    if isinstance(effect, Fetch):
        return await AsyncImageResult.from_dict(effect.facts, client=client).read()
    put = engine.place.put
    if inspect.iscoroutinefunction(put):
        return await put(effect.key, effect.data, effect.create)
    done = await in_thread(put, effect.key, effect.data, effect.create)
    return await done if inspect.isawaitable(done) else done
