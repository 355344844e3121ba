"""When the next images may be asked for, on a clock that is an argument."""

from __future__ import annotations

import heapq
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2.bulk._pacer import PATIENCE, Allowance, Pace
from dalle2.bulk._planner import Planner, Step, Unit
from dalle2.bulk._receipt import allowance_of
from dalle2.bulk._shared_pace import SharedPace

T = TypeVar("T")

# Reading the host


def test_an_allowance_is_read_whole_or_not_at_all() -> None:
    """Azure writes -1, and in 2023 there was nothing."""
    told = dalle2.RateLimit(50, 2, 30.0)
    assert allowance_of(told) == Allowance(50, 2, 30.0)
    assert allowance_of(dalle2.RateLimit(50, 0, 30.0)) == Allowance(50, 0, 30.0)
    for name in ("limit_images", "remaining_images", "reset_images"):
        assert allowance_of(told._replace(**{name: None})) is None


# Spacing


def test_a_moment_is_missed_or_withdrawn() -> None:
    """By half a space, or by a longer wait that the host asked for; without a pace none is missed."""
    pace = Pace.per_minute(60).after_sending(1, 5.0)
    assert [pace.missed(5.0, now) for now in (4.0, 5.0, 5.4, 5.6)] == [False, False, False, True]
    assert [Pace.per_minute(6000).missed(5.0, now) for now in (5.04, 5.06)] == [False, True]
    assert not Pace().missed(0.0, 1000.0)
    held = pace.after_limit(5.0, 10.0, 5.0)
    assert [held.withdrawn(at, 5.0) for at in (6.0, 14.9, 15.0, 16.0)] == [True, True, False, False]
    assert not pace.withdrawn(6.0, 5.0)


def sent_in(pace: Pace, seconds: float, images: int = 1) -> list[float]:
    """When a run that is always ready sends, on a clock of its own."""
    now, moments = 0.0, []
    while now <= seconds:
        wait = pace.wait(now)
        if wait > 0:
            now += wait
            continue
        pace = pace.after_sending(images, now)
        moments.append(now)
        if pace.space == 0:
            now += 0.001
    return moments


@given(st.floats(1, 6000), st.integers(1, 10), st.floats(0, 60))
def test_no_window_of_a_minute_holds_more_than_its_share(rate: float, images: int, start: float) -> None:
    """Wherever it begins, and however many images a call asks for: at most one call more."""
    moments = sent_in(Pace.per_minute(rate), 60 + start if rate < 600 else 5, images)
    window = [at for at in moments if start <= at < start + 60]
    assert (len(window) - 1) * images <= rate * 1.0001


def test_without_a_limit_nothing_waits() -> None:
    """Until the host says something."""
    assert Pace.per_minute(None).after_sending(10, 0.0).wait(0.0) == 0.0


def test_a_pause_is_not_saved_up() -> None:
    """After an idle hour the next images are spaced as always."""
    pace = Pace.per_minute(60).after_sending(1, 0.0)
    pace = pace.after_sending(1, 3600.0)
    assert pace.wait(3600.0) == pytest.approx(1.0)


def test_a_clock_that_was_set_back_does_not_stop_a_run() -> None:
    """A moment further ahead than any plan was made on another clock."""
    pace = Pace.per_minute(60).after_sending(1, 1_000_000.0)
    assert pace.wait(0.0) == 0.0


# What the host says


def test_a_retry_after_holds_all_sending_back() -> None:
    """As long as it says, and no shorter for a second one."""
    pace = Pace().after_limit(0.0, 20.0, 0.0)
    assert pace.wait(0.0) == 20.0
    assert pace.after_limit(1.0, 5.0, 0.0).wait(1.0) == 19.0
    assert pace.after_limit(1.0, 30.0, -1.0).wait(1.0) == 30.0


def test_without_a_word_the_waits_grow() -> None:
    """1, 2, 4 and so on, and one success begins anew."""
    pace, now, waits = Pace(), 0.0, []
    for _ in range(8):
        pace = pace.after_limit(now, None, now)
        waits.append(pace.wait(now))
        now += pace.wait(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    pace = pace.after_success(now)
    assert pace.after_limit(now, None, now).wait(now) == 1


def test_answers_to_calls_that_were_under_way_are_one_episode() -> None:
    """Eight calls at once that meet one limit slow the run down once."""
    pace = Pace.per_minute(60)
    for _ in range(8):
        pace = pace.after_limit(10.0, None, 9.0)
    assert (pace.episodes, pace.space) == (1, 1.5)
    assert pace.probing


def test_a_run_slows_down_and_recovers_to_what_the_caller_set() -> None:
    """Never faster than that."""
    pace = Pace.per_minute(60).after_limit(0.0, 1.0, 0.0)
    assert pace.space == 1.5
    for _ in range(100):
        pace = pace.after_success(10.0)
    assert pace.space == 1.0
    assert not pace.probing


def test_without_a_pace_the_first_429_sets_one_by_what_was_seen() -> None:
    """And success takes it away again."""
    pace = Pace()
    for second in range(11):
        pace = pace.after_sending(2, float(second))
    pace = pace.after_limit(11.0, 1.0, 10.0)
    assert pace.space == pytest.approx(11 / 22 * 1.5)
    for _ in range(400):
        pace = pace.after_success(20.0)
    assert pace.space == 0.0


def test_what_is_left_of_the_allowance_is_spread() -> None:
    """Only once little is left, and nothing left means to wait for the reset."""
    plenty = Pace().after_success(0.0, Allowance(50, 30, 30.0), 0)
    assert plenty.space == 0.0
    little = Pace().after_success(0.0, Allowance(50, 6, 30.0), 2)
    assert little.space == pytest.approx(30 / 4)
    none = Pace().after_success(0.0, Allowance(50, 2, 30.0), 2)
    assert none.wait(0.0) == 30.0
    untouched = Pace().after_success(0.0, Allowance(5, 5, 30.0), 8)
    assert untouched.wait(0.0) == 0.0


def test_nothing_but_429s_for_a_minute_is_lasting() -> None:
    """Not before, and not after a success in between."""
    pace, now = Pace(), 0.0
    while not pace.lasting(now):
        now += pace.wait(now)
        pace = pace.after_limit(now, None, now)
        assert now < 200
    assert now >= PATIENCE
    assert not pace.after_success(now).lasting(now + 1000)


def test_against_a_host_that_counts_images_a_run_keeps_its_pace() -> None:
    """At the host's own limit a run has next to no 429, and nearly all of the allowance."""
    chance = random.Random(7)
    pace, now, done, refused = Pace.per_minute(300), 0.0, 0, 0
    window: list[float] = []
    while now < 300:
        now += pace.wait(now) + chance.uniform(0, 0.002)
        pace = pace.after_sending(1, now)
        window = [at for at in window if at > now - 60]
        if len(window) >= 300:
            refused += 1
            pace = pace.after_limit(now, 1.0, now)
        else:
            window.append(now)
            done += 1
            pace = pace.after_success(now)
    assert done >= 0.95 * 1500
    assert refused <= 0.01 * done


# Shared by several runs


class Strict:
    """A host that lets no more than two images come together, and answers after a while."""

    def __init__(self, rate: float) -> None:
        self.rate, self.left, self.at = rate, 2.0, 0.0
        self.passed: list[float] = []
        self.refused = 0

    def passes(self, now: float) -> bool:
        """Whether one more image is allowed now."""
        self.left, self.at = min(2.0, self.left + (now - self.at) * self.rate), now
        if self.left < 1:
            self.refused += 1
            return False
        self.left -= 1
        self.passed.append(now)
        return True


class Machine:
    """Two runs on one pace, on a clock of its own: each makes one step at a time, and its disk is slow."""

    def __init__(self, seed: int, rate: float, jobs: int) -> None:
        self.chance = random.Random(seed)
        self.host = Strict(rate / 60)
        self.pace = Pace.per_minute(rate)
        self.planners = [Planner(concurrency=8) for _ in range(2)]
        for planner in self.planners:
            planner.offer([Unit(n) for n in range(jobs)], last=True)
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.inbox: list[list[Callable[[float], None]]] = [[], []]
        self.busy = [False, False]

    def at(self, moment: float, act: Callable[[float], None]) -> None:
        """Have something happen."""
        heapq.heappush(self.events, (moment, self.chance.getrandbits(60), act))

    def deciding(self, planner: Planner, decide: Callable[[], T]) -> T:
        """With the row of the pace held."""
        planner.pace = self.pace
        decided = decide()
        self.pace = planner.pace
        return decided

    def step(self, who: int, now: float) -> None:
        """Take in what came, decide, and write it down."""
        if self.busy[who]:
            return
        planner = self.planners[who]
        came, self.inbox[who] = self.inbox[who], []

        def decided(now: float) -> None:
            def decide() -> Step:
                for one in came:
                    one(now)
                return planner.next(now)

            step = self.deciding(planner, decide)
            written = now + (self.slow() if step.send or step.keep else 0.0)
            self.at(written, lambda then: self.written(who, step, then))

        self.busy[who] = True
        self.at(now + (self.slow() if came else 0.0), decided)

    def written(self, who: int, step: Step, now: float) -> None:
        """What is durable may be done."""
        planner = self.planners[who]
        self.busy[who] = False
        for unit in step.keep:
            self.inbox[who].append(lambda _, unit=unit: planner.kept(unit))
        for unit in step.send:
            self.launch(who, unit, now)
        if self.inbox[who]:
            self.step(who, now)
        elif step.wait is not None:
            self.at(now + max(step.wait, 1e-6), lambda then: self.step(who, then))

    def launch(self, who: int, unit: Unit, now: float) -> None:
        """As a worker does."""
        planner = self.planners[who]
        wait = self.deciding(planner, lambda: planner.launch(unit, now))
        if wait is None:
            self.arrives(who, now, lambda _: planner.returned(unit))
        elif wait > 0:
            late = self.chance.uniform(0, 0.005)
            self.at(now + wait + late, lambda then: self.launch(who, unit, then))
        elif self.host.passes(now):
            answer = now + self.chance.uniform(0.01, 0.2)
            self.at(answer, lambda then: self.arrives(who, then, lambda n: planner.answered(unit, 0, n)))
        else:
            self.arrives(who, now, lambda n: planner.limited(unit, 1.0, n))

    def arrives(self, who: int, now: float, come: Callable[[float], None]) -> None:
        """Something came back; the loop wakes."""
        self.inbox[who].append(come)
        self.step(who, now)

    def slow(self) -> float:
        """A disk that usually takes tens of milliseconds, and now and then a third of a second."""
        return self.chance.uniform(0.1, 0.35) if self.chance.random() < 0.05 else self.chance.uniform(0, 0.03)

    def run(self) -> None:
        """Until all is done."""
        self.step(0, 0.0)
        self.step(1, 0.0)
        while self.events:
            now, _, act = heapq.heappop(self.events)
            act(now)


@pytest.mark.parametrize("rate", [60.0, 300.0, 600.0])
@pytest.mark.parametrize("seed", range(4))
def test_two_runs_on_slow_disks_keep_the_whole_pace_of_a_strict_host(rate: float, seed: int) -> None:
    """An order takes longer to write down than two images are apart; the host lets only two come together."""
    machine = Machine(seed, rate, 150)
    machine.run()
    host = machine.host
    assert len(host.passed) == 300
    assert all(planner.finished for planner in machine.planners)
    assert host.refused <= 3
    assert 299 / (host.passed[-1] - host.passed[0]) >= 0.98 * rate / 60


@attrs.define
class Decider:
    """Whoever decides by a pace."""

    pace: Pace = attrs.field(factory=Pace)


def test_two_runs_share_one_pace(tmp_path: Path) -> None:
    """What one sends, the other waits for."""
    path, base = tmp_path / "pace.db", Pace.per_minute(60)
    with closing(SharedPace(path, base)) as one, closing(SharedPace(path, base)) as two:
        first, second = Decider(), Decider()
        with one.held(first):
            assert first.pace.wait(100.0) == 0.0
            first.pace = first.pace.after_sending(1, 100.0)
        with two.held(second):
            assert second.pace.wait(100.0) == pytest.approx(1.0)


def test_the_slower_of_two_limits_counts(tmp_path: Path) -> None:
    """A run that may go faster does not hurry one that may not, and is slowed by its own limit at once."""
    path = tmp_path / "pace.db"
    decider = Decider()
    with closing(SharedPace(path, Pace.per_minute(60))) as slow, slow.held(decider):
        decider.pace = decider.pace.after_limit(0.0, 1.0, 0.0)
    with closing(SharedPace(path, Pace.per_minute(6000))) as fast, fast.held(decider):
        assert (decider.pace.space, decider.pace.base) == (1.5, 0.01)
    with closing(SharedPace(path, Pace.per_minute(6))) as slowest, slowest.held(decider):
        assert decider.pace.space == 10.0


def test_after_a_restart_the_moments_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock has begun anew, and a wait of before would be far in the future."""
    path, base = tmp_path / "pace.db", Pace.per_minute(60)
    decider = Decider()
    with closing(SharedPace(path, base)) as shared, shared.held(decider):
        decider.pace = decider.pace.after_limit(time.monotonic() + 500, 100.0, 0.0)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 86400)
    with closing(SharedPace(path, base)) as shared, shared.held(decider):
        assert decider.pace.wait(0.0) == 0.0
        assert decider.pace.space == 1.5


def test_a_file_that_is_no_pace_is_refused(tmp_path: Path) -> None:
    """As a journal would be; what cannot be read in a row counts as nothing."""
    path = tmp_path / "pace.db"
    path.write_text("this is no database, and it is long enough to be seen as none" * 20)
    with pytest.raises(dalle2.JournalError, match="cannot be used"):
        SharedPace(path, Pace())
    path.unlink()
    decider = Decider()
    with closing(SharedPace(path, Pace.per_minute(60))) as shared:
        for told in ("{", "[]", '{"odd": 1}', "null"):
            with closing(sqlite3.connect(path)) as db:
                db.execute("INSERT OR REPLACE INTO pace VALUES (1, 0, ?)", (told,))
                db.commit()
            with shared.held(decider):
                assert decider.pace == Pace.per_minute(60)
        path.write_text("gone")
    with closing(SharedPace(tmp_path / "other.db", Pace())) as shared:
        gone = pytest.raises(dalle2.JournalError, match="cannot be used: no such table")
        with gone, shared.held(decider):
            shared._db.execute("DROP TABLE pace")
            decider.pace = decider.pace.after_sending(1, 0.0)
        shared._db.execute("DROP TABLE pace")
        with pytest.raises(dalle2.JournalError, match="cannot be used"), shared.held(decider):
            raise AssertionError("the row was held")
