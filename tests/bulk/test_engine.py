"""The engine over a real journal, without threads and host: any order of answers, failures and crashes."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dalle2
from dalle2 import bulk
from dalle2.bulk._engine import Engine
from dalle2.bulk._journal import Journal, Order
from dalle2.bulk._keeper import Fetch
from dalle2.bulk._load import check_with, load_jobs
from dalle2.bulk._naming import Naming
from dalle2.bulk._pacer import Pace
from dalle2.bulk._place import Folder
from dalle2.bulk._planner import Planner, Unit
from dalle2.bulk._receipt import Receipt
from dalle2.bulk._recover import recover, verify
from dalle2.bulk._shared_pace import SharedPace
from dalle2.bulk._spool import Spool
from dalle2.bulk._vault import Came
from dalle2.bulk._work import Arrival, Brought, Trip
from dalle2.testing import Emulator

from .conftest import job

PICTURE = dalle2.mask_from_box(16, (0, 0, 8, 8))
JOBS = [job(str(number)) for number in range(4)]


class World:
    """A host that bills, a clock that stands where it is told, and a machine that may fail at any moment."""

    def __init__(self, folder: Path, data: st.DataObject) -> None:
        self.folder = folder
        self.data = data
        self.now = 0.0
        self.billed: Counter[int] = Counter()
        self.safe: set[int] = set()
        self.client = dalle2.Client("sk-test", http_client=Emulator().client())

    def run(self, *, crashes: bool) -> bool:
        """One run; whether it came to its end."""
        journal = Journal((self.folder / "run.db").resolve(), create=True)
        journal.db.execute("PRAGMA synchronous=OFF")  # the process dies here, and not the disk
        try:
            spool = Spool(journal.path)
            spooled = recover(journal, spool)
            load_jobs(journal, JOBS, check_with(self.client, priced=False), Naming.parse("{id}"))
            place = Folder(self.folder / "out")
            verify(journal, place, Naming.parse("{id}"))
            place.probe()
            pace = Pace.per_minute(self.data.draw(st.sampled_from([None, 60.0])))
            planner = Planner(concurrency=2, pace=pace)
            engine = Engine(journal, spool, place, planner, clock=lambda: self.now)
            engine.begin(spooled)
            under_way: list[Order | Trip] = []
            arrived: list[Arrival] = []
            for _ in range(300):
                work = engine.step(arrived)
                arrived = []
                under_way += [*work.orders, *work.trips]
                if work.finished:
                    engine.finish()
                    return True
                if crashes and self.data.draw(st.integers(0, 9)) == 9:
                    return False
                if not under_way:
                    self.now += 0.1 if work.wait is None else work.wait
                    continue
                one = under_way.pop(self.data.draw(st.integers(0, len(under_way) - 1)))
                if isinstance(one, Trip):
                    assert isinstance(one.effect, Fetch)
                    fails = crashes and self.data.draw(st.integers(0, 5)) == 5
                    arrived.append(Brought(one, dalle2.DownloadError("away") if fails else PICTURE))
                else:
                    while wait := engine.launch(one):
                        self.now += wait
                    came = Came(one) if wait is None else self.answer(one, crashes=crashes)
                    if came is None:
                        return False
                    arrived.append(came)
            raise AssertionError("the run never ends")
        finally:
            journal.close()

    def answer(self, order: Order, *, crashes: bool) -> Came | None:
        """What the host says; `None` if the machine fails before it is heard."""
        number = order.unit.number
        fates = ["bytes", "url", *(["limited", "troubled", "lost", "crash"] if crashes else [])]
        fate = self.data.draw(st.sampled_from(fates))
        if fate == "limited":
            return Came(order, error=dalle2.RateLimitError("slow", status_code=429, repeatable=True))
        if fate == "troubled":
            return Came(order, error=dalle2.APIConnectionError("away"))
        self.billed[number] += 1
        if fate == "lost":
            return Came(order, error=dalle2.OutcomeUnknownError("lost"))
        if fate == "crash":
            return None
        if fate == "bytes":
            self.safe.add(number)  # with the step that takes it in
            return Came(order, Receipt((({"url": None}, PICTURE),), 16_000_000))
        return Came(order, Receipt((({"url": "https://x.example/a.png"}, None),), 16_000_000))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_is_paid_for_twice_and_nothing_that_was_safe_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Wherever the machine fails, and however often."""
    world = World(tmp_path_factory.mktemp("run"), data)
    for _ in range(6):
        if world.run(crashes=True):
            break
    world.run(crashes=False)
    report = bulk.status(world.folder / "run.db")
    assert max(world.billed.values(), default=0) <= 1
    assert report.done + report.held == len(JOBS)
    states = {int(str(row["id"])) + 1: row["state"] for row in report.rows()}
    assert {states[number] for number in world.safe} <= {"done"}
    files = {path.name for path in (world.folder / "out").glob("*")}
    assert files == {f"{number - 1}.png" for number, state in states.items() if state == "done"}
    assert sum(world.billed.values()) >= report.done


def test_a_shared_pace_that_broke_lets_no_call_out(tmp_path: Path) -> None:
    """The worker that meets it makes no call; the next step tells."""
    pace = Pace.per_minute(60)
    with (
        closing(Journal(tmp_path / "run.db", create=True)) as journal,
        closing(SharedPace(tmp_path / "pace.db", pace)) as shared,
    ):
        (tmp_path / "pace.db").write_bytes(b"x" * 8192)
        place = Folder(tmp_path / "out")
        engine = Engine(journal, Spool(journal.path), place, Planner(concurrency=2, pace=pace), pace=shared)
        order = Order(Unit(1), dalle2.GenerateRequest(prompt="a hen"), "key", 1)
        assert engine.launch(order) is None
        with pytest.raises(dalle2.JournalError, match="cannot be used"):
            engine.step(())
        assert not engine.launched
