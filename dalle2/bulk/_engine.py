"""One run: the planner's decisions made durable, and the work that follows from them.

The rule: `step` takes in what came, writes all that follows from it into the journal in one commit, and only
then gives the work that this allows. It is the same for threads and for tasks, which do the work, wait and
come back. What was paid for and cannot be written down just now is not forgotten before it can be.
"""

from __future__ import annotations

import errno
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ..errors import DownloadError
from . import _journal as j
from ._ballast import Ballast
from ._keeper import Keeping, Keepings
from ._place import Folder
from ._planner import Planner, Step, Unit
from ._receipt import Receipt
from ._spool import Spool
from ._verdict import judge, told

if TYPE_CHECKING:
    from ._journal import Change, Journal, Order
    from ._place import Store
    from ._planner import Reason
    from ._schema import State
    from ._shared_pace import SharedPace


@attrs.frozen
class Came:
    """What came of a call: a receipt, or an error, or both. `spooled` is how many bytes are safe, and `None`
    if they could not be made safe.
    """

    order: Order
    receipt: Receipt | None = None
    error: BaseException | None = None
    spooled: int | None = 0


Arrival: TypeAlias = Came | Keepings


@attrs.frozen
class Work:
    """What is to be done now, what to wait for at most (seconds), and whether that was all."""

    orders: Sequence[Order] = ()
    keepings: Sequence[Keeping] = ()
    wait: float | None = None
    finished: bool = False


class Engine:
    """A run over one journal. Not for several threads at once, but for `secure` and `load`."""

    def __init__(
        self,
        journal: Journal,
        place: Folder | Store,
        planner: Planner,
        *,
        retry_unknown: bool = False,
        whole_names: bool = False,
        pace: SharedPace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.place = place
        self.planner = planner
        self.spool = Spool(journal.path)
        self.error: BaseException | None = None
        """What stopped the run."""
        self.raises = False
        """Whether `error` is raised in the end: what only the network did is not."""
        self.ended: list[int] = []
        """The units that ended since somebody looked."""
        self.launched: set[int] = set()
        """The units whose calls a worker has begun to make."""
        self._ballast = Ballast(journal.path.with_name(f"{journal.path.name}.room"))
        self._retry_unknown = retry_unknown
        self._whole = whole_names
        self._pace = pace
        self._clock = clock
        self._after = 0
        self._orders: dict[int, Order] = {}
        self._unsafe: dict[str, Receipt] = {}
        """Answers of which something is nowhere but here: their bytes, or (`_unwritten`) that they came."""
        self._unwritten: set[str] = set()
        self._changes: list[Change] = []
        self._drops: list[tuple[str, int]] = []
        self._spooled: dict[str, int] = {}
        self._lock = threading.Lock()  # a cancelled task goes on while its step is still in a thread

    def begin(self, spooled: Mapping[str, int]) -> None:
        """Take what an earlier run left (answers by name, with their bytes), and the room that this one may
        need. Raises `OSError`.
        """
        self._spooled.update(spooled)
        self.planner.spooled = sum(spooled.values())
        self.planner.answered_before(self.journal.answered())
        self._ballast.take(self.planner.concurrency)

    # What workers ask, in threads of their own

    def secure(self, order: Order, receipt: Receipt) -> Came:
        """Make bytes safe that exist nowhere else; whatever happens, they come back."""
        if not receipt.has_bytes:
            return Came(order, receipt)
        try:
            try:
                size = self.spool.put(order.name, receipt)
            except OSError:
                self._ballast.give_up()
                size = self.spool.put(order.name, receipt)
        except Exception as problem:
            return Came(order, receipt, problem, None)
        return Came(
            order,
            attrs.evolve(receipt, images=tuple((facts, None) for facts, _ in receipt.images)),
            None,
            size,
        )

    def load(self, name: str, index: int) -> bytes | None:
        """The bytes of an image that are held here."""
        unsafe = self._unsafe.get(name)
        held = None if unsafe is None else unsafe.images[index][1]
        return self.spool.image(name, index) if held is None else held

    # Step by step

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
            return self._begun(self.planner.next(now))

    def _take(self, arrived: Sequence[Arrival], now: float) -> None:
        for arrival in arrived:
            if isinstance(arrival, Came):
                self._came(arrival, now)
            else:
                self._kept(arrival, now)

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
                self._changes += j.ended(number, order.attempt, state, why, time.time(), unpaid=not sent)
            self._orders.clear()
            self._write(())

    def finish(self) -> None:
        """The end of the run, however it came: what is not written yet is written, or at least saved."""
        try:
            self._write(())
        except OSError as problem:
            self._fail(problem)
        self._rescue()
        self._ballast.give_up()
        self.spool.tidy()

    def _begun(self, step: Step) -> Work:
        begun: list[Change] = []
        for unit in step.keep:
            begun += j.putting(unit.number)
        orders = [self.journal.order(unit) for unit in step.send]
        for order in orders:
            begun += j.sent(order, time.time())
        try:
            self._write(begun)
        except OSError as problem:
            self._fail(problem)
            for unit in step.send:
                self.planner.ended(unit, billed=False, heard=False)
            orders.clear()
            if self._changes:  # not even what came is written: its images wait for the next run
                for unit in step.keep:
                    self.planner.left(unit)
                step = Step()
        for order in orders:
            self._orders[order.unit.number] = order
        keepings = [self._keeping(unit) for unit in step.keep]  # with what was just written
        return Work(orders, keepings, step.wait, self.planner.finished)

    def _keeping(self, unit: Unit) -> Keeping:
        attempt, images = self.journal.awaiting(unit)
        return Keeping(unit, j.spool_name(unit.number, attempt), images, self._whole)

    def _write(self, begun: Sequence[Change]) -> None:
        """Make everything durable; what came stays to be written if it cannot be. Raises `OSError`."""
        if self._changes or begun:
            try:
                self.journal.write([*self._changes, *begun])
            except OSError:
                self._ballast.give_up()
                self.journal.write(self._changes)
                self._written()
                raise
            self._written()
        for name, count in self._drops:
            self.spool.drop(name, count)
        self._drops.clear()

    def _written(self) -> None:
        self._changes.clear()
        for name in self._unwritten:
            self._unsafe.pop(name, None)
        self._unwritten.clear()

    def _came(self, came: Came, now: float) -> None:
        order, wall = came.order, time.time()
        unit = order.unit
        self._orders.pop(unit.number, None)
        self.launched.discard(unit.number)
        if came.receipt is not None:
            nano = self._settled(unit, came.receipt)
            self._changes += j.answered(unit, order.attempt, came.receipt, nano, wall)
            self.planner.answered(unit, nano, now, came.receipt.told)
            self._unsafe[order.name] = came.receipt
            if came.spooled is None:
                self._fail(came.error)
            else:
                self._unwritten.add(order.name)
                self._spooled[order.name] = came.spooled
                self.planner.spooled += came.spooled
            return
        assert came.error is not None
        verdict = judge(came.error, retry_unknown=self._retry_unknown)
        state: State = "planned"
        if verdict.fate == "limited":
            self.planner.limited(unit, verdict.retry_after, now)
            if self.planner.stopped == "limited":
                self._fail(came.error, "limited")
        elif verdict.fate in ("troubled", "retried"):
            again = self.planner.troubled(unit, now, billed=verdict.billed, retry_after=verdict.retry_after)
            state = "planned" if again or not verdict.billed else "held"
            if self.planner.stopped == "unreachable" and self.error is None:
                self.error = came.error
        else:
            self.planner.ended(unit, billed=verdict.billed, heard=verdict.fate in ("refused", "failed"))
            state = verdict.fate if verdict.fate in ("refused", "failed", "held") else "planned"
        if verdict.stops:
            self._fail(came.error)
        note = told(came.error) + self._unread(order, came.error)
        self._changes += j.ended(unit.number, order.attempt, state, note, wall, unpaid=not verdict.billed)
        if state not in ("planned", "sent"):
            self.ended.append(unit.number)

    def _settled(self, unit: Unit, receipt: Receipt) -> int | None:
        """What a call cost: as the answer tells, else as it was expected."""
        return receipt.nano if receipt.nano is not None else self.journal.expected(unit)

    def _unread(self, order: Order, error: BaseException) -> str:
        """Keep the bytes of an answer that could not be read; says where they are."""
        body = getattr(error, "body", None)
        if not isinstance(body, bytes) or not body:
            return ""
        try:
            return f" (what came is in {self.spool.put_body(order.name, body)})"
        except OSError as problem:
            self._fail(problem)
            return ""

    def _kept(self, result: Keepings, now: float) -> None:
        unit = result.unit
        number = unit.number
        missing = result.count - len(result.kept)
        if result.failed is None:
            state: State = "expired" if missing else "done"
            self.planner.kept(unit)
            self.ended.append(number)
            self._unsafe.pop(result.name, None)
            self._drops.append((result.name, max(result.count, unit.images)))
            self.planner.spooled -= self._spooled.pop(result.name, 0)
        else:
            state = "answered"
            again = self.planner.keep_failed(unit, now)
            local = isinstance(result.failed, OSError) and isinstance(self.place, Folder)
            if isinstance(result.failed, FileExistsError):
                pass  # this row's own trouble, and told there
            elif local or not (again or isinstance(result.failed, DownloadError)):
                self._fail(result.failed)
            elif self.planner.stopped == "unreachable" and self.error is None:
                self.error = result.failed
        error = result.dead or result.note or (told(result.failed) if result.failed else None)
        self._changes += j.kept(number, result.kept, state, error)
        self._changes += j.not_put(number, result.taken)

    def _fail(self, error: BaseException | None, reason: Reason = "error") -> None:
        """Send nothing more; the first such error is raised in the end."""
        self.planner.stop(reason)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._ballast.give_up()
        if not self.raises:
            self.error, self.raises = error, True

    def _rescue(self) -> None:
        """Save what is only in memory to the system's temporary directory, and say where."""
        if not self._unsafe:
            return
        folder = Path(tempfile.mkdtemp(prefix="dalle2-"))
        rescue = Spool(folder / "rescued")
        try:
            for name, receipt in self._unsafe.items():
                rescue.put(name, receipt)
        except OSError:
            pass
        if self.error is not None:
            self.error.add_note(f"dalle2: images that could not be kept are in {rescue.folder}")
