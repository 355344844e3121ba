"""The first half of a batch: rows become parts, and each part a file and a batch at the host.

The rule: the part and its rows are written before the one call that costs money, with the name by which the
batch is found again. A call whose answer was lost is settled by the host's own list, and no batch is created
twice; what is not proven either way stays where it is, and is asked after again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .. import errors as e
from .._calls import _batches as calls
from .._calls._envelope import Options
from .._requests._draft import Draft
from .._wire._batch import MOST_BYTES, MOST_LINES, BatchInfo, encode_line, read_batch
from . import _batch_book as book
from . import _batch_rules as rules
from ._errands import Ask, Errand, Pause
from ._planner import Limits

if TYPE_CHECKING:
    from .._calls._outcome import Call
    from .._session import Session
    from .._wire._batch import Page
    from ._batch_book import Entry, Lot, Waiting
    from ._journal import Change, Journal
    from ._planner import Unit
    from ._schema import State
    from ._signals import Stopper

_ROWS = 256
"""Rows that are read at once."""
_MOST_PAGES = 1000
_UNSEEN = (
    "the host does not show the batch of this row to this key, and not that it has none: nobody here knows "
    "whether it was paid for; take the key that it was handed over with"
)

Listed: TypeAlias = tuple[list[Mapping[str, object]], bool]


@attrs.define
class Desk:
    """What both halves work with."""

    journal: Journal
    session: Session
    stopper: Stopper
    why: str | None = None
    """Why not everything was done."""
    _lost: dict[int, float] = attrs.field(factory=dict, init=False)
    """When the answer to a creation was given up here, by a clock that nobody sets."""

    @property
    def stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stopper.count > 0

    def call(self, make: Callable[..., Call[Any]], *args: object) -> Ask:
        """A call of the Batch API as an errand."""
        return Ask(make(self.session.settings, self.session.state, *args))

    def pages(self, make: Callable[..., Call[Page]]) -> Generator[Errand, Any, Listed]:
        """All rows of a list, and whether it came to its end."""
        rows: list[Mapping[str, object]] = []
        after = None
        for _ in range(_MOST_PAGES):
            page: Page = yield self.call(make, after)
            rows += page.rows
            if page.after is None:
                return rows, True
            if page.after == after:  # a host that gives its first part for ever
                break
            after = page.after
        return rows, False

    def settle(self, lot: Lot) -> Generator[Errand, Any, bool]:
        """Find out whether a batch was created whose creation was not heard of; `False` if that cannot be
        known yet. Its rows are then where they belong.
        """
        try:
            rows, proof = yield from self.pages(calls.batches_call)
        except e.Dalle2Error as error:
            if not rules.not_shown(error):
                raise
            rows, proof = [], False
        known = book.ids(self.journal.db)
        row = next((row for row in rows if rules.is_it(row, lot.run, lot.number, lot.file, known)), None)
        if row is not None:
            self.journal.write(book.looked(lot, read_batch(row)))
            return True
        if self._unsettled(lot):
            return False
        if lot.who is None or rules.who(self.session.settings, lot.run) != lot.who:
            try:
                yield self.call(calls.file_call, lot.file)
            except e.NotFoundError:
                proof = False
        if proof:
            self.give_back(lot, "the host does not list its batch, which was never created")
        else:
            self.hold(lot, _UNSEEN)
        return True

    def _unsettled(self, lot: Lot) -> float:
        """Seconds until the host's list proves that a batch was never created."""
        lost = self._lost.get(lot.number)
        if lost is None:
            return rules.unsettled(lot.sent_at, time.time())
        return rules.unsettled(lost, time.monotonic())

    def settled(self, lot: Lot) -> Generator[Errand, Any, bool]:
        """The same, however long that takes; `False` if somebody asks for the end."""
        looks = iter(rules.LOOKS)
        while not self.stopped:
            left = self._unsettled(lot)
            yield Pause(min(next(looks, left), left))
            if (yield from self.settle(lot)):
                return True
        return False

    def hold(self, lot: Lot, why: str) -> list[int]:
        """Rows of which nobody can know, and which of them are new to that. If there are none, the batch is
        not asked after any more.
        """
        rows = [row for row in book.waiting(self.journal.db, lot).values() if row.open]
        new = [row for row in rows if not row.held]
        self._write(new, "held", why, () if rows else book.ended(lot, "unknown", why))
        return [row.number for row in new]

    def give_back(self, lot: Lot, why: str) -> None:
        """Rows that were certainly not carried out are planned again."""
        rows = [row for row in book.waiting(self.journal.db, lot).values() if row.open]
        self._write(rows, "planned", why, book.ended(lot, "not created", why))

    def _write(self, rows: Iterable[Waiting], state: State, why: str, more: Iterable[Change]) -> None:
        now, unpaid = time.time(), state == "planned"
        changes = [one for row in rows for one in book.row_ended(row, state, why, now, unpaid=unpaid)]
        self.journal.write([*changes, *more])


@attrs.define
class Part:
    """Rows that become one batch: of one model."""

    model: str
    entries: list[Entry] = attrs.field(factory=list)
    images: int = 0
    size: int = 0

    def takes(self, entry: Entry) -> bool:
        """Whether it has room for another row."""
        return not self.entries or (
            self.images + entry.order.unit.images <= rules.PART_IMAGES
            and self.size + len(entry.line) <= MOST_BYTES
            and len(self.entries) < MOST_LINES
        )

    def add(self, entry: Entry) -> None:
        """Put a row in."""
        self.entries.append(entry)
        self.images += entry.order.unit.images
        self.size += len(entry.line)


class Submitter(Desk):
    """The first half, within limits on images and money."""

    def __init__(
        self, journal: Journal, session: Session, stopper: Stopper, limits: Limits, force: bool
    ) -> None:
        super().__init__(journal, session, stopper)
        self._limits = limits
        self._force = force
        self._images, self._nano = journal.spent()
        self._run = os.urandom(8).hex()

    def submitting(self) -> Generator[Errand, Any, None]:
        """Settle what was in doubt, then hand over all rows that are planned."""
        for lot in book.lots(self.journal.db):
            if lot.state == "sent":
                yield from self.settled(lot)
        try:
            yield from self._handing()
        except e.APIStatusError as error:
            if rules.has_none(error):
                way = "a host that has no batches makes the rows one by one, with bulk.resume"
                error.args = (f"{error.message} ({way})",)
            raise

    def _handing(self) -> Generator[Errand, Any, None]:
        files: dict[str, str] | None = None
        for part in self.parts():
            if self.stopped:
                return
            data = b"".join(entry.line for entry in part.entries)
            name = rules.file_name(data)
            if files is None:
                files = yield from self._files()
            if name not in files:
                files[name] = yield self.call(calls.upload_call, name, data)
            yield from self._create(part, files[name])

    def _files(self) -> Generator[Errand, Any, dict[str, str]]:
        """The input files that are there, by name: what was uploaded before is not uploaded again."""
        try:
            rows, _ = yield from self.pages(calls.files_call)
        except e.Dalle2Error as error:
            if not (rules.not_shown(error) or isinstance(error, e.InternalServerError)):
                raise
            return {}
        return {str(row.get("filename")): str(row["id"]) for row in rows}

    def _create(self, part: Part, file: str) -> Generator[Errand, Any, None]:
        number, run = book.next_number(self.journal.db), self._run
        who = rules.who(self.session.settings, run)
        lot = book.Lot(number, run, part.model, file, who, "sent", None, None, time.time())
        self.journal.write(book.sent(lot, part.entries))
        metadata, key = rules.metadata_of(run, number), f"dalle2-{run}-{number}"
        try:
            info: BatchInfo = yield self.call(calls.create_call, file, part.model, metadata, key)
        except e.Dalle2Error as error:
            if not (error.maybe_billed or isinstance(error, e.DecodeError)):
                self.give_back(lot, f"its batch was not created: {type(error).__name__}: {error}"[:1000])
                raise
            self._lost[number] = time.monotonic()
            try:
                yield from self.settled(lot)
            except e.APIError as problem:
                problem.maybe_billed = True
                problem.args = (
                    f"part {number} was handed over, and nobody knows yet whether its batch was created: "
                    f"submit again ({problem.message})",
                )
                raise
            after = {one.number: one for one in book.lots(self.journal.db)}.get(number)
            if after is not None and after.id is not None:
                return
            error.maybe_billed = after is not None
            what = "not heard of" if after else "never created"
            why = error.reason if isinstance(error, e.OutcomeUnknownError) else "of another shape"
            error.args = (
                f"part {number} was handed over, no readable answer came ({why}), and its batch was {what}: "
                "submit again",
            )
            raise
        else:
            self.journal.write(book.looked(lot, info))

    def parts(self) -> Iterator[Part]:
        """The planned rows as parts, in order; what a limit or a batch does not allow stays planned."""
        open_parts: dict[str, Part] = {}
        for unit in self._planned():
            try:
                model, entry = self._entry(unit)
            except e.InvalidRequestError as problem:
                self.why = f"some rows cannot be part of a batch, and are left to bulk.resume: {problem}"
                continue
            if not self._affords(unit):
                self.why = "the budget is reached"
                break
            part = open_parts.get(model)
            if part is not None and not part.takes(entry):
                yield open_parts.pop(model)
            open_parts.setdefault(model, Part(model)).add(entry)
        yield from open_parts.values()

    def _planned(self) -> Iterator[Unit]:
        after = 0
        while units := self.journal.planned(after, _ROWS):
            yield from units
            after = units[-1].number

    def _entry(self, unit: Unit) -> tuple[str, Entry]:
        """A row as the line of a batch: what the call itself would send."""
        order = self.journal.order(unit)
        plan = self.session.plan(Draft.of(order.request), Options())
        call = self.session.attempts(*plan.parts[0]).call
        model = call.context.model
        rules.check_batchable(plan.request.operation, model, force=self._force)
        assert call.request.content is not None
        return model, book.Entry(order, encode_line(str(unit.number), call.request.content), plan.scale)

    def _affords(self, unit: Unit) -> bool:
        self._images += unit.images
        self._nano += rules.half(unit.reserve or 0)
        limits = self._limits
        return (limits.images is None or self._images <= limits.images) and (
            limits.nano is None or self._nano <= limits.nano
        )
