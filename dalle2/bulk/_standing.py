"""What became of a run: counts, money, and each row as a plain dictionary.

The rule: everything comes from the journal, so that it is true of all runs together, and can be looked at
while one goes on. Nothing is held in memory that grows with the rows.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import attrs

from ._batch_book import batch_rows
from ._receipt import NANO
from ._schema import has_batches, journal_path, open_for_reading

_OWN = ("id", "state", "paths", "usd", "error")


@attrs.frozen(kw_only=True)
class Counts:
    """How many calls are in which state, and what they cost (US dollars).

    `done`: the files are in place. `refused`: by the host's content policy. `failed`: the host's no to this
    very row. `held`: sent, and no one knows whether it was paid for. `expired`: paid for, and the URL is
    dead. `remaining`: what the next run does. `usd` is what the done and expired ones cost, `usd_held` what
    the held ones may have cost; `unpriced` counts those of them whose price is not known and is in neither.
    `batched` counts those of the remaining ones that are out in a batch.
    """

    done: int = 0
    refused: int = 0
    failed: int = 0
    held: int = 0
    expired: int = 0
    remaining: int = 0
    usd: float = 0.0
    usd_held: float = 0.0
    unpriced: int = 0
    batched: int = 0

    @property
    def total(self) -> int:
        """All calls of the journal."""
        return self.done + self.refused + self.failed + self.held + self.expired + self.remaining

    @property
    def complete(self) -> bool:
        """Whether every row is done."""
        return self.done == self.total


def counts(db: sqlite3.Connection) -> dict[str, float]:
    """The fields of `Counts`, from an open journal."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for state, number, nano, known, expected, expecting in db.execute(
        "SELECT state, COUNT(*), COALESCE(SUM(nano), 0), COUNT(nano), "
        "COALESCE(SUM(COALESCE(nano, expected)), 0), COUNT(COALESCE(nano, expected)) "
        "FROM job GROUP BY state"
    ):
        money = (expected, expecting) if state == "held" else (nano, known)
        found[state] = (number, *money, number - money[1])
    none = 0, 0, 0, 0
    done, expired, held = (found.get(state, none) for state in ("done", "expired", "held"))
    values: dict[str, float] = {
        state: found.get(state, none)[0] for state in ("done", "refused", "failed", "held", "expired")
    }
    values["remaining"] = sum(found.get(state, none)[0] for state in ("planned", "sent", "answered"))
    values["usd"] = (done[1] + expired[1]) / NANO
    values["usd_held"] = held[1] / NANO
    values["unpriced"] = done[3] + expired[3] + held[3]
    if has_batches(db):
        (values["batched"],) = db.execute(
            "SELECT COUNT(*) FROM job JOIN line ON line.job = job.n AND attempt = attempts "
            "WHERE state = 'sent'"
        ).fetchone()
    return values


@attrs.frozen(kw_only=True)
class Report(Counts):
    """What became of the jobs of a journal, all runs together. `stopped` says why the last run ended before
    its end, if it did.
    """

    __module__ = "dalle2.bulk"

    journal: Path
    stopped: str | None = None

    def rows(self) -> Iterator[dict[str, object]]:
        """Each call as a plain dictionary: `id`, `state`, `paths`, `usd`, `error`, and the row's metadata.

        A column that is named like one of these has `row_` before it. Read from the journal as it is now.
        """
        with closing(open_for_reading(self.journal)) as db:
            yield from rows_of(db)

    def batches(self) -> Iterator[dict[str, object]]:
        """Each batch as a plain dictionary: `part`, `id` and `status` at the host, `ended`, `rows`, those
        that are `waiting`, `sent_at` (Unix seconds), and in `error` what was odd about it.
        """
        with closing(open_for_reading(self.journal)) as db:
            if has_batches(db):
                yield from batch_rows(db)


def report_of(db: sqlite3.Connection, journal: Path, stopped: str | None = None) -> Report:
    """The report of an open journal."""
    return Report(journal=journal, stopped=stopped, **counts(db))  # type: ignore[arg-type]


def status(journal: str | os.PathLike[str]) -> Report:
    """How a journal stands, also while a run goes on. Raises `JournalError`."""
    path = journal_path(journal)
    with closing(open_for_reading(path)) as db:
        return report_of(db, path)


def rows_of(db: sqlite3.Connection, number: int | None = None) -> Iterator[dict[str, object]]:
    """The rows of an open journal, or the one with that number."""
    out = notes_in(db).get("out")  # as the caller named it; none for an object that keeps them
    shown = out if isinstance(out, str) else ""
    where, values = ("", ()) if number is None else ("WHERE job.n = ?", (number,))
    # An outer join in the order of the key: one statement, whatever the number of rows.
    query = (
        "SELECT job.n, id, state, COALESCE(nano, CASE state WHEN 'held' THEN expected END), error, meta, "
        "path "
        f"FROM job LEFT JOIN image ON image.job = job.n {where} ORDER BY job.n, place"
    )
    last: int | None = None
    row: dict[str, object] = {}
    paths: list[str] = []
    for n, id, state, nano, error, meta, path in db.execute(query, values):
        if n != last:
            if last is not None:
                yield row
            paths = []
            last = n
            row = {
                "id": id,
                "state": state,
                "paths": paths,
                "usd": None
                if nano is None or state not in ("done", "expired", "held", "answered")
                else nano / NANO,
                "error": error,
            }
            for name, value in json.loads(meta).items():
                while name in row:
                    name = f"row_{name}"
                row[name] = value
        if path is not None:
            paths.append(os.path.join(shown, path) if shown else path)
    if last is not None:
        yield row


def notes_of(journal: str | os.PathLike[str]) -> Mapping[str, object]:
    """What the last run of a journal was told."""
    with closing(open_for_reading(journal_path(journal))) as db:
        return notes_in(db)


def notes_in(db: sqlite3.Connection) -> Mapping[str, object]:
    """The same, of an open journal."""
    row = db.execute("SELECT options FROM run ORDER BY n DESC LIMIT 1").fetchone()
    return {} if row is None else cast("Mapping[str, object]", json.loads(row[0]))
