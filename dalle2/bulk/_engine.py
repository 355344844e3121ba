"""One run: the planner's decisions made durable, and the work that follows from them.

The rule: `step` takes in what came, writes all that follows from it into the journal in one commit, and only
then gives the work that this allows. It is the same for threads and for tasks, which do the work, wait and
come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ..errors import DownloadError
from . import _journal as j
from ._keeper import Keeping, Keepings
from ._place import Folder
from ._planner import Planner, Step, Unit
from ._vault import Came, Vault
from ._verdict import judge, told

if TYPE_CHECKING:
    from ._journal import Change, Journal, Order
    from ._place import Store
    from ._planner import Reason
    from ._receipt import Receipt
    from ._schema import State
    from ._shared_pace import SharedPace

Arrival: TypeAlias = Came | Keepings


@attrs.frozen
class Work:
    """What is to be done now, what to wait for at most (seconds), and whether that was all."""

    orders: Sequence[Order] = ()
    keepings: Sequence[Keeping] = ()
    wait: float | None = None
    finished: bool = False


class Engine:
    """A run over one journal. Its methods are for one thread at a time, those of `vault` that say so
    for any.
    """

    def __init__(
        self,
        journal: Journal,
        place: Folder | Store,
        planner: Planner,
        *,
        retry_unknown: bool = False,
        pace: SharedPace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.place = place
        self.planner = planner
        self.vault = Vault(journal)
        self.error: BaseException | None = None
        """What stopped the run."""
        self.raises = False
        """Whether `error` is raised in the end: what only the network did is not."""
        self._last: BaseException | None = None
        self.ended: list[int] = []
        """The units that ended since somebody looked."""
        self.launched: set[int] = set()
        """The units whose calls a worker has begun to make."""
        self._retry_unknown = retry_unknown
        self._pace = pace
        self._clock = clock
        self._after = 0
        self._orders: dict[int, Order] = {}
        self._lock = threading.Lock()  # a cancelled task goes on while its step is still in a thread

    def begin(self, spooled: Mapping[str, int]) -> None:
        """Take what an earlier run left: answers by their names in the spool, with their bytes.
        Raises `OSError`.
        """
        self.planner.answered_before(self.journal.answered())
        self.vault.open(spooled, self.planner.concurrency)

    def step(self, arrived: Sequence[Arrival]) -> Work:
        """Take in what came and give what follows, with all that it needs already durable."""
        now = self._clock()
        held: AbstractContextManager[None] = (
            nullcontext() if self._pace is None else self._pace.held(self.planner)
        )
        with self._lock, held:
            self._take(arrived, now)
            while count := self.planner.wants:
                units = self.journal.planned(self._after, count)
                self._after = units[-1].number if units else self._after
                self.planner.offer(units, last=len(units) < count)
            self.planner.spooled = self.vault.size
            return self._begun(self.planner.next(now))

    def came(self, came: Came) -> None:
        """Take in an answer that no call of this run brought; the next step keeps its images."""
        order, receipt = came.order, came.receipt
        assert receipt is not None
        self.vault.came(order.name, receipt, came.spooled)
        self.vault.note(j.answered(order.unit, order.attempt, receipt, receipt.nano, time.time()))
        self.planner.answered_before([order.unit])

    def interrupt(self) -> None:
        """Send nothing more."""
        self.planner.stop("interrupted")

    def abandon(self, arrived: Sequence[Arrival] = ()) -> None:
        """Stop at once: what came is taken in, what was sent is held, what was not is still planned."""
        with self._lock:
            self._take(arrived, self._clock())
            for number, order in self._orders.items():
                sent = number in self.launched
                state: State = "held" if sent else "planned"
                why = "the run was stopped before " + ("the answer came" if sent else "it was sent")
                self.vault.note(j.ended(number, order.attempt, state, why, time.time(), unpaid=not sent))
            self._orders.clear()
            self.vault.write()

    def finish(self) -> None:
        """The end of the run, however it came: what is not written yet is written, or at least saved."""
        try:
            self.vault.write()
        except OSError as problem:
            self._fail(problem)
        if self.planner.stopped == "unreachable":
            self.error = self.error or self._last
        rescued = self.vault.close()
        if rescued is not None and self.error is not None:
            self.error.add_note(f"dalle2: images that could not be kept are in {rescued}")

    def _begun(self, step: Step) -> Work:
        begun: list[Change] = []
        for unit in step.keep:
            begun += j.putting(unit.number)
        orders = [self.journal.order(unit) for unit in step.send]
        for order in orders:
            begun += j.sent(order, time.time())
        try:
            self.vault.write(begun)
        except OSError as problem:
            self._fail(problem)
            for unit in step.send:
                self.planner.ended(unit, billed=False, heard=False)
            orders.clear()
            if self.vault.behind:  # not even what came is written: its images wait for the next run
                for unit in step.keep:
                    self.planner.left(unit)
                step = Step()
        for order in orders:
            self._orders[order.unit.number] = order
        keepings = [self._keeping(unit) for unit in step.keep]  # with what was just written
        return Work(orders, keepings, step.wait, self.planner.finished)

    def _keeping(self, unit: Unit) -> Keeping:
        attempt, images = self.journal.awaiting(unit)
        return Keeping(unit, j.spool_name(unit.number, attempt), images)

    def _take(self, arrived: Sequence[Arrival], now: float) -> None:
        for arrival in arrived:
            if isinstance(arrival, Keepings):
                self._kept(arrival, now)
                continue
            self._orders.pop(arrival.order.unit.number, None)
            self.launched.discard(arrival.order.unit.number)
            if arrival.receipt is not None:
                self._answered(arrival, arrival.receipt, now)
            else:
                assert arrival.error is not None
                self._refused(arrival.order, arrival.error, now)

    def _answered(self, came: Came, receipt: Receipt, now: float) -> None:
        order = came.order
        nano = receipt.nano if receipt.nano is not None else self.journal.expected(order.unit)
        self.vault.came(order.name, receipt, came.spooled)
        self.vault.note(j.answered(order.unit, order.attempt, receipt, nano, time.time()))
        self.planner.answered(order.unit, nano, now, receipt.told)
        if came.error is not None:  # its bytes could not be made safe
            self._fail(came.error)

    def _refused(self, order: Order, error: BaseException, now: float) -> None:
        """An attempt without images."""
        unit = order.unit
        verdict = judge(error, retry_unknown=self._retry_unknown)
        state: State = "planned"
        if verdict.fate == "limited":
            self.planner.limited(unit, verdict.retry_after, now)
            if self.planner.stopped == "limited":
                self._fail(error, "limited")
        elif verdict.fate in ("troubled", "retried"):
            again = self.planner.troubled(unit, now, billed=verdict.billed, retry_after=verdict.retry_after)
            state = "planned" if again or not verdict.billed else "held"
            self._last = error
        else:
            self.planner.ended(unit, billed=verdict.billed, heard=verdict.fate in ("refused", "failed"))
            state = verdict.fate if verdict.fate in ("refused", "failed", "held") else "planned"
        if verdict.stops:
            self._fail(error)
        note = told(error)
        try:
            note += self.vault.keep_body(order, error)
        except OSError as problem:
            self._fail(problem)
        paid = verdict.billed
        self.vault.note(j.ended(unit.number, order.attempt, state, note, time.time(), unpaid=not paid))
        if state != "planned":
            self.ended.append(unit.number)

    def _kept(self, result: Keepings, now: float) -> None:
        unit, failed = result.unit, result.failed
        state: State = "answered"
        if failed is None:
            state = "expired" if len(result.kept) < result.count else "done"
            self.planner.kept(unit)
            self.vault.done(result.name, max(result.count, unit.images))
            self.ended.append(unit.number)
        elif isinstance(failed, FileExistsError):  # this row's own trouble, and told there
            self.planner.left(unit)
        else:
            again = self.planner.keep_failed(unit, now)
            local = isinstance(failed, OSError) and isinstance(self.place, Folder)
            if isinstance(failed, DownloadError):
                self._last = failed
            elif local or not again:
                self._fail(failed)
        error = result.dead or result.note or (told(failed) if failed else None)
        self.vault.note(j.kept(unit.number, result.kept, state, error))
        self.vault.note(j.not_put(unit.number, result.taken))

    def _fail(self, error: BaseException, reason: Reason = "error") -> None:
        """Send nothing more; the first such error is raised in the end."""
        self.planner.stop(reason)
        self.vault.met(error)
        if not self.raises:
            self.error, self.raises = error, True
