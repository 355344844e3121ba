"""The journal as a file: its tables, and how it is opened for the one writer and for readers.

The rule: a commit that returned is on the disk (`synchronous=FULL`), one connection writes, and a
reader never writes. A file that is no journal is refused as it is, and never repaired; one of the version
before is given the tables that it lacks.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import warnings
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from ..errors import JournalError

APPLICATION = 0x0DA11E2B
VERSION = 2

State = Literal["planned", "sent", "answered", "done", "failed", "refused", "held", "expired"]

TABLES = """
CREATE TABLE run (
    n INTEGER PRIMARY KEY, started REAL NOT NULL, version TEXT NOT NULL, options TEXT NOT NULL
);
CREATE TABLE job (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, part INTEGER NOT NULL, state TEXT NOT NULL,
    request TEXT NOT NULL, key TEXT NOT NULL, images INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    expected INTEGER, rough INTEGER NOT NULL DEFAULT 0, nano INTEGER, error TEXT, meta TEXT NOT NULL,
    UNIQUE (id, part)
);
CREATE INDEX job_state ON job (state, n);
CREATE TABLE attempt (
    job INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, sent_at REAL NOT
    NULL, ended_at REAL, images INTEGER NOT NULL, nano INTEGER, request_id TEXT, error TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE image (
    job INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
    whole INTEGER NOT NULL DEFAULT 0, facts TEXT, putting INTEGER NOT NULL DEFAULT 0,
    path TEXT, size INTEGER, sha256 TEXT,
    PRIMARY KEY (job, place)
) WITHOUT ROWID;
CREATE TABLE input (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
BATCHES = """
CREATE TABLE batch (
    n INTEGER PRIMARY KEY, run TEXT NOT NULL, model TEXT NOT NULL, file TEXT NOT NULL, who TEXT,
    state TEXT NOT NULL, id TEXT, status TEXT, sent_at REAL NOT NULL, error TEXT
);
CREATE TABLE line (
    job INTEGER NOT NULL, attempt INTEGER NOT NULL, batch INTEGER NOT NULL, scale TEXT,
    PRIMARY KEY (job, attempt)
) WITHOUT ROWID;
CREATE INDEX line_batch ON line (batch, job);
"""
"""What version 1 did not have: the batches that were handed over, and which attempt is a line of which."""


def journal_path(path: str | os.PathLike[str]) -> Path:
    """The journal's real path: one journal has one lock, by whatever name it is reached."""
    try:
        return Path(os.path.realpath(os.fspath(path)))
    except (TypeError, ValueError):
        raise JournalError(f"journal must be a path; it is {path!r:.60}") from None


def open_for_writing(path: Path, *, create: bool) -> sqlite3.Connection:
    """The connection of the one writer, whose lock the caller holds. Raises `JournalError`, and `OSError` for
    a full disk.
    """
    if path.is_dir():
        raise JournalError(f"the journal {str(path)!r} is a directory: name a file in it")
    if not path.exists():
        if not create:
            raise JournalError(f"there is no journal {str(path)!r}")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            _check(db, path)
            _settle(db, path)
            _found(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as problem:
        raise unusable(path, problem) from None
    return db


def _found(db: sqlite3.Connection) -> None:
    """Make the tables that are missing; else write nothing, which a read-only file refuses."""
    db.execute("BEGIN IMMEDIATE")
    there = _tables(db)
    if "batch" in there:
        db.execute("UPDATE run SET n = n WHERE n = 0")
    else:
        for statement in (BATCHES if there else TABLES + BATCHES).split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION}")
        db.execute(f"PRAGMA user_version={VERSION}")
    db.execute("COMMIT")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside a run or without one. Raises `JournalError`."""
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise JournalError(f"the journal {str(path)!r} {what}")
    try:
        try:
            return _reader(path, "mode=ro")
        except sqlite3.OperationalError:
            if os.path.exists(f"{path}-wal"):
                raise
            return _reader(path, "mode=ro&immutable=1")  # its folder cannot be written, so by no run either
    except sqlite3.Error as problem:
        raise unusable(path, problem, writing=False) from None


def _reader(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, timeout=10, isolation_level=None)
    try:
        _check(db, path)
        if not _tables(db):
            raise JournalError(f"the journal {str(path)!r} is empty: no run was ever begun on it")
    except BaseException:
        db.close()
        raise
    return db


def unusable(path: Path, problem: sqlite3.Error, *, writing: bool = True) -> JournalError | OSError:
    """The error for a journal that SQLite cannot work with: for a full disk an `OSError`."""
    text = str(problem)
    if writing and ("full" in text or "disk I/O error" in text):
        return OSError(errno.ENOSPC, f"No space left on device ({text})", str(path))
    if "not a database" in text or "malformed" in text:
        text += " (if it ever was a journal, restore it from a copy, or take a new name)"
    return JournalError(f"the journal {str(path)!r} cannot be used: {text}")


def _check(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    tables = _tables(db)
    if not tables and application in (0, APPLICATION):
        return
    if application != APPLICATION:
        raise JournalError(f"{str(path)!r} is a database of something else: name another file")
    if version > VERSION:
        raise JournalError(
            f"the journal {str(path)!r} was written by a newer dalle2 (format {version}, this one knows "
            f"{VERSION}): upgrade dalle2"
        )
    wanted = {"run", "job", "attempt", "image", "input", *(("batch", "line") if version > 1 else ())}
    if not wanted <= tables:
        raise JournalError(f"the journal {str(path)!r} is malformed: a table is missing")


def has_batches(db: sqlite3.Connection) -> bool:
    """Whether anything was ever handed over in batches; not so in a journal of version 1."""
    found = "SELECT EXISTS (SELECT 1 FROM batch)"
    return "batch" in _tables(db) and db.execute(found).fetchone() == (1,)


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def _settle(db: sqlite3.Connection, path: Path) -> None:
    (mode,) = db.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        db.execute("PRAGMA journal_mode=TRUNCATE")
        warnings.warn(
            f"the journal {str(path)!r} lies where SQLite's write-ahead log does not work (a network "
            "disk?): it "
            "is slower there, and bulk.status waits for the run",
            stacklevel=2,
        )
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA temp_store=FILE")
    db.execute("PRAGMA busy_timeout=10000")
