"""One pace for several runs on one machine: a row in a small SQLite file.

The rule: whoever decides holds the row while it does, so that two processes never count on the same
allowance. Nothing here is worth an `fsync`: what a crash forgets is a pause of seconds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import attrs

from ..errors import InvalidRequestError, JournalError
from ._pacer import Pace

_CLOCKS_AGREE = 60.0
"""Seconds by which wall clock and monotonic clock may drift apart; more is a restart, or a clock set anew."""


def path_of_pace(pace: object) -> str | None:
    """The file that runs share, as it was named. Raises `InvalidRequestError`."""
    if isinstance(pace, os.PathLike):
        pace = os.fspath(pace)
    if pace is None or (isinstance(pace, str) and pace):
        return pace
    raise InvalidRequestError(f"pace must be the path of a file, or None; it is {pace!r:.40}", field="pace")


class Holder(Protocol):
    """Whoever decides by a pace."""

    pace: Pace


class SharedPace:
    """The row in the file at `path`. Raises `JournalError` for a file that is none."""

    def __init__(self, path: str | os.PathLike[str], base: Pace) -> None:
        self._path = Path(path)
        self._base = base
        try:
            self._db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            if self._db.execute("PRAGMA application_id").fetchone() != (0,):
                raise sqlite3.DatabaseError("it is a database of something else")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS pace (only INTEGER PRIMARY KEY, since REAL, told TEXT)"
            )
        except (sqlite3.Error, ValueError) as problem:
            raise JournalError(f"pace {str(self._path)!r} cannot be used: {problem}") from None

    @contextmanager
    def held(self, holder: Holder) -> Iterator[None]:
        """While the row is held, `holder.pace` is the shared pace, and what it becomes is shared."""
        since = time.time() - time.monotonic()
        with self._usable():
            self._db.execute("BEGIN IMMEDIATE")
            with closing(self._db.execute("SELECT since, told FROM pace")) as rows:
                found = rows.fetchone()
        holder.pace = before = self._base if found is None else self._read(found[1], found[0] - since)
        try:
            yield
        finally:
            with self._usable():
                if holder.pace != before:
                    told = json.dumps(attrs.asdict(holder.pace))
                    self._db.execute("INSERT OR REPLACE INTO pace VALUES (1, ?, ?)", (since, told))
                self._db.execute("COMMIT")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Raise `JournalError` where the file is the trouble."""
        try:
            yield
        except sqlite3.Error as problem:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise JournalError(f"pace {str(self._path)!r} cannot be used: {problem}") from None

    def _read(self, told: str, drift: float) -> Pace:
        """The stored pace, under this run's own limit: the slower of both counts."""
        try:
            pace = Pace(**json.loads(told))
        except (TypeError, ValueError):
            return self._base
        if abs(drift) > _CLOCKS_AGREE:
            pace = pace.forgetting_times()
        base = self._base.base
        return attrs.evolve(pace, base=base, space=max(pace.space, base))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
