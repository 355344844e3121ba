"""The blocking shell: threads that call and fetch, and one loop that asks the engine.

The rule: the threads are daemons, because a second Ctrl-C must end the program at once; what they were at is
then held. A first one, or SIGTERM, lets them finish.
"""

from __future__ import annotations

import inspect
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from .._results._blocking import ImageResult
from ..errors import Dalle2Error
from ._elsewhere import Answered, Elsewhere, call
from ._engine import Engine
from ._keeper import Fetch, Put
from ._out import awaited_store
from ._vault import Came
from ._work import Arrival, Brought, Trip

if TYPE_CHECKING:
    from .._client import Client
    from ._journal import Order
    from ._signals import Stopper

LISTENING = 0.5
"""Seconds at most that the main thread waits for an arrival: a signal that the system gave to another thread
does not wake it.
"""


class Pool:
    """So many threads that do what they are given."""

    def __init__(self, size: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._size = size
        for number in range(size):
            threading.Thread(target=self._run, name=f"dalle2-bulk-{number}", daemon=True).start()

    def give(self, task: Callable[[], None]) -> None:
        """Have it done."""
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads end once they are done."""
        for _ in range(self._size):
            self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def drive(
    engine: Engine,
    client: Client,
    sender: Client,
    stopper: Stopper,
    after: Callable[[], None],
    elsewhere: Elsewhere | None = None,
) -> None:
    """Run the engine until it is finished, or somebody stopped it for good."""
    arrived: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
    pool = Pool(engine.planner.concurrency)
    stopper.wake = partial(arrived.put, None)
    batch: list[Arrival] = []
    try:
        if engine.planner.pace.base:  # a first call that loads what it needs would come too late
            with suppress(Dalle2Error):  # which is for a call to meet
                sender.warm_up()
        while True:
            if stopper.count:
                engine.interrupt()
            if stopper.count > 1:
                engine.left = True
                engine.abandon([*batch, *_gathered(arrived, 0)])
                return
            work = engine.step(batch)
            for order in work.orders:
                pool.give(partial(_send, engine, sender, elsewhere, order, arrived))
            for trip in work.trips:
                pool.give(partial(_run, engine, client, trip, arrived))
            after()
            if work.finished:
                return
            batch = _gathered(arrived, LISTENING if work.wait is None else min(work.wait, LISTENING))
    except BaseException:
        engine.left = True
        engine.abandon([*batch, *_gathered(arrived, 0)])
        raise
    finally:
        pool.close()


def _gathered(arrived: queue.SimpleQueue[Arrival | None], wait: float | None) -> list[Arrival]:
    """What arrived, all of it; waits for the first."""
    batch: list[Arrival] = []
    try:
        first = arrived.get(timeout=wait)
        while True:
            if first is not None:
                batch.append(first)
            first = arrived.get_nowait()
    except queue.Empty:
        return batch


def _send(
    engine: Engine,
    sender: Client,
    elsewhere: Elsewhere | None,
    order: Order,
    arrived: queue.SimpleQueue[Arrival | None],
) -> None:
    """Make a call at its moment, or have it made."""
    done = partial(_answered, engine, order, arrived)
    while wait := engine.launch(order):
        time.sleep(wait)
    if wait is None:
        done((None, None))
    elif elsewhere is None:
        done(call(sender, order.request, order.key))
    elif not elsewhere.give(order.request, order.key, done):
        engine.launched.discard(order.unit.number)


def _answered(
    engine: Engine, order: Order, arrived: queue.SimpleQueue[Arrival | None], answer: Answered
) -> None:
    came = Came(order, *answer)
    if engine.vault.at_once:
        (came,) = engine.vault.secure([came])
    arrived.put(came)
    if engine.left:
        engine.late(_gathered(arrived, 0))


def _run(engine: Engine, client: Client, trip: Trip, arrived: queue.SimpleQueue[Arrival | None]) -> None:
    try:
        result = _perform(engine, client, trip.effect)
    except Exception as error:
        result = error
    arrived.put(Brought(trip, result))


def _perform(engine: Engine, client: Client, effect: Fetch | Put) -> object:
    if isinstance(effect, Fetch):
        return ImageResult.from_dict(effect.facts, client=client).read()
    done = engine.place.put(effect.key, effect.data, effect.create)
    if inspect.isawaitable(done):  # and nobody awaits it: nothing was put
        if inspect.iscoroutine(done):
            done.close()
        raise awaited_store()
    return done
