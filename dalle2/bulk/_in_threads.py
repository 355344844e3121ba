"""The blocking shell: threads that call and keep, and one loop that asks the engine.

The rule: the threads are daemons, because a second Ctrl-C must end the program at once; what they were at is
then held. A first one, or SIGTERM, lets them finish.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .._results._blocking import ImageResult
from ._elsewhere import Answered, Elsewhere, call
from ._engine import Arrival, Engine
from ._keeper import Effect, Fetch, Keeping, Keepings, Load, advance, keeping
from ._vault import Came

if TYPE_CHECKING:
    from .._client import Client
    from ._journal import Order
    from ._signals import Stopper


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
        while True:
            if stopper.count:
                engine.interrupt()
            if stopper.count > 1:
                engine.abandon(batch)
                return
            work = engine.step(batch)
            for order in work.orders:
                if elsewhere is None:
                    pool.give(partial(_send, engine, sender, order, arrived))
                else:
                    engine.launched.add(order.unit.number)  # before: an interrupt may come at any moment
                    done = partial(_answered, engine, order, arrived)
                    if not elsewhere.give(order.request, order.key, done):
                        engine.launched.discard(order.unit.number)
            for keepings in work.keepings:
                pool.give(partial(_keep, engine, client, keepings, arrived))
            after()
            if work.finished:
                return
            batch = _gathered(arrived, work.wait)
    except BaseException:
        engine.abandon(_gathered(arrived, 0))
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


def _send(engine: Engine, sender: Client, order: Order, arrived: queue.SimpleQueue[Arrival | None]) -> None:
    engine.launched.add(order.unit.number)
    _answered(engine, order, arrived, call(sender, order.request, order.key))


def _answered(
    engine: Engine, order: Order, arrived: queue.SimpleQueue[Arrival | None], answer: Answered
) -> None:
    receipt, error = answer
    arrived.put(Came(order, error=error) if receipt is None else engine.vault.secure(order, receipt))


def _keep(engine: Engine, client: Client, work: Keeping, arrived: queue.SimpleQueue[Arrival | None]) -> None:
    done = advance(keeping(work), None, partial(_perform, engine, client))
    assert isinstance(done, Keepings)
    arrived.put(done)


def _perform(engine: Engine, client: Client, effect: Effect) -> object:
    if isinstance(effect, Load):
        return engine.vault.load(effect.name, effect.index)
    if isinstance(effect, Fetch):
        return ImageResult.from_dict(effect.facts, client=client).read()
    return engine.place.put(effect.key, effect.data, effect.create)
