"""What the journal says and how it changes: each transition as the statements that make it.

The rule: a change is a value (`Change`), and changes become durable together, in one commit, before anything
that they allow is done. Nothing here decides what happens to a job.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

from .. import __version__
from ._guard import Guard
from ._jobs import load_request
from ._planner import Unit
from ._receipt import Expected, Receipt
from ._schema import open_for_writing, unusable

if TYPE_CHECKING:
    from .._requests._values import Request
    from ._schema import State

Change: TypeAlias = tuple[str, tuple[object, ...]]
"""One SQL statement and its values."""


@attrs.frozen
class Order:
    """A call to be made: its unit, its request, its idempotency key, and the number of this attempt."""

    unit: Unit
    request: Request
    key: str
    attempt: int

    @property
    def name(self) -> str:
        """What its answer is called in the spool."""
        return spool_name(self.unit.number, self.attempt)


def spool_name(job: int, attempt: int) -> str:
    """What the answer of an attempt is called in the spool."""
    return f"{job}-{attempt}"


@attrs.frozen
class Awaiting:
    """An image that was paid for and is still to be kept."""

    place: int
    name: str
    whole: bool
    """The name has a suffix of its own."""
    facts: dict[str, object]
    again: bool
    """It was about to be put before: what lies under its name may be its own."""


@attrs.frozen
class Kept:
    """An image in its place; `path` is its whole name there."""

    place: int
    path: str
    size: int
    sha256: str


@attrs.frozen
class MadeOf:
    """What an image was made of: its request as it is written, the host's name for the call, and when."""

    request: dict[str, object]
    request_id: str | None
    created: datetime


class Journal:
    """The one writer of a journal file. Raises `JournalError` for one that cannot be used."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._guard = Guard(path)
        self._read: dict[int, tuple[str, str, int]] = {}
        """What was read of planned jobs that are not sent yet, to be used once."""
        try:
            self.db = open_for_writing(path, create=create)
        except BaseException:
            self._guard.release()
            raise

    def close(self) -> None:
        """Close the file and give the lock back."""
        self.db.close()
        self._guard.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises `JournalError` where the file is the trouble, `OSError` for a full disk."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as problem:
            raise unusable(self.path, problem) from None

    def write(self, changes: Iterable[Change]) -> None:
        """Make changes durable together. Raises `OSError` for a full disk: nothing has changed then."""
        with self.transaction() as db:
            for statement, values in changes:
                db.execute(statement, values)

    def begin_run(self, options: dict[str, object]) -> None:
        """Note that a run begins."""
        values = time.time(), __version__, json.dumps(options)
        self.write([("INSERT INTO run (started, version, options) VALUES (?, ?, ?)", values)])

    def last_options(self) -> dict[str, object]:
        """What the last run was told."""
        row = self.db.execute("SELECT options FROM run ORDER BY n DESC LIMIT 1").fetchone()
        return {} if row is None else cast("dict[str, object]", json.loads(row[0]))

    def input(self, name: str) -> bytes:
        """An image that a request carries."""
        (data,) = self.db.execute("SELECT data FROM input WHERE sha256 = ?", (name,)).fetchone()
        return bytes(data)

    def planned(self, after: int, count: int) -> list[Unit]:
        """The next units to be sent, in order."""
        rows = self.db.execute(
            "SELECT n, images, expected, rough, request, key, attempts FROM job "
            "WHERE state = 'planned' AND n > ? ORDER BY n LIMIT ?",
            (after, count),
        ).fetchall()
        self._read |= {row[0]: row[4:] for row in rows}
        return [_unit(*row[:4]) for row in rows]

    def answered(self) -> Iterator[Unit]:
        """The units that are paid for and not yet kept."""
        for row in self.db.execute("SELECT n, images, expected, rough FROM job WHERE state = 'answered'"):
            yield _unit(*row)

    def order(self, unit: Unit) -> Order:
        """The call for a unit."""
        request, key, attempts = (
            self._read.pop(unit.number, None)
            or self.db.execute(
                "SELECT request, key, attempts FROM job WHERE n = ?", (unit.number,)
            ).fetchone()
        )
        return Order(unit, load_request(request, self.input), key, attempts + 1)

    def awaiting(self, unit: Unit) -> tuple[int, list[Awaiting]]:
        """The attempt that was answered, and its images that are still to be kept; `putting` is
        noted before.
        """
        rows = self.db.execute(
            "SELECT attempts, place, name, whole, facts, putting FROM job LEFT JOIN image "
            "ON image.job = n AND facts IS NOT NULL AND path IS NULL WHERE n = ? ORDER BY place",
            (unit.number,),
        ).fetchall()
        return rows[0][0], [
            Awaiting(place, name, bool(whole), json.loads(facts), put > 1)
            for _, place, name, whole, facts, put in rows
            if place is not None
        ]

    def made_of(self, unit: Unit) -> MadeOf:
        """What the sidecars of its images say."""
        request, request_id, at = self.db.execute(
            "SELECT request, request_id, ended_at FROM job JOIN attempt ON job = n AND number = attempts "
            "WHERE n = ?",
            (unit.number,),
        ).fetchone()
        return MadeOf(json.loads(request), request_id, datetime.fromtimestamp(at, UTC))

    def expected(self, unit: Unit) -> int | None:
        """What a unit was expected to cost."""
        (nano,) = self.db.execute("SELECT expected FROM job WHERE n = ?", (unit.number,)).fetchone()
        return cast("int | None", nano)

    def spent(self) -> tuple[int, int]:
        """Images and billionths of a dollar of all attempts that were, or may have been, paid for."""
        images, nano = self.db.execute(
            "SELECT COALESCE(SUM(images), 0), COALESCE(SUM(nano), 0) FROM attempt "
            "WHERE state IN ('sent', 'held', 'answered', 'billed')"
        ).fetchone()
        return images, nano


def _unit(number: int, images: int, nano: int | None, rough: int) -> Unit:
    return Unit(number, images, Expected(nano, bool(rough)).reserve)


# Transitions


def sent(order: Order, now: float) -> list[Change]:
    """It is about to be sent."""
    unit = order.unit
    return [
        (
            "UPDATE job SET state = 'sent', attempts = ?, error = NULL WHERE n = ?",
            (order.attempt, unit.number),
        ),
        (
            "INSERT INTO attempt (job, number, key, state, sent_at, images, nano) "
            "VALUES (?, ?, ?, 'sent', ?, ?, ?)",
            (unit.number, order.attempt, order.key, now, unit.images, unit.reserve),
        ),
    ]


def given_back(order: Order, now: float) -> list[Change]:
    """It was about to be sent, and was not."""
    why = "held back before it was sent"
    return ended(order.unit.number, order.attempt, "planned", why, now, unpaid=True)


def answered(unit: Unit, attempt: int, receipt: Receipt, nano: int | None, now: float) -> list[Change]:
    """Its images came, and are safe or have URLs that are written down here."""
    number, count = unit.number, len(receipt.images)
    changes: list[Change] = [
        ("UPDATE job SET state = 'answered', nano = ?, error = ? WHERE n = ?", (nano, receipt.note, number)),
        (
            "UPDATE attempt SET state = 'answered', ended_at = ?, images = ?, nano = ?, request_id = ?, "
            "error = ? WHERE job = ? AND number = ?",
            (now, count, nano, receipt.request_id, receipt.note, number, attempt),
        ),
    ]
    for place, (facts, _) in enumerate(receipt.images, 1):
        text = json.dumps(facts)
        changes.append(("UPDATE image SET facts = ? WHERE job = ? AND place = ?", (text, number, place)))
        if place > unit.images:
            changes.append((_MORE, (place, place, place, text, number, unit.images)))
    return changes


# An image more than was asked for has no name yet: it gets that of the last one, numbered.
_MORE = (
    "INSERT INTO image (job, place, name, folded, facts) "
    "SELECT job, ?, name || '-more-' || ?, folded || '-more-' || ?, ? FROM image WHERE job = ? AND place = ?"
)


def putting(number: int) -> list[Change]:
    """Its images are about to be put: what lies under their names from now on is theirs."""
    return [
        (
            "UPDATE image SET putting = putting + 1 WHERE job = ? AND facts IS NOT NULL AND path IS NULL",
            (number,),
        )
    ]


def not_put(number: int, places: Iterable[int]) -> list[Change]:
    """Something else lies under these names: what is there is not theirs."""
    return [("UPDATE image SET putting = 0 WHERE job = ? AND place = ?", (number, place)) for place in places]


def kept(number: int, images: Iterable[Kept], state: State, error: str | None) -> list[Change]:
    """Its images are in place, as far as they are. Once they are, why they were not before is forgotten."""
    changes: list[Change] = [
        (
            "UPDATE image SET path = ?, size = ?, sha256 = ?, putting = 0 WHERE job = ? AND place = ?",
            (image.path, image.size, image.sha256, number, image.place),
        )
        for image in images
    ]
    noted = "error" if state == "answered" else _NOTED
    changes.append(
        (f"UPDATE job SET state = ?, error = COALESCE(?, {noted}) WHERE n = ?", (state, error, number))
    )
    return changes


# What was odd about the answer itself.
_NOTED = "(SELECT attempt.error FROM attempt WHERE job = n AND number = attempts)"


def ended(
    number: int, attempt: int, state: State, error: str, now: float, *, unpaid: bool, mark: str = "ended"
) -> list[Change]:
    """An attempt without images: the job's state from now on, and whether it counts as spent."""
    how = "held" if state == "held" else mark if unpaid else "billed"
    return [
        ("UPDATE job SET state = ?, error = ? WHERE n = ?", (state, error, number)),
        (
            "UPDATE attempt SET state = ?, ended_at = ?, error = ? WHERE job = ? AND number = ?",
            (how, now, error, number, attempt),
        ),
    ]
