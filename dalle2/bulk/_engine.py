"""One run: the planner's decisions made durable, and the work that follows from them.

The rule: `step` takes in what came, writes all that follows from it into the journal in one commit, and only
then gives the work that this allows. All of this disk's work is done in it, one thing after another: many
threads that flush wait for each other, and for the interpreter's lock. It is the same for threads and for
tasks, which do what goes over the network, wait and come back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from ..errors import DownloadError, JournalError
from . import _journal as j
from ._keeper import Effect, Fetch, Keepings, Load, Put, Steps, advance, awaited, keeping
from ._links import alike
from ._place import Folder, is_place
from ._planner import Planner, Step
from ._vault import Came, Vault
from ._verdict import judge, told
from ._work import Arrival, Brought, Trip, Work

if TYPE_CHECKING:
    from ._journal import Change, Journal, Order
    from ._place import Place, Store
    from ._planner import Reason
    from ._receipt import Receipt
    from ._schema import State
    from ._shared_pace import SharedPace
    from ._spool import Spool


class Engine:
    """A run over one journal. Its methods are for one thread at a time, but for those that say so."""

    def __init__(
        self,
        journal: Journal,
        spool: Spool,
        place: Place | Store,
        planner: Planner,
        *,
        retry_unknown: bool = False,
        pace: SharedPace | None = None,
        provenance: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.place = place
        self.planner = planner
        self.vault = Vault(journal, spool)
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
        self._provenance = provenance
        self.shares = pace is not None
        """Whether a launch may wait for another run."""
        self._pace = pace
        self._clock = clock
        self._after = 0
        self._orders: dict[int, Order] = {}
        self._begun: list[Steps] = []
        """Keeping that is written down and starts with the next step."""
        self._trips: list[Trip] = []
        self._kept: list[Keepings] = []
        self._near = isinstance(place, Folder) and alike(
            os.fspath(journal.path.parent), os.fspath(place.path)
        )
        """Whether a file of the spool can be linked into its place."""
        self.left = False
        """Whether nobody takes in any more what arrives."""
        self._moments = threading.Lock()
        self._lock = threading.Lock()  # a cancelled task goes on while its step is still in a thread

    def begin(self, spooled: Mapping[str, int]) -> None:
        """Take what an earlier run left: answers by their names in the spool, with their bytes.
        Raises `OSError`.
        """
        self.planner.answered_before(self.journal.answered())
        self.vault.open(spooled, self.planner.concurrency)

    def step(self, arrived: Sequence[Arrival]) -> Work:
        """Take in what came and give what follows, with all that it needs already durable."""
        with self._lock:
            came = self._worked(arrived)
            with self._pacing():
                now = self._clock()
                self._take(came, now)
                while count := self.planner.wants:
                    units = self.journal.planned(self._after, count)
                    self._after = units[-1].number if units else self._after
                    self.planner.offer(units, last=len(units) < count)
                self.planner.spooled = self.vault.size
                step = self.planner.next(now)
            return self._written(step)

    def launch(self, order: Order) -> float | None:
        """Seconds to wait before a call that was ordered, and to ask again then; 0 if it is to be made now,
        and counts as begun; `None` if it is not to be made, which has then come of it. For any thread.
        """
        try:
            with self._pacing():
                wait = None if self.left else self.planner.launch(order.unit, self._clock())
                if wait == 0:
                    self.launched.add(order.unit.number)
        except JournalError:  # the next step meets it, too
            wait = None
        return wait

    @contextmanager
    def _pacing(self) -> Iterator[None]:
        """Alone with the pace, and among the runs that share it."""
        with self._moments:
            shared = None if self.left else self._pace
            with nullcontext() if shared is None else shared.held(self.planner):
                yield

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
            came = [one for one in arrived if isinstance(one, Came) and one.order.unit.number in self._orders]
            with self._moments:  # what is not launched by now never is
                self._take(self.vault.secure(came), self._clock())
            for number, order in self._orders.items():
                sent = number in self.launched
                state: State = "held" if sent else "planned"
                why = "the run was stopped before " + ("the answer came" if sent else "it was sent")
                self.vault.note(j.ended(number, order.attempt, state, why, time.time(), unpaid=not sent))
            self._orders.clear()
            self.vault.write()

    def late(self, arrived: Sequence[Arrival]) -> None:
        """What came when nobody took it in any more: the next run finds it. For any thread."""
        self.vault.secure([one for one in arrived if isinstance(one, Came)])

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
            self.error.add_note(
                f"dalle2: images that could not be kept are in {rescued}: move what is in it into "
                f"{self.vault.spool.folder}, and the next run keeps them"
            )

    def _worked(self, arrived: Sequence[Arrival]) -> list[Came]:
        """Do what this disk has to do with it: what was paid for is made safe first, then images are kept."""
        came = self.vault.secure([one for one in arrived if isinstance(one, Came)])
        begun, self._begun = self._begun, []
        for steps in begun:
            self._advance(steps, None)
        for one in arrived:
            if isinstance(one, Brought):
                self._advance(one.trip.steps, one.result)
        if isinstance(self.place, Folder):
            self.place.flush()
        return came

    def _advance(self, steps: Steps, result: object) -> None:
        effect = advance(steps, result, self._perform, self._elsewhere)
        if isinstance(effect, Keepings):
            self._kept.append(effect)
        else:
            assert not isinstance(effect, Load)
            self._trips.append(Trip(effect, steps))

    def _elsewhere(self, effect: Effect) -> bool:
        return isinstance(effect, Fetch) or (isinstance(effect, Put) and not isinstance(self.place, Folder))

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Load):
            return self.vault.load(effect.name, effect.index)
        assert isinstance(effect, Put)
        assert isinstance(self.place, Folder)
        which, source = effect.load, None
        if which is not None and self._near:
            source = self.vault.file_of(which.name, which.index, effect.data)
        self.place.put(effect.key, effect.data, effect.create, source)
        return None

    def _written(self, step: Step) -> Work:
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
        for unit in step.keep:
            work = awaited(self.journal, unit, made_of=self._provenance)  # with what was just written
            if self.vault.holds(work.name):
                self._begun.append(keeping(work))  # once the orders are on their way
            else:
                self._advance(keeping(work), None)
        trips, self._trips = self._trips, []
        wait = 0.0 if self._begun or self._kept else step.wait
        return Work(orders, trips, wait, self.planner.finished)

    def _take(self, came: Sequence[Came], now: float) -> None:
        kept, self._kept = self._kept, []
        for result in kept:
            self._ended(result, now)
        for arrival in came:
            self._orders.pop(arrival.order.unit.number, None)
            if arrival.receipt is not None:
                self._answered(arrival, arrival.receipt, now)
            elif arrival.error is not None:
                self._refused(arrival.order, arrival.error, now)
            else:  # it was not made: a pause or a stop came first
                self.planner.returned(arrival.order.unit)
                self.vault.note(j.given_back(arrival.order, time.time()))
            self.launched.discard(arrival.order.unit.number)

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
        begun = unit.number in self.launched
        verdict = judge(error, begun=begun, retry_unknown=self._retry_unknown)
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

    def _ended(self, result: Keepings, now: float) -> None:
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
            if isinstance(failed, DownloadError):
                self._last = failed
            elif not again or (is_place(self.place) and self.place.lasts(failed)):
                self._fail(failed)
        if failed is not None and not self.vault.holds(result.name):
            self.vault.spool.drop(result.name, result.count)  # what was fetched, and will be again
        error = result.dead or result.note or (told(failed) if failed else None)
        self.vault.note(j.kept(unit.number, result.kept, state, error))
        self.vault.note(j.not_put(unit.number, result.taken))

    def _fail(self, error: BaseException, reason: Reason = "error") -> None:
        """Send nothing more; the first such error is raised in the end."""
        self.planner.stop(reason)
        self.vault.met(error)
        if not self.raises:
            self.error, self.raises = error, True
