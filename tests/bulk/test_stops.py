"""What ends a run before its end: signals, a cancelled task, a full disk. Nothing paid for is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import trio

import dalle2
from dalle2 import bulk
from dalle2.bulk import _ballast, _planner, _progress, _spool
from dalle2.bulk._entering import _Entry
from dalle2.bulk._in_threads import LISTENING
from dalle2.bulk._signals import Stopper
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

from .conftest import LONG, Run, job, signalled

pytestmark = pytest.mark.usefixtures("telling")

JOBS = [job(str(number)) for number in range(12)]


class Watched(Emulator):
    """Does something at the nth call, and holds each answer for a while, or until it may be given."""

    def __init__(self, at: int, act: Callable[[], object], hold: float = 0.05) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self._left = at
        self._act = act
        self._hold = hold
        self._count = threading.Lock()

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        answer = super().handle(request)
        if request.method == "POST":
            with self._count:
                self._left -= 1
                now = self._left == 0
            if now:
                self._act()
            self.may_answer.wait(self._hold)
        return answer


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_first_signal_lets_what_is_under_way_finish(number: int, kind: type[BaseException]) -> None:
    """And record; the handlers are as before."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    emulator = Watched(2, signalled(1, number))
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        with pytest.raises(kind) as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", concurrency=2)
        report = caught.value.report  # type: ignore[attr-defined]
        assert report.held == 0
        assert 2 <= report.done == len(emulator.billed) < 12
        assert report.stopped == "interrupted"
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
        assert bulk.resume(client, "run.db").done == 12
    assert len(emulator.billed) == 12
    if kind is SystemExit:
        assert caught.value.args == (143,)


def test_a_second_signal_leaves_what_is_under_way_held() -> None:
    """At once, and never sent again by itself."""
    emulator = Watched(2, signalled(2, signal.SIGINT), hold=LONG)
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        with pytest.raises(KeyboardInterrupt) as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", concurrency=2)
        report = caught.value.report  # type: ignore[attr-defined]
        emulator.may_answer.set()
        assert (report.held, report.remaining) == (2, 10)
        assert len(emulator.billed) == 2


class Mine(Exception):
    """What a handler of the caller's raises."""


@contextmanager
def raising() -> Iterator[None]:
    """Somebody chose a handler for SIGTERM."""

    def handler(number: int, frame: object) -> None:
        raise Mine

    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_in(library: str, emulator: Emulator, **more: Any) -> None:
    """A run in threads, or on an event loop of its own."""
    if library == "threads":
        with dalle2.Client("sk-test", http_client=emulator.client()) as client:
            bulk.run(client, JOBS, journal="run.db", out="out", **more)
        return

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            await bulk.arun(client, JOBS, journal="run.db", out="out", **more)

    asyncio.run(main()) if library == "asyncio" else trio.run(main)


@pytest.mark.parametrize("library", ["threads", "asyncio", "trio"])
def test_a_signal_that_another_thread_was_given_is_heard(library: str) -> None:
    """The system gives it to any of them, and wakes that one alone."""

    def act() -> None:
        for _ in range(2):
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            threading.Event().wait(2 * LISTENING)

    emulator = Watched(2, act, hold=LONG if library == "threads" else 3.0)
    with pytest.raises(SystemExit) as caught:
        run_in(library, emulator, concurrency=2)
    emulator.may_answer.set()
    assert caught.value.report.held == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_event_loop_takes_signals_too(library: str, times: int) -> None:
    """Once to finish, twice to leave."""
    emulator = Watched(2, signalled(times), hold=0.6)
    with pytest.raises(SystemExit) as caught:
        run_in(library, emulator, concurrency=2)
    report = caught.value.report  # type: ignore[attr-defined]
    assert report.remaining > 0
    assert report.held == (0 if times == 1 else 2)


# Calls that are prepared: written down as sent a little before their moment

SLOWLY = 30
"""Images a minute: the second call has its moment after two seconds, enough for a slow machine."""


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """That call is prepared at once, all the same."""
    monkeypatch.setattr(_planner, "LEAD", 2.1)


def attempts() -> list[str]:
    """How the attempts ended that gave no image."""
    with closing(sqlite3.connect("run.db")) as db:
        return [error for (error,) in db.execute("SELECT error FROM attempt WHERE state = 'ended'")]


@pytest.mark.parametrize("shared", [None, "pace.db"])
def test_a_429_holds_back_what_is_prepared(run: Run, emulator: Emulator, shared: str | None) -> None:
    """It was not sent, costs nothing, and is sent once later."""
    emulator.fail_next(429, headers={"retry-after-ms": "500"})
    report = run([job("a"), job("b"), job("c")], images_per_minute=300, pace=shared)
    assert (report.done, len(emulator.billed)) == (3, 3)
    assert len([one for one in emulator.requests if one.method == "POST"]) == 4
    assert "held back before it was sent" in attempts()


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize(("times", "held"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("library", ["threads", "asyncio", "trio"])
def test_a_signal_gives_back_what_is_prepared(library: str, times: int, held: int) -> None:
    """It is still planned, and is not sent when its moment comes."""
    emulator = Watched(1, signalled(times), hold=LONG if library == "threads" and times == 2 else 0.3)
    with pytest.raises(SystemExit) as caught:
        run_in(library, emulator, images_per_minute=SLOWLY)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.done, report.held, report.remaining) == (1 - held, held, 11)
    emulator.may_answer.set()
    for thread in threading.enumerate():
        if thread.name.startswith("dalle2-bulk"):
            thread.join(10)
    assert len(emulator.billed) == 1
    assert any("before it was sent" in error for error in attempts())


def test_a_pace_that_cannot_be_used_any_more_ends_the_run(run: Run, emulator: Emulator) -> None:
    """As soon as it is met; what is prepared is not sent, and what was sent is held."""

    def spoil(row: object) -> None:
        with closing(sqlite3.connect("pace.db")) as db:
            db.execute("DROP TABLE IF EXISTS pace")

    with pytest.raises(dalle2.JournalError, match=r"pace .*pace\.db.* cannot be used"):
        run(JOBS, images_per_minute=300, pace="pace.db", on_outcome=spoil)
    report = bulk.status("run.db")
    assert report.done + report.held == len(emulator.billed)
    assert report.remaining >= 10


@pytest.mark.usefixtures("early")
def test_an_exception_gives_back_what_is_prepared() -> None:
    """A thread that waits for the moment of its call makes it no more."""
    emulator = Watched(1, lambda: os.kill(os.getpid(), signal.SIGTERM), hold=LONG)
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        with raising(), pytest.raises(Mine):
            bulk.run(client, JOBS, journal="run.db", out="out", images_per_minute=SLOWLY)
        emulator.may_answer.set()
        for thread in threading.enumerate():
            if thread.name.startswith("dalle2-bulk"):
                thread.join(10)
    report = bulk.status("run.db")
    assert (report.held, report.remaining, len(emulator.billed)) == (1, 11, 1)
    assert any("before it was sent" in error for error in attempts())


def test_a_handler_that_somebody_chose_is_left_alone() -> None:
    """And an exception that it raises leaves what is under way held."""
    emulator = Watched(2, lambda: os.kill(os.getpid(), signal.SIGTERM), hold=LONG)
    with raising(), pytest.raises(Mine):
        run_in("threads", emulator, concurrency=2)
    emulator.may_answer.set()
    report = bulk.status("run.db")
    assert (report.held, report.done) == (2, 0)


def test_in_another_thread_no_handler_is_set() -> None:
    """Only the main thread may."""
    with ThreadPoolExecutor(1) as pool:
        assert (
            pool.submit(lambda: list(__import__("dalle2.bulk._signals", fromlist=["_free"])._free())).result()
            == []
        )

        async def listen() -> None:
            await Stopper().listen()

    with ThreadPoolExecutor(1) as pool:
        emulator = Emulator()

        def work() -> bulk.Report:
            async def main() -> bulk.Report:
                async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
                    return await bulk.arun(client, JOBS[:2], journal="run.db", out="out")

            return asyncio.run(main())

        assert pool.submit(work).result(30).done == 2


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_cancelled_run_ends_at_once(library: str) -> None:
    """What was under way is held, what came is kept for the next run, and the cancellation goes on."""
    emulator = Watched(99, lambda: None, hold=0.4)

    async def work() -> None:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            await bulk.arun(client, JOBS, journal="run.db", out="out", concurrency=2)

    async def in_asyncio() -> None:
        task = asyncio.create_task(work())
        while len(emulator.billed) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            while len(emulator.billed) < 2:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    asyncio.run(in_asyncio()) if library == "asyncio" else trio.run(in_trio)
    report = bulk.status("run.db")
    assert report.held + report.done + report.remaining == 12
    assert report.held <= 2
    assert len(emulator.billed) <= report.held + report.done + 2


# A full disk


class Full:
    """A disk that is full for some writes: files that are opened, or linked, under a path that ends so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends: tuple[str, ...] = ()
        self.times = 10**9
        self.spared = 0
        opened, linked = os.open, os.link

        def open_(path: Any, *values: Any, **more: Any) -> int:
            self._check(str(path))
            return opened(path, *values, **more)

        def link(source: Any, target: Any, **more: Any) -> None:
            self._check(str(target))
            linked(source, target, **more)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "link", link)

    def _check(self, path: str) -> None:
        if path.endswith(self.ends) and self.ends and self.times > 0:
            self.spared -= 1
            if self.spared < 0:
                self.times -= 1
                raise OSError(errno.ENOSPC, "No space left on device", path)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Full:
    """A disk that can be full."""
    return Full(monkeypatch)


def test_a_full_out_stops_before_the_next_payment(run: Run, emulator: Emulator, disk: Full) -> None:
    """What was paid for is safe, and the next run keeps it."""
    disk.ends, disk.spared = (".part", ".png"), 1
    jobs = [job(str(n), response_format="b64_json" if n % 2 else "url") for n in range(12)]
    with pytest.raises(OSError, match="No space left") as caught:
        run(jobs, concurrency=2)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.done, report.held) == (0, 0)
    assert len(emulator.billed) <= 4
    disk.ends = ()
    assert run(jobs).done == 12
    assert len(emulator.billed) == 12


def test_a_spool_that_is_full_once_takes_the_room_that_was_kept(
    run: Run, emulator: Emulator, disk: Full
) -> None:
    """The answer is spooled after all."""
    disk.ends, disk.times = (".image",), 1
    assert run([job("a", response_format="b64_json")]).done == 1
    assert len(emulator.billed) == 1


@pytest.mark.parametrize("what", [".image", ".new"])
def test_an_answer_that_cannot_be_spooled_goes_straight_to_its_place(
    run: Run, emulator: Emulator, disk: Full, what: str
) -> None:
    """Neither its images nor its manifest; and nothing more is sent."""
    disk.ends = (what,)
    jobs = [job(str(n), response_format="b64_json") for n in range(12)]
    with pytest.raises(OSError, match="No space left") as caught:
        run(jobs, concurrency=2)
    report = caught.value.report  # type: ignore[attr-defined]
    assert report.done == len(emulator.billed) <= 3


def test_a_fetched_image_needs_no_room_in_the_spool(run: Run, emulator: Emulator, disk: Full) -> None:
    """It is written where it belongs."""
    disk.ends = (".image",)
    assert run([job("a")]).done == 1


def test_what_can_be_put_nowhere_is_rescued(
    run: Run, emulator: Emulator, disk: Full, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the system's temporary directory, which the error names."""
    rescue = tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    real = _spool.Spool.put

    def put(self: _spool.Spool, name: str, receipt: Any) -> int:
        if rescue not in self.folder.parents:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, name, receipt)

    monkeypatch.setattr(_spool.Spool, "put", put)
    disk.ends, disk.spared = (".part",), 1

    def write(self: _spool.Spool, path: str, data: bytes, mode: int = 0) -> None:
        self.folder.mkdir(exist_ok=True)
        Path(path).write_bytes(data)

    monkeypatch.setattr(_spool.Spool, "_write", write)
    with pytest.raises(OSError, match="No space left") as caught:
        run([job("a", response_format="b64_json")])
    (note,) = [note for note in caught.value.__notes__ if "could not be kept" in note]
    found = re.fullmatch(
        "dalle2: images that could not be kept are in (.*): move what is in it into (.*), and .*", note
    )
    assert found is not None
    folder, spool = map(Path, found.groups())
    assert [path.suffix for path in sorted(folder.iterdir())] == [".image", ".json"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    spool.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.rename(spool / path.name)
    assert run([job("a", response_format="b64_json")]).done == 1
    assert len(emulator.billed) == 1


class FullJournal:
    """A journal that takes nothing more after so many commits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from dalle2.bulk import _journal

        self.left = 10**9
        self.times = 10**9
        real = _journal.Journal.write

        def write(journal: _journal.Journal, changes: Any) -> None:
            self.left -= 1
            if self.left < 0 < self.times:
                self.times -= 1
                raise OSError(errno.ENOSPC, "No space left on device", str(journal.path))
            real(journal, changes)

        monkeypatch.setattr(_journal.Journal, "write", write)


@pytest.mark.parametrize("commits", range(4, 14))
def test_a_journal_that_is_full_stops_sending_and_loses_nothing(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commits: int
) -> None:
    """At whichever commit: nothing is sent that is not written, and the next run pays for nothing twice.

    A call that the end met between its record and its sending is held, since nothing can be written any more.
    """
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    jobs = [job(str(n), response_format="b64_json") for n in range(4)]
    with monkeypatch.context() as patch:
        full = FullJournal(patch)
        full.left = commits
        try:
            run(jobs, concurrency=2)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    report = run(jobs)
    assert report.done + report.held == 4
    assert report.done == len(emulator.billed)
    assert report.held < 2


def test_sqlite_itself_says_full(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an `OSError` that names the journal, like every other full disk."""
    real = sqlite3.connect

    class Small(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA temp_store=FILE":
                super().execute("PRAGMA max_page_count=16")
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: real(path, factory=Small, **more))
    with pytest.raises(OSError, match=r"No space left on device .*full.*run\.db"):
        run([job(str(n), "x" * 900) for n in range(100)])
    assert emulator.requests == []


def test_a_disk_that_cannot_take_a_journal_is_full(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so as everywhere, and nothing is sent."""
    real = sqlite3.connect

    class Tiny(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                super().execute("PRAGMA max_page_count=2")
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: real(path, factory=Tiny, **more))
    with pytest.raises(OSError, match=r"No space left on device .*full.*run\.db"):
        run([job("a")])
    assert emulator.requests == []


def test_the_room_is_taken_and_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is real room; a disk without any is refused before anything is sent."""
    ballast = _ballast.Ballast(folder / "run.db.room")
    ballast.take(2)
    assert (folder / "run.db.room").stat().st_blocks * 512 >= 64 * 1024
    ballast.give_up()
    ballast.give_up()
    monkeypatch.delattr(os, "posix_fallocate")
    ballast.take(1)
    assert (folder / "run.db.room").exists()

    def refuse(*values: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(OSError, match="No space"):
        ballast.take(1)
    assert not (folder / "run.db.room").exists()


def test_a_journal_that_is_full_once_writes_what_came_into_the_room_that_was_kept(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what would have begun: nothing more is sent."""
    jobs = [job(str(n)) for n in range(6)]
    with monkeypatch.context() as patch:
        full = FullJournal(patch)
        full.left, full.times = 6, 1
        with pytest.raises(OSError, match="No space") as caught:
            run(jobs, concurrency=2)
    assert caught.value.report.held == 0  # type: ignore[attr-defined]
    assert len(emulator.billed) < 6
    assert run(jobs).done == 6
    assert len(emulator.billed) == 6


def test_bytes_that_cannot_be_read_and_not_be_kept_are_told(run: Run, emulator: Emulator, disk: Full) -> None:
    """The call is held, and the full disk stops the run."""
    disk.ends = (".body",)
    emulator.fail_next(200, body={"odd": "shape"})
    with pytest.raises(OSError, match="No space left") as caught:
        run([job("a")])
    assert caught.value.report.held == 1  # type: ignore[attr-defined]


def test_a_disk_that_is_full_from_the_start_is_met_before_anything_is_sent(
    run: Run, emulator: Emulator, disk: Full
) -> None:
    """With what remains."""
    disk.ends = (".part",)
    with pytest.raises(OSError, match="No space left") as caught:
        run([job("a")])
    assert caught.value.report.remaining == 1  # type: ignore[attr-defined]
    assert emulator.requests == []


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_run_that_is_cancelled_while_its_rows_are_read_leaves_no_lock(
    library: str, emulator: Emulator
) -> None:
    """The event loop is free meanwhile, and the thread that reads lets go by itself."""
    reading, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def rows() -> Iterator[bulk.Job]:
        yield job("a")
        reading.set()
        go_on.wait(30)
        yield job("b")
        ended.set()

    async def work() -> None:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            await bulk.arun(client, rows(), journal="run.db", out="out")

    async def in_asyncio() -> None:
        task = asyncio.create_task(work())
        while not reading.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(ended.wait, 30)

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            while not reading.is_set():
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
            go_on.set()

    asyncio.run(in_asyncio()) if library == "asyncio" else trio.run(in_trio)
    for _ in range(500):
        try:
            assert bulk.release("run.db") == 0
            break
        except dalle2.JournalError:
            threading.Event().wait(0.01)
    assert bulk.status("run.db").held == 0
    assert emulator.requests == []


def test_a_thread_that_nobody_waits_for_leaves_by_itself() -> None:
    """What was entered after its caller had left is left at once, and only once."""
    told: list[str] = []

    @contextmanager
    def context() -> Iterator[int]:
        told.append("in")
        yield 7
        told.append("out")

    late = _Entry(context())
    late.leave()
    assert (late.enter(), told) == (7, ["in", "out"])
    usual = _Entry(context())
    usual.enter()
    usual.leave()
    assert told == ["in", "out"] * 2


# --- a caller's function that takes its time ---


class Slow:
    """What is spooled while a function of the caller's runs, and an emulator that answers no sooner."""

    def __init__(self, emulator: Emulator, patch: pytest.MonkeyPatch, *, first: int) -> None:
        self.running, self.spooled = threading.Event(), threading.Event()
        handle, confirm, asked = emulator.handle, _spool.Spool.confirm, list[str]()

        def handled(request: EmulatedRequest) -> EmulatedResponse:
            answer = handle(request)
            asked.append(request.method)
            assert asked.count("POST") < first or self.running.wait(10)
            return answer

        def confirmed(spool: _spool.Spool, answers: Any) -> None:
            confirm(spool, answers)
            if self.running.is_set():
                self.spooled.set()

        patch.setattr(emulator, "handle", handled)
        patch.setattr(_spool.Spool, "confirm", confirmed)

    def wait(self) -> bool:
        """Whether an answer is made safe meanwhile."""
        self.running.set()
        return self.spooled.wait(10)


PICTURES = [job(str(number), response_format="b64_json") for number in range(2)]


def test_an_answer_is_safe_while_an_outcome_is_told(
    request: pytest.FixtureRequest, run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: what comes meanwhile is spooled before anybody takes it in."""
    slow, seen = Slow(emulator, monkeypatch, first=2), list[bool]()

    async def awaited() -> None:
        seen.append(await anyio.to_thread.run_sync(slow.wait))

    def told(row: object) -> object:
        if "threads" not in request.node.name:
            return awaited()
        seen.append(slow.wait())
        return None

    assert run(PICTURES, concurrency=2, on_outcome=told).done == 2
    assert seen[0]


def test_an_answer_is_safe_while_progress_is_told(
    client: dalle2.Client, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same; an event loop would stand still for this function, and hear no answer."""
    slow, seen = Slow(emulator, monkeypatch, first=1), list[bool]()
    monkeypatch.setattr(_progress, "_EVERY", 0.0)

    def told(progress: bulk.Progress) -> None:
        seen.append(slow.wait())

    assert bulk.run(client, PICTURES, journal="run.db", out="out", progress=told).done == 2
    assert seen[0]
