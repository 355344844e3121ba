"""Batches in the journal: each step as the statements that make it, and what is known of those that are out.

The rule: a batch and all its rows are written before the call that creates it, in one commit. From then on
its rows are the host's, whatever happens here, until a line of its files or its end gives each of them back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import attrs

from . import _journal as j
from ._batch_rules import half

if TYPE_CHECKING:
    from .._wire._batch import BatchInfo
    from ._journal import Change, Order
    from ._schema import State

_WAITING = (
    "FROM line JOIN job ON job.n = line.job AND job.attempts = line.attempt "
    "WHERE batch = ? AND job.state IN ('sent', 'held')"
)


@attrs.frozen
class Entry:
    """A row as a line: its call, the line itself, and the size (width, height) to bring its images to."""

    order: Order
    line: bytes
    scale: tuple[int, int] | None = None


@attrs.frozen
class Lot:
    """A batch that was handed over. Its state is `sent` (durable before the call that creates it),
    `created` (its `id` is known) or `ended`. `who` is by whom, as `rules.who` tells.
    """

    number: int
    run: str
    model: str
    file: str
    who: str | None
    state: Literal["sent", "created", "ended"]
    id: str | None
    status: str | None
    sent_at: float


@attrs.frozen
class Waiting:
    """A row of a batch: the number of its attempt, its images, its expected cost, the size to scale to.

    `open`: no line has spoken of it yet; `held`: and the host did not show its batch when it was asked last;
    `released`: it is planned again and not sent yet; `resent`: it was sent again since.
    """

    number: int
    attempt: int
    images: int
    nano: int | None
    scale: tuple[int, int] | None
    open: bool
    held: bool
    released: bool
    resent: bool


def lots(db: sqlite3.Connection) -> list[Lot]:
    """The batches that have not ended, in order."""
    rows = db.execute(
        "SELECT n, run, model, file, who, state, id, status, sent_at FROM batch "
        "WHERE state != 'ended' ORDER BY n"
    )
    return [Lot(*row) for row in rows]


def next_number(db: sqlite3.Connection) -> int:
    """The number of the next batch."""
    (number,) = db.execute("SELECT COALESCE(MAX(n), 0) + 1 FROM batch").fetchone()
    return int(number)


def ids(db: sqlite3.Connection) -> set[str]:
    """The names of all batches that are known here."""
    return {name for (name,) in db.execute("SELECT id FROM batch WHERE id IS NOT NULL")}


def waiting(db: sqlite3.Connection, lot: Lot) -> dict[str, Waiting]:
    """The rows of a batch, by what they are called there."""
    rows = db.execute(
        "SELECT job.n, line.attempt, images, expected, scale, "
        "job.attempts > line.attempt, job.state "
        "FROM line JOIN job ON job.n = line.job WHERE batch = ?",
        (lot.number,),
    )
    return {
        str(number): Waiting(
            number,
            attempt,
            images,
            half(nano),
            _scale(scale),
            open=state in ("sent", "held") and not resent,
            held=state == "held",
            released=state == "planned" and not resent,
            resent=bool(resent),
        )
        for number, attempt, images, nano, scale, resent, state in rows
    }


def _scale(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, height = json.loads(text)
    return width, height


# Transitions


def sent(lot: Lot, entries: Sequence[Entry]) -> list[Change]:
    """A batch is about to be created."""
    number, now = lot.number, lot.sent_at
    values = number, lot.run, lot.model, lot.file, lot.who, now
    changes: list[Change] = [
        (
            "INSERT INTO batch (n, run, model, file, who, state, sent_at) VALUES (?, ?, ?, ?, ?, 'sent', ?)",
            values,
        )
    ]
    for entry in entries:
        order = entry.order
        changes += j.sent(
            attrs.evolve(order, unit=attrs.evolve(order.unit, reserve=half(order.unit.reserve))), now
        )
        scale = None if entry.scale is None else json.dumps(entry.scale)
        changes.append(
            ("INSERT INTO line VALUES (?, ?, ?, ?)", (order.unit.number, order.attempt, number, scale))
        )
    return changes


def looked(lot: Lot, info: BatchInfo) -> list[Change]:
    """The host has it, and said how it stands. Rows that were held while nobody found it wait again."""
    attempts = f"(job, number) IN (SELECT line.job, line.attempt {_WAITING})"
    return [
        (f"UPDATE attempt SET state = 'sent' WHERE state = 'held' AND {attempts}", (lot.number,)),
        (
            "UPDATE job SET state = 'sent', error = NULL, nano = NULL WHERE state = 'held' AND n IN "
            f"(SELECT job.n {_WAITING})",
            (lot.number,),
        ),
        (
            "UPDATE batch SET state = 'created', id = ?, status = ? WHERE n = ?",
            (info.id, info.status, lot.number),
        ),
    ]


def row_ended(row: Waiting, state: State, error: str, now: float, *, unpaid: bool) -> list[Change]:
    """A row that gives no image: planned again, a host's no, or paid for and not there."""
    changes = j.ended(row.number, row.attempt, state, error, now, unpaid=unpaid)
    if state in ("held", "expired"):
        changes.append(("UPDATE job SET nano = ? WHERE n = ?", (row.nano, row.number)))
    return changes


def told(row: int, what: str) -> list[Change]:
    """Something odd about a row that is told beside what else is known of it."""
    add = "SET error = LTRIM(COALESCE(error, '') || '; ' || ?, '; ') WHERE INSTR(COALESCE(error, ''), ?) = 0"
    last = "job = ? AND number = (SELECT attempts FROM job WHERE n = job)"
    return [
        (f"UPDATE job {add} AND n = ?", (what, what, row)),
        (f"UPDATE attempt {add} AND {last}", (what, what, row)),
    ]


def ended(lot: Lot, status: str, error: str | None) -> list[Change]:
    """Nothing more will come of it."""
    return [
        (
            "UPDATE batch SET state = 'ended', status = ?, error = ? WHERE n = ?",
            (status, error, lot.number),
        )
    ]


def odd(lot: Lot, what: str | None) -> list[Change]:
    """It has ended, and was not understood: it is looked at again."""
    return [("UPDATE batch SET error = ? WHERE n = ?", (what, lot.number))]


def batch_rows(db: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """Each batch as a plain dictionary."""
    rows = db.execute("SELECT n, id, state, status, sent_at, error FROM batch ORDER BY n").fetchall()
    for number, name, state, status, sent_at, error in rows:
        (count,) = db.execute("SELECT COUNT(*) FROM line WHERE batch = ?", (number,)).fetchone()
        (out,) = db.execute(f"SELECT COUNT(*) {_WAITING}", (number,)).fetchone()
        yield {
            "part": number,
            "id": name,
            "status": status or "unknown",
            "ended": state == "ended",
            "rows": count,
            "waiting": 0 if state == "ended" else out,
            "sent_at": sent_at,
            "error": error,
        }
