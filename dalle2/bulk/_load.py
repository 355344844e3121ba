"""Jobs into the journal: all of them or none, and nothing is spent before all are there.

The rule: each job is checked as its call would be, its files have names that nobody else has, and an id that
the journal knows keeps its request once something was paid for it. Memory does not grow with the jobs: what
must be compared with all of them is compared in the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import attrs

from .._calls._envelope import Options, new_key
from .._money import images_asked
from .._requests._draft import Draft
from ..errors import BudgetExceededError, InvalidRequestError, JournalError
from ._jobs import Job, RowError, dump_meta, dump_request, numbered
from ._naming import Naming, folded
from ._receipt import Expected, expected
from ._rows import Jobs

if TYPE_CHECKING:
    from .._requests._values import Request
    from .._session import Session
    from ._journal import Journal

    Check = Callable[[Request], "Calls"]

_OPEN = ("planned", "failed", "refused")
"""The states in which another request may take an id's place: nothing was paid for that could be lost."""


class Sender(Protocol):
    """A client, as far as it decides without sending."""

    @property
    def _session(self) -> Session: ...


@attrs.frozen
class Calls:
    """What a job's request becomes: so many calls of the same request, each expected to cost so much."""

    request: Request
    count: int
    images: int
    price: Expected


def check_with(client: Sender, *, priced: bool) -> Check:
    """The check of a request against what this client would send. `priced`: the price must be known."""
    session = client._session

    def check(request: Request) -> Calls:
        plan = session.plan(Draft.of(request), Options())
        sent = plan.request.value
        price = expected(sent, session.settings.prices)
        if priced and price.nano is None:
            raise BudgetExceededError(
                f"the price of a call of {sent.model or 'this model'} is not known, so no limit in dollars "
                "can be kept: state size and quality, limit the images (max_images), or bring a PriceTable"
            )
        count = len(plan.parts)
        if count == 1:
            return Calls(request, 1, _images(request), price)
        part = None if price.nano is None else price.nano // count
        return Calls(attrs.evolve(request, n=None), count, 1, Expected(part, price.rough))

    return check


def _images(request: Request) -> int:
    return images_asked((request.extra_body or {}).get("n", request.n))


def load_jobs(journal: Journal, jobs: Iterable[Job | str], check: Check, naming: Naming) -> int:
    """Put jobs into the journal, in one transaction; gives how many there were.

    Raises `InvalidRequestError` (`RowError` for a row) and `JournalError`; the journal is as before then.
    """
    columns_of = jobs.columns_of if isinstance(jobs, Jobs) else lambda field: ()
    journal.db.execute("CREATE TEMP TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY) WITHOUT ROWID")
    with journal.transaction() as db:
        db.execute("DELETE FROM seen")
        (before,) = db.execute("SELECT EXISTS (SELECT 1 FROM job)").fetchone()
        loader = _Loader(db, check, naming)
        row = 0
        for row, job in numbered(jobs):
            try:
                loader.take(job)
            except (InvalidRequestError, BudgetExceededError) as error:
                if not isinstance(error, InvalidRequestError):
                    raise
                column = next(iter(columns_of(error.field)), None)
                at = f", column {column!r:.60}" if column else ""
                raise RowError(
                    f"row {row}{at} (id {job.id!r:.60}): {error}",
                    row=row,
                    column=column,
                    field=error.field,
                    allowed=error.allowed,
                ) from None
        if before and row and not loader.known:
            (some,) = db.execute("SELECT id FROM job ORDER BY n LIMIT 1").fetchone()
            raise JournalError(
                f"the journal {str(journal.path)!r} is of other jobs: no id of these {row} is in it (one of "
                f"its own is {some!r:.60}): name another journal"
            )
    return row


class _Loader:
    """One transaction's worth of jobs."""

    def __init__(self, db: sqlite3.Connection, check: Check, naming: Naming) -> None:
        self._db = db
        self._check = check
        self._naming = naming
        self.known = 0

    def take(self, job: Job) -> None:
        """Put one job in. Raises `InvalidRequestError` or `JournalError`."""
        try:
            self._db.execute("INSERT INTO seen VALUES (?)", (job.id,))
        except sqlite3.IntegrityError:
            raise InvalidRequestError("another row has the same id: ids must differ", field="id") from None
        calls = self._check(job.request)
        text = dump_request(calls.request, self._keep)
        meta = dump_meta(job.meta)
        rows = self._db.execute(
            "SELECT n, part, state, request, meta FROM job WHERE id = ? ORDER BY part", (job.id,)
        ).fetchall()
        if not rows:
            self._insert(job, calls, text, meta, 1)
            return
        self.known += 1
        same = len(rows) == calls.count and all(row[3] == text for row in rows)
        if same:
            if any(row[4] != meta for row in rows):
                self._db.execute("UPDATE job SET meta = ? WHERE id = ?", (meta, job.id))
            return
        for _, _, state, before, _ in rows:
            if state not in _OPEN:
                raise JournalError(
                    f"the id {job.id!r:.60} is {state} in the journal with another request "
                    f"({_difference(before, text, len(rows), calls.count)}): what was paid for keeps its "
                    "request; give the new one a new id"
                )
        self._replace(job, calls, text, meta, [(row[0], row[1]) for row in rows])

    def _insert(self, job: Job, calls: Calls, text: str, meta: str, first: int) -> None:
        for part in range(first, calls.count + 1):
            cursor = self._db.execute(
                "INSERT INTO job (id, part, state, request, key, images, expected, rough, meta) "
                "VALUES (?, ?, 'planned', ?, ?, ?, ?, ?, ?)",
                (job.id, part, text, new_key(), calls.images, calls.price.nano, calls.price.rough, meta),
            )
            assert cursor.lastrowid is not None
            self._name(job, cursor.lastrowid, calls, part)

    def _replace(self, job: Job, calls: Calls, text: str, meta: str, rows: list[tuple[int, int]]) -> None:
        """Another request for a job of which nothing was paid that could be lost. Its attempts stay."""
        for number, part in rows:
            self._db.execute("DELETE FROM image WHERE job = ?", (number,))
            if part > calls.count:
                self._db.execute("DELETE FROM job WHERE n = ?", (number,))
        for number, part in rows:
            if part <= calls.count:
                self._db.execute(
                    "UPDATE job SET state = 'planned', request = ?, key = ?, images = ?, expected = ?, "
                    "rough = ?, meta = ?, error = NULL, nano = NULL WHERE n = ?",
                    (text, new_key(), calls.images, calls.price.nano, calls.price.rough, meta, number),
                )
                self._name(job, number, calls, part)
        self._insert(job, calls, text, meta, len(rows) + 1)

    def _name(self, job: Job, number: int, calls: Calls, part: int) -> None:
        for place in range(1, calls.images + 1):
            name = self._naming.name(job.id, part + place - 1, job.meta)
            fold = folded(name)
            try:
                self._db.execute(
                    "INSERT INTO image (job, place, name, folded, whole) VALUES (?, ?, ?, ?, ?)",
                    (number, place, name, fold, self._naming.whole),
                )
            except sqlite3.IntegrityError:
                (other,) = self._db.execute(
                    "SELECT id FROM job JOIN image ON image.job = job.n WHERE folded = ?", (fold,)
                ).fetchone()
                whose = "of the same job" if other == job.id else f"of the job {other!r:.60}"
                raise InvalidRequestError(
                    f"name: its file {name!r:.80} would be that {whose}: use a template that tells them "
                    "apart, such as {id}-{index}",
                    field="name",
                ) from None

    def _keep(self, name: str, data: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO input VALUES (?, ?)", (name, data))


def _difference(before: str, after: str, count: int, calls: int) -> str:
    """Which fields differ, with values where they are no prompt."""
    import json

    one: Mapping[str, object] = json.loads(before)
    two: Mapping[str, object] = json.loads(after)
    told = []
    for name in sorted({*one, *two}):
        if one.get(name) != two.get(name):
            secret = name in ("prompt", "user", "extra_body", "image", "mask")
            told.append(
                f"{name} differs"
                if secret
                else f"{name} {one.get(name)!r:.40} there, {two.get(name)!r:.40} here"
            )
    return "; ".join(told) or f"{count} calls there, {calls} here"
