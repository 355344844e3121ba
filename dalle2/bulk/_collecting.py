"""The second half of a batch: it is asked after, and once it has ended each line of its files is taken in.

The rule: a file is read line by line, and each answer is spooled before the next is looked at; what was taken
in before is not taken in again. A batch has ended here only once every row of it is back: answered, refused,
failed, planned again, held, or told as gone.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import attrs

from .. import errors as e
from .._calls import _batches as calls
from .._requests._draft import Draft
from .._requests._successor import fitted
from .._results._blocking import Images
from .._wire._batch import BatchInfo, Line, Lines, read_line
from .._wire._images import Unreadable
from . import _batch_book as book
from . import _batch_rules as rules
from ._errands import Errand, Keep, More, Open, Pause
from ._journal import Order
from ._planner import Unit
from ._receipt import nano, receipt_of, receipt_of_error
from ._submitting import Desk
from ._vault import Came
from ._verdict import judge, told

if TYPE_CHECKING:
    from .._session import Session
    from .._wire._body import JsonBody
    from ._batch_book import Lot, Waiting
    from ._engine import Engine
    from ._receipt import Receipt
    from ._schema import State
    from ._signals import Stopper


@attrs.define
class Tally:
    """What was seen of one batch."""

    lot: Lot
    rows: dict[str, Waiting]
    seen: set[int] = attrs.field(factory=set)
    came: set[int] = attrs.field(factory=set)
    """Rows whose images are here."""
    lines: int = 0
    unread: int = 0
    strange: int = 0
    well: int = 0
    doubled: int = 0
    gone: bool = False
    other: bool = False
    """Something else came than one of its files."""

    def notes(self, missing: int) -> str | None:
        """What was odd, in words."""
        found = [
            (self.doubled, "answered twice"),
            (missing, "spoken of by no line"),
            (self.unread, "lines that could not be read"),
            (self.strange, "lines of no row of it"),
        ]
        parts = [f"{count} {what}" for count, what in found if count]
        parts += ["its output file was gone"] if self.gone else []
        return ", ".join(parts) or None


class Collector(Desk):
    """The second half, over the engine of a run that sends nothing."""

    def __init__(self, engine: Engine, session: Session, stopper: Stopper, seconds: float | None) -> None:
        super().__init__(engine.journal, session, stopper)
        self.problem: Exception | None = None
        """What the host said no to, raised once everything is taken in."""
        self._engine = engine
        self._until = None if seconds is None else time.monotonic() + seconds
        self._pending = 0

    @property
    def stopped(self) -> bool:
        """Whether somebody asked for the end, or nothing more can be kept."""
        return super().stopped or self._engine.planner.stopped is not None

    def hold(self, lot: Lot, why: str) -> list[int]:
        """Rows of which nobody can know, told to who wants to."""
        new = super().hold(lot, why)
        self._engine.ended += new
        return new

    def collecting(self) -> Generator[Errand, Any, None]:
        """Ask and take in until every batch has ended, or nobody waits any longer."""
        yield Keep()  # what an earlier run left
        polls = troubles = 0
        while not self.stopped:
            left = None if self._until is None else self._until - time.monotonic()
            try:
                waiting = yield from self._round()
                troubles = 0
            except e.Dalle2Error as error:
                troubles += 1
                if not rules.passes(error) or troubles > rules.TROUBLES or (left is not None and left <= 0):
                    raise
                waiting = "the host does not answer"
            if waiting is None or self.stopped:
                return
            if left is not None and left <= 0:
                self.why = waiting
                return
            yield from self._kept()  # and tell how far it is
            seconds = rules.pause(polls)
            yield Pause(seconds if left is None else min(seconds, left))
            polls += 1

    def _round(self) -> Generator[Errand, Any, str | None]:
        """Ask after each batch once, first after those that are known; gives why it must be asked again."""
        doubtful = [lot for lot in book.lots(self.journal.db) if lot.id is None]
        numbers = {lot.number for lot in doubtful}
        known = {lot.number for lot in book.lots(self.journal.db)} - numbers
        if known or doubtful:
            calls.check_batches(self.session.settings)
        waiting = yield from self._asked(known)
        for lot in doubtful:
            if not (yield from self.settle(lot)):
                waiting = f"nobody knows yet whether part {lot.number} was created"
        return (yield from self._asked(numbers)) or waiting

    def _asked(self, numbers: set[int]) -> Generator[Errand, Any, str | None]:
        waiting: str | None = None
        for lot in book.lots(self.journal.db):
            if lot.number in numbers and lot.id is not None and not self.stopped:
                waiting = (yield from self._asked_after(lot, lot.id)) or waiting
        return waiting

    def _asked_after(self, lot: Lot, name: str) -> Generator[Errand, Any, str | None]:
        try:
            info: BatchInfo = yield self.call(calls.batch_call, name)
        except e.NotFoundError as error:
            self.hold(lot, told(error))
            return None
        self.journal.write(book.looked(lot, info))
        if not info.ended:
            return "batches are still under way: collect again"
        yield from self._taken_in(lot, info)
        return None

    def _taken_in(self, lot: Lot, info: BatchInfo) -> Generator[Errand, Any, None]:
        tally = Tally(lot, book.waiting(self.journal.db, lot))
        for file in info.files:
            yield Open(self.call(calls.content_call, file).call)
            lines, before, unread = Lines(), tally.lines, tally.unread
            try:
                while not self.stopped and (chunk := (yield More())) is not None:
                    for body in lines.feed(chunk):
                        self._line(tally, body)
                    if self._pending >= 2 * self._engine.planner.concurrency:
                        yield from self._kept()
            except e.NotFoundError as error:
                tally.gone = True
                try:
                    yield self.call(calls.file_call, file)
                except e.NotFoundError:
                    continue
                raise error  # the host shows the file, and does not give it now
            if self.stopped:
                yield from self._kept()
                return
            for body in lines.finish():
                self._line(tally, body)
            tally.other |= tally.unread - unread == tally.lines - before > 0
        yield from self._kept()
        self._end(tally, info)

    def _kept(self) -> Generator[Errand, Any, None]:
        self._pending = 0
        yield Keep()

    def _line(self, tally: Tally, body: JsonBody) -> None:
        """Take one line in. Raises `OSError` for a full disk: the line is read again next time."""
        tally.lines += 1
        try:
            line = read_line(body)
        except Unreadable:
            tally.unread += 1
            self._put_aside(tally, body)
            return
        row = tally.rows.get(line.custom_id)
        if row is None:
            tally.strange += 1
            self._put_aside(tally, body)
            return
        again = row.number in tally.seen
        tally.seen.add(row.number)
        tally.well += not again and line.status < 300
        doubled = again or (row.resent and line.status < 300)
        tally.doubled += doubled
        wanted = (row.open or row.released) and row.number not in tally.came
        if wanted and self._row(tally, row, line, again=again or row.released):
            tally.came.add(row.number)
        elif doubled:
            where = self._put_aside(tally, body)
            self._engine.vault.note(book.told(row.number, f"answered twice: the other answer is in {where}"))

    def _put_aside(self, tally: Tally, body: JsonBody) -> str:
        name = f"batch-{tally.lot.number}-line-{tally.lines}"
        return str(self._engine.vault.spool.put_body(name, body.raw()))

    def _row(self, tally: Tally, row: Waiting, line: Line, *, again: bool) -> bool:
        """Take in what a row was answered; gives whether there were images. If it was answered before, only
        they are looked for.
        """
        unit = Unit(row.number, row.images)
        request = self.journal.order(unit).request
        order = Order(unit, request, "", row.attempt)
        if line.undone:
            if not again:
                self._ended(row, "planned", "the batch ended before it was carried out", unpaid=True)
            return False
        try:
            receipt = self._receipt(order, tally.lot.model, row, line)
        except e.Dalle2Error as error:
            kept = receipt_of_error(error, told(error))
            if kept is None:
                if not again:
                    self._refused(order, row, error)
                return False
            receipt = attrs.evolve(kept, nano=row.nano)
        (came,) = self._engine.vault.secure([Came(order, receipt)])
        if came.error is not None:
            raise came.error
        self._engine.came(came)
        self._pending += 1
        return True

    def _receipt(self, order: Order, model: str, row: Waiting, line: Line) -> Receipt:
        session, request = self.session, Draft.of(order.request)
        try:
            data = calls.images_of_line(
                session.settings, session.state, request, model, line, session.state.now()
            )
        except e.Dalle2Error as error:
            if row.scale is not None:
                error.images = [fitted(image, row.scale) for image in error.images]  # type: ignore[arg-type]
            raise
        data = data._replace(prices=session.settings.prices, request=request.to(model))
        cost = Images.of(data, None).cost
        if row.scale is not None:
            data = data._replace(images=tuple(fitted(image, row.scale) for image in data.images))
        usd = row.nano if cost is None else rules.half(nano(cost))
        return attrs.evolve(receipt_of(Images.of(data, None)), nano=usd, told=None)

    def _refused(self, order: Order, row: Waiting, error: e.Dalle2Error) -> None:
        """A line without images: the host's no to this row, or what the row cannot help."""
        verdict = judge(error)
        state: State = verdict.fate if verdict.fate in ("refused", "failed", "held") else "planned"
        note = told(error) + self._engine.vault.keep_body(order, error)
        self._ended(row, state, note, unpaid=not verdict.billed)
        if verdict.stops:
            self.problem = self.problem or error

    def _ended(self, row: Waiting, state: State, why: str, *, unpaid: bool) -> None:
        self._engine.vault.note(book.row_ended(row, state, why, time.time(), unpaid=unpaid))
        if state != "planned":
            self._engine.ended.append(row.number)

    def _end(self, tally: Tally, info: BatchInfo) -> None:
        """Every line was taken in: what no line spoke of is decided, and the batch has ended. If something
        else came than its files, its rows are held, and it is asked after again.
        """
        lot, vault = tally.lot, self._engine.vault
        missing = [row for row in tally.rows.values() if row.open and row.number not in tally.seen]
        doubtful = tally.unread > 0 or tally.well < (info.completed or 0)
        state = rules.left_over(undone=info.leaves_undone, gone=tally.gone, doubtful=doubtful)
        why = {
            "expired": "its batch was carried out, and the file with the images is gone from the host",
            "planned": f"its batch ended before it was carried out ({info.status})",
            "held": "no line of its batch speaks of it: nobody here knows whether it was paid for",
        }[state]
        if tally.unread:
            why += f"; {tally.unread} lines that could not be read are in {vault.spool.folder}"
        for row in missing:
            self._ended(row, state, why, unpaid=state == "planned")
        notes = tally.notes(0 if state == "planned" else len(missing))
        if info.problem is not None:
            error = calls.failed_error(self.session.settings, self.session.state, lot.model, info.problem)
            error.args = (
                f"part {lot.number} did not pass the host's checks; nothing of it was billed, and its rows "
                f"are planned again. {error.message}",
            )
            self.problem, notes = self.problem or error, told(error)
        other = tally.other or (bool(info.files) and tally.lines == 0)
        if other and missing and state == "held":
            vault.write(book.odd(lot, notes))
        else:
            vault.write(book.ended(lot, info.status, notes))
