"""The write-ahead log, cut at every byte: what survives, and what the next run makes of it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import attrs
import pytest

import dalle2
from dalle2 import bulk
from dalle2.bulk._journal import Change, Journal
from dalle2.testing import Emulator

from .conftest import job

JOBS = [job("link"), job("bytes", response_format="b64_json")]
STATE = (
    "SELECT n, state, attempts, error FROM job UNION ALL SELECT job, state, number, ended_at FROM attempt "
    "UNION ALL SELECT job, facts, putting, path FROM image UNION ALL SELECT n, options, 0, '' FROM run"
)


@attrs.frozen
class Group:
    """One commit of the run: where it lies in the log, what the journal says after it, and what had been paid
    for and lay in the folders just before it.
    """

    start: int
    end: int
    state: list[tuple[object, ...]]
    billed: Counter[str]
    files: Path


class Recorder:
    """A run whose commits are watched. Its pages are small, and so is its log."""

    def __init__(
        self, jobs: list[bulk.Job], emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.groups: list[Group] = []
        self._emulator = emulator
        self._folder = folder
        with closing(sqlite3.connect("run.db")) as db:
            db.executescript("PRAGMA page_size=512; VACUUM")
        Journal(folder / "run.db", create=True).close()  # so that the tables are not in the log
        self.main = Path("run.db").read_bytes()
        self._write = Journal.write
        with monkeypatch.context() as patch, closing(sqlite3.connect("run.db")) as reader:
            reader.execute("SELECT COUNT(*) FROM job").fetchone()  # so that the log is not folded in
            patch.setattr(Journal, "write", lambda journal, changes: self.write(journal, changes))
            with dalle2.Client("sk-test", http_client=emulator.client()) as client:
                assert bulk.run(client, jobs, journal="run.db", out="out", concurrency=1).done == len(jobs)
            self.log = Path("run.db-wal").read_bytes()

    def write(self, journal: Journal, changes: Iterable[Change]) -> None:
        """One commit."""
        start, billed = os.path.getsize("run.db-wal"), Counter(one.prompt for one in self._emulator.billed)
        files = self._folder / f"before {len(self.groups)}"
        for name in ("out", "run.db.spool"):
            if Path(name).exists():
                shutil.copytree(name, files / name)
        self._write(journal, changes)
        end = os.path.getsize("run.db-wal")
        if end > start:
            state = sorted(journal.db.execute(STATE).fetchall(), key=repr)
            self.groups.append(Group(start, end, state, billed, files))
        else:
            shutil.rmtree(files, ignore_errors=True)

    def found(self, log: bytes) -> list[tuple[object, ...]]:
        """What a journal with this log says."""
        Path("cut.db").write_bytes(self.main)
        Path("cut.db-wal").write_bytes(log)
        with closing(sqlite3.connect("cut.db", isolation_level=None)) as db:
            db.executescript("PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF")  # quicker
            return sorted(db.execute(STATE).fetchall(), key=repr)


def test_a_log_that_is_cut_at_any_byte_loses_the_group_that_is_cut(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing before it; bytes that were never written in its place, or one that is wrong, are no better
    than none.
    """
    recorder = Recorder(JOBS[1:], emulator, folder.resolve(), monkeypatch)
    log, chance, before = recorder.log, random.Random(14), recorder.groups[0].state
    assert len(recorder.groups) == 4  # the run, sent, answered, done
    for number, group in enumerate(recorder.groups):
        for cut in range(group.start + 1, group.end) if number else ():
            assert recorder.found(log[:cut]) == before, cut
            if cut % 179 == 0:  # three places in each page
                assert recorder.found(log[:cut] + chance.randbytes(group.end - cut)) == before
                assert recorder.found(log[:cut] + bytes([log[cut] ^ 1]) + log[cut + 1 : group.end]) == before
        assert recorder.found(log[: group.end]) == group.state
        before = group.state


def test_whatever_a_cut_log_says_nothing_is_paid_for_twice(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine fails before a commit, while it is written, or after it; or the disk loses a group that it
    had promised to keep: then what was spooled is still not paid for again.
    """
    recorder = Recorder(JOBS, emulator, folder.resolve(), monkeypatch)
    for number, group in enumerate(recorder.groups):
        for lost in (0, 1, 2):
            if number < lost:
                continue
            place = folder / f"{number} without {lost}"
            shutil.copytree(group.files, place, dirs_exist_ok=True) if group.files.exists() else place.mkdir()
            safe = {int(path.name.partition("-")[0]) for path in place.glob("run.db.spool/*.image")}
            safe = safe if list(place.glob("run.db.spool/*.json")) else set()
            (place / "run.db").write_bytes(recorder.main)
            (place / "run.db-wal").write_bytes(recorder.log[: recorder.groups[number - lost].end])
            paid = len(emulator.billed)
            with dalle2.Client("sk-test", http_client=emulator.client()) as client:
                try:
                    report = bulk.run(client, JOBS, journal=place / "run.db", out=place / "out")
                except dalle2.InvalidRequestError as error:  # a file that the journal no longer knows
                    assert lost == 2 and "did not write" in str(error)
                    assert len(emulator.billed) == paid
                    continue
            again = Counter(one.prompt for one in emulator.billed[paid:])
            if lost < 2:
                assert max((again + group.billed).values(), default=0) <= 1
                assert report.expired == 0
            prompts = [one.request.prompt for one in JOBS]
            assert not {prompts[unit - 1] for unit in safe} & set(again)
            assert report.remaining == 0
            states = [row["state"] for row in report.rows()]
            assert all(states[unit - 1] == "done" for unit in safe)
