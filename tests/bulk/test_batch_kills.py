"""`kill -9` behind each step of a batch, and what else ends its two halves before their end."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

import dalle2
from dalle2 import bulk
from dalle2.bulk import _batch_rules, _spool, _submitting
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

from .batch_kills import killed_at, nursing
from .conftest import signalled

pytestmark = pytest.mark.usefixtures("telling")

JOBS = [
    bulk.Job(name, dalle2.GenerateRequest(prompt="a fox", size="816x816", quality="low")) for name in "abc"
]


def folder_of(tmp_path: Path, step: int) -> Path:
    """A folder of its own for each round."""
    folder = tmp_path / str(step)
    folder.mkdir()
    return folder


def test_a_batch_can_be_killed_behind_each_step(tmp_path: Path) -> None:
    """From the list of files to the last image: each job is billed once, in one batch, and none is lost."""
    step = 1
    with nursing() as order:
        while killed_at(order, folder_of(tmp_path, step), step):
            step += 1
    assert step > 20


class Watched(Emulator):
    """An emulator that does something at the first request whose path ends so, and holds its answer."""

    def __init__(self, end: str, act: Callable[[], object], hold: float = 0.0, **more: float) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self._end = end
        self._act: Callable[[], object] | None = act
        self._hold = hold

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        answer = super().handle(request)
        if request.path.endswith(self._end) and self._act is not None:
            act, self._act = self._act, None
            act()
            threading.Event().wait(self._hold)
        return answer


def done(kind: str, half: str, emulator: Emulator, **more: object) -> bulk.Report:
    """One half, of one kind."""
    first: object = JOBS if half == "submit" else "run.db"
    more = ({"journal": "run.db"} if half == "submit" else {"out": "out"}) | more
    if kind == "threads":
        with dalle2.Client("sk-test", http_client=emulator.client(), model="gpt-image-2") as client:
            return getattr(bulk, half)(client, first, **more)  # type: ignore[no-any-return]

    async def main() -> bulk.Report:
        http = emulator.async_client()
        async with dalle2.AsyncClient("sk-test", http_client=http, model="gpt-image-2") as client:
            return await getattr(bulk, f"a{half}")(client, first, **more)  # type: ignore[no-any-return]

    return asyncio.run(main()) if kind == "asyncio" else trio.run(main)


KINDS = ("threads", "asyncio", "trio")


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_lets_the_part_under_way_be_handed_over(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no further one; the next call goes on."""
    monkeypatch.setattr(_batch_rules, "PART_IMAGES", 1)
    emulator = Watched("/batches", signalled(1))
    with pytest.raises(SystemExit) as caught:
        done(kind, "submit", emulator)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.batched, report.remaining, report.stopped) == (1, 3, "interrupted")
    assert done(kind, "submit", emulator).batched == 3
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_signal_leaves_what_is_under_way(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its batch is found by the next call."""
    emulator = Watched("/batches", signalled(2), hold=2.0 if kind == "threads" else 0.1)
    with pytest.raises(SystemExit) as caught:
        done(kind, "submit", emulator)
    assert caught.value.report.batched == 3  # type: ignore[attr-defined]
    assert next(bulk.status("run.db").batches())["id"] is None
    assert done(kind, "submit", emulator).batched == 3
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["/content", "/waiting"])
def test_a_signal_ends_the_collecting(kind: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits, at once; while it takes in, after what came. The next call goes on."""
    latency = 3600.0 if end == "/waiting" else 0.0
    emulator = Watched("/content", signalled(1), batch_latency=latency)
    done(kind, "submit", emulator)
    timer = threading.Timer(0.1, signalled(1))
    if latency:
        timer.start()
    with pytest.raises(SystemExit) as caught:
        done(kind, "collect", emulator)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.held, report.remaining + report.done) == (0, 3)
    emulator.clock.advance(3600)
    emulator._act = None
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 3


def test_a_second_signal_ends_the_waiting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost by it."""
    emulator = Watched("/content", signalled(2), hold=2.0)
    done("threads", "submit", emulator)
    with pytest.raises(SystemExit):
        done("threads", "collect", emulator)
    assert done("threads", "collect", emulator).done == len(emulator.billed) == 3


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_cancelled_collecting_leaves_the_journal_free(library: str) -> None:
    """And nothing is held by it."""
    emulator = Emulator(batch_latency=3600)
    done("threads", "submit", emulator)

    async def main() -> None:
        http = emulator.async_client()
        async with dalle2.AsyncClient("sk-test", http_client=http, model="gpt-image-2") as client:
            if library == "trio":
                with trio.move_on_after(0.2):
                    await bulk.acollect(client, "run.db", out="out")
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(bulk.acollect(client, "run.db", out="out"), 0.2)

    asyncio.run(main()) if library == "asyncio" else trio.run(main)
    emulator.clock.advance(3600)
    assert done("threads", "collect", emulator).done == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_stops_the_taking_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be made safe is still at the host, and is taken in once there is room."""
    emulator = Emulator()
    done(kind, "submit", emulator)

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "run.db.spool")

    with monkeypatch.context() as patch:
        patch.setattr(_spool.Spool, "put", full)
        with pytest.raises(OSError, match="No space left") as caught:
            done(kind, "collect", emulator)
        assert caught.value.report.batched == 3  # type: ignore[attr-defined]
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_bug_is_raised_as_it_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no group, and with the journal left free."""

    def broken(self: object, *args: object) -> None:
        raise ZeroDivisionError("a bug")

    emulator = Emulator()
    with monkeypatch.context() as patch:
        patch.setattr(_submitting.Submitter, "parts", broken)
        with pytest.raises(ZeroDivisionError, match="a bug"):
            done(kind, "submit", emulator)
    assert done(kind, "submit", emulator).batched == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_takes_nothing_stops_the_taking_in(kind: str, folder: Path) -> None:
    """After a few images, which are spooled; the next call goes on."""
    emulator = Emulator()
    jobs = [attrs.evolve(JOBS[0], id=str(number)) for number in range(12)]
    with dalle2.Client("sk-test", http_client=emulator.client(), model="gpt-image-2") as client:
        bulk.submit(client, jobs, journal="run.db")

    class Full:
        def put(self, key: str, data: bytes, create: bool) -> None:
            raise PermissionError(13, "no", key)

    with pytest.raises(PermissionError) as caught:
        done(kind, "collect", emulator, out=Full(), concurrency=1)
    report = caught.value.report  # type: ignore[attr-defined]
    assert report.batched > 0
    assert len(list((folder / "run.db.spool").glob("*.json"))) == report.remaining - report.batched > 0
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_ends_the_wait_for_proof(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not settled stays as it is, and is settled by the next call."""
    emulator = Watched("/batches", signalled(1))
    emulator.fail_next(502)
    with pytest.raises(SystemExit) as caught:
        done(kind, "submit", emulator)
    assert caught.value.report.batched == 3  # type: ignore[attr-defined]
    monkeypatch.setattr(_batch_rules, "SETTLED_AFTER", 0.0)
    assert done(kind, "submit", emulator).batched == 3
    assert done(kind, "collect", emulator).done == len(emulator.billed) == 3
