"""The planner without disk and clock: what it sends, keeps and waits for, whatever happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dalle2.bulk._pacer import Pace
from dalle2.bulk._planner import ATTEMPTS, LEAD, LEAST_TROUBLES, PATIENCE, Limits, Planner, Unit


def units(count: int, images: int = 1, reserve: int | None = 10) -> list[Unit]:
    """So many units, numbered from 1."""
    return [Unit(number, images, reserve) for number in range(1, count + 1)]


def offered(planner: Planner, count: int, **more: int) -> Planner:
    """The planner with so many units and no others."""
    planner.offer(units(count, **more), last=True)
    return planner


def play(planner: Planner, react: Callable[[Unit, float], object], keep: bool = True) -> float:
    """Let a run go on until it is finished, each call answered at once by `react`; gives the time it took."""
    now = 0.0
    for _ in range(5000):
        step = planner.next(now)
        for unit in step.send:
            react(unit, now)
        for unit in step.keep:
            if keep:
                planner.kept(unit)
            else:
                planner.keep_failed(unit, now)
        if planner.finished:
            return now
        if not (step.send or step.keep):
            now += step.wait or 0.1
    raise AssertionError("the run never ends")


def test_it_sends_as_many_at_once_as_it_may() -> None:
    """And the next ones as these end; keeping counts like sending."""
    planner = offered(Planner(concurrency=2), 4)
    step = planner.next(0.0)
    assert [unit.number for unit in step.send] == [1, 2]
    assert planner.next(0.0).send == ()
    planner.answered(step.send[0], 10, 1.0)
    step = planner.next(1.0)
    assert ([u.number for u in step.keep], step.send) == ([1], ())
    planner.kept(step.keep[0])
    assert [unit.number for unit in planner.next(1.0).send] == [3]


def test_it_wants_only_as_many_rows_as_it_can_use_soon() -> None:
    """However many there are."""
    planner = Planner(concurrency=8)
    assert planner.wants == 16
    planner.offer(units(10), last=False)
    assert planner.wants == 6
    planner.offer((), last=True)
    assert planner.wants == 0


def test_what_was_paid_for_is_kept_before_more_is_paid() -> None:
    """Answers of an earlier run come first."""
    planner = offered(Planner(concurrency=1), 1)
    planner.answered_before([Unit(9)])
    step = planner.next(0.0)
    assert ([u.number for u in step.keep], step.send) == ([9], ())


def test_a_pace_is_waited_for() -> None:
    """And what is under way does not make it shorter."""
    planner = offered(Planner(concurrency=8, pace=Pace.per_minute(60)), 3)
    assert len(planner.next(0.0).send) == 1
    assert planner.next(0.25).wait == pytest.approx(0.75 - LEAD)
    assert len(planner.next(1.0 - LEAD).send) == 1
    assert planner.launch(Unit(2), 1.0 - LEAD) == pytest.approx(LEAD)
    assert planner.launch(Unit(2), 1.0) == 0.0
    assert planner.next(1.0).wait == pytest.approx(1.0 - LEAD)


def prepared() -> tuple[Planner, Unit]:
    """A run at one image a second whose second call is prepared a little before its moment."""
    planner = offered(Planner(concurrency=8, pace=Pace.per_minute(60)), 9)
    assert planner.next(0.0).send == (Unit(1, 1, 10),)
    (unit,) = planner.next(0.95).send
    return planner, unit


def test_a_429_withdraws_what_is_prepared() -> None:
    """It is sent once the host allows, first of all, and once."""
    planner, unit = prepared()
    planner.limited(Unit(1, 1, 10), 7.0, 0.96)
    assert planner.launch(unit, 0.97) is None
    planner.returned(unit)
    assert not planner.sending
    assert planner.next(1.0).send == ()
    step = planner.next(7.95)
    assert step.send == (unit,)
    assert planner.launch(unit, 7.96) == 0.0
    assert planner.next(9.0).send == ()  # until that one tells more


def test_a_call_that_missed_its_moment_gets_the_next_one() -> None:
    """Once: a machine that is always late sends all the same."""
    planner, unit = prepared()
    assert planner.launch(unit, 1.4) == 0.0
    planner, unit = prepared()
    (other,) = planner.next(1.95).send
    assert planner.launch(unit, 1.95) == pytest.approx(1.05)
    assert planner.launch(other, 2.0) == 0.0
    assert planner.launch(unit, 9.0) == 0.0
    assert planner.pace.sent == 3


def test_a_stop_gives_back_what_is_prepared() -> None:
    """It was not sent, and is not billed."""
    planner, unit = prepared()
    planner.stop("interrupted")
    assert planner.launch(unit, 1.0) is None
    planner.returned(unit)
    planner.ended(Unit(1, 1, 10), billed=True)
    assert (planner.finished, planner.spent_images) == (True, 1)


def test_a_limit_on_money_is_never_passed_by_what_is_reserved() -> None:
    """What is under way may turn out cheaper: until then the next one waits."""
    planner = offered(Planner(concurrency=8, limits=Limits(nano=25)), 5)
    step = planner.next(0.0)
    assert len(step.send) == 2
    assert not planner.finished
    planner.answered(step.send[0], 1, 0.0)
    assert [u.number for u in planner.next(0.0).send] == [3]
    planner.ended(step.send[1], billed=False)
    planner.ended(Unit(3, 1, 10), billed=True)
    assert [u.number for u in planner.next(0.0).send] == [4]
    planner.answered(Unit(4, 1, 10), 10, 0.0)
    for unit in planner.next(0.0).keep:
        planner.kept(unit)
    planner.next(0.0)
    assert (planner.stopped, planner.spent_nano, planner.finished) == ("budget", 21, False)
    for unit in list(planner.keeping.values()):
        planner.kept(unit)
    assert planner.finished


def test_images_of_before_count_against_a_limit() -> None:
    """A limit is one on the journal, and not on the run."""
    planner = offered(Planner(concurrency=8, limits=Limits(images=5), spent_images=4), 1, images=2)
    assert planner.next(0.0).send == ()
    assert (planner.stopped, planner.finished) == ("budget", True)


def test_a_429_comes_back_first_and_one_call_tries_it() -> None:
    """The others wait until that one tells more."""
    planner = offered(Planner(concurrency=3), 5)
    step = planner.next(0.0)
    for unit in step.send:
        planner.limited(unit, 7.0, 1.0)
    assert planner.next(1.0).wait == pytest.approx(7.0 - LEAD)
    assert len(planner.next(8.0).send) == 1
    assert planner.next(9.0).send == ()


def test_lasting_429s_stop_the_run() -> None:
    """With what was under way finished."""
    planner = offered(Planner(concurrency=1), 5)
    assert play(planner, lambda unit, now: planner.limited(unit, None, now)) < 300
    assert (planner.stopped, planner.finished) == ("limited", True)


def test_a_host_that_was_never_reached_stops_the_run_soon() -> None:
    """After a few tries, spaced wider each time, whatever the number of rows."""
    planner, tries = offered(Planner(concurrency=8), 2000), []

    def react(unit: Unit, now: float) -> None:
        tries.append(now)
        planner.troubled(unit, now)

    assert play(planner, react) < 10
    assert planner.stopped == "unreachable"
    assert len(tries) <= 8 + LEAST_TROUBLES


def test_a_host_that_answered_before_is_waited_for() -> None:
    """For minutes, one try at a time."""
    planner, tries = offered(Planner(concurrency=8), 2000), []

    def react(unit: Unit, now: float) -> None:
        if unit.number <= 8:
            planner.answered(unit, 0, now)
        else:
            tries.append(now)
            planner.troubled(unit, now)

    assert PATIENCE <= play(planner, react) < 3 * PATIENCE
    assert planner.stopped == "unreachable"
    assert len(tries) < 40


def test_one_row_that_fails_while_others_succeed_is_given_up_for_this_run() -> None:
    """After a few attempts, so that a night's run ends."""
    planner, tries = offered(Planner(concurrency=2), 30), []

    def react(unit: Unit, now: float) -> None:
        if unit.number == 1:
            tries.append(now)
            planner.troubled(unit, now)
        else:
            planner.answered(unit, 0, now)

    play(planner, react)
    assert (len(tries), planner.stopped) == (ATTEMPTS, None)


def test_what_may_have_been_paid_for_is_tried_only_so_often() -> None:
    """Each try counts as spent."""
    planner = offered(Planner(concurrency=1), 1)
    play(planner, lambda unit, now: planner.troubled(unit, now, billed=True))
    assert planner.spent_nano == 10 * ATTEMPTS


def test_images_that_cannot_be_fetched_stop_the_paying() -> None:
    """Each is tried a few times; after three that would not come, no more are paid for."""
    planner, paid = offered(Planner(concurrency=1), 300), []

    def react(unit: Unit, now: float) -> None:
        paid.append(unit)
        planner.answered(unit, 0, now)

    play(planner, react, keep=False)
    assert planner.stopped == "unreachable"
    assert len(paid) <= 9


def test_a_full_spool_holds_sending_back() -> None:
    """Until something is kept; if nothing can be, the run ends."""
    planner = offered(Planner(concurrency=4, spool_limit=100), 3)
    planner.answered_before([Unit(9)])
    planner.spooled = 100
    step = planner.next(0.0)
    assert (len(step.keep), step.send) == (1, ())
    planner.kept(step.keep[0])
    assert planner.next(0.0).send == ()
    assert (planner.stopped, planner.finished) == ("spool", True)


@pytest.mark.parametrize("reason", ["interrupted", "error"])
def test_a_stop_finishes_what_is_under_way(reason: str) -> None:
    """And begins nothing, but for keeping what comes."""
    planner = offered(Planner(concurrency=2), 9)
    step = planner.next(0.0)
    planner.stop(reason)  # type: ignore[arg-type]
    planner.stop("budget")
    assert planner.stopped == reason
    planner.answered(step.send[0], 0, 0.0)
    step2 = planner.next(0.0)
    assert (len(step2.keep), step2.send) == (1, ())
    assert not planner.keep_failed(step2.keep[0], 0.0)
    planner.left(planner.keeping.setdefault(99, Unit(99)))
    planner.ended(step.send[1], billed=True)
    assert planner.finished
    assert planner.wants == 0


class Runs(RuleBasedStateMachine):
    """Any order of events: nothing is sent twice, over a limit or the concurrency, or after a stop."""

    def __init__(self) -> None:
        super().__init__()
        self.planner = Planner(concurrency=3, limits=Limits(images=12, nano=100), spool_limit=50)
        self.planner.offer([Unit(n, 1 + n % 3, 4 * (n % 4)) for n in range(1, 30)], last=True)
        self.now = 0.0
        self.sent: dict[int, Unit] = {}
        self.keeping: dict[int, Unit] = {}
        self.ended: set[int] = set()

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        """And a step is made."""
        self.now += seconds
        before = self.planner.stopped
        step = self.planner.next(self.now)
        assert before is None or not step.send
        assert step.wait is None or step.wait >= 0
        for unit in step.send:
            assert unit.number not in self.sent
            assert unit.number not in self.ended
            self.sent[unit.number] = unit
        for unit in step.keep:
            assert unit.number not in self.keeping
            self.keeping[unit.number] = unit

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), nano=st.integers(0, 16))
    def an_answer_comes(self, data: st.DataObject, nano: int) -> None:
        """For any of the calls under way."""
        unit = self.sent.pop(data.draw(st.sampled_from(sorted(self.sent))))
        self.ended.add(unit.number)
        self.planner.answered(unit, min(nano, unit.reserve or 0), self.now)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), kind=st.sampled_from(["ended", "limited", "troubled"]), flag=st.booleans())
    def a_call_fails(self, data: st.DataObject, kind: str, flag: bool) -> None:
        """In any way."""
        unit = self.sent.pop(data.draw(st.sampled_from(sorted(self.sent))))
        if kind == "limited":
            self.planner.limited(unit, 5.0 if flag else None, self.now)
        elif kind == "ended":
            self.ended.add(unit.number)
            self.planner.ended(unit, billed=flag)
        elif not self.planner.troubled(unit, self.now, billed=flag):
            self.ended.add(unit.number)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_call_is_about_to_be_made(self, data: st.DataObject) -> None:
        """It is made, waits, or is given back."""
        number = data.draw(st.sampled_from(sorted(self.sent)))
        wait = self.planner.launch(self.sent[number], self.now)
        if wait is None:
            self.planner.returned(self.sent.pop(number))
        else:
            assert wait >= 0
            assert wait == 0 or self.planner.stopped is None

    @precondition(lambda self: self.keeping)
    @rule(data=st.data(), kept=st.booleans())
    def keeping_ends(self, data: st.DataObject, kept: bool) -> None:
        """Well or not."""
        unit = self.keeping.pop(data.draw(st.sampled_from(sorted(self.keeping))))
        if kept:
            self.planner.kept(unit)
        else:
            self.planner.keep_failed(unit, self.now)

    @rule(spooled=st.integers(0, 60))
    def the_spool_changes(self, spooled: int) -> None:
        """It fills and empties."""
        self.planner.spooled = spooled

    @invariant()
    def limits_hold(self) -> None:
        """With what is under way counted."""
        planner = self.planner
        assert len(self.sent) + len(self.keeping) <= planner.concurrency
        assert planner.spent_images + sum(u.images for u in self.sent.values()) <= 12
        assert planner.spent_nano + sum(u.reserve or 0 for u in self.sent.values()) <= 100
        assert planner.finished <= (not self.sent and not self.keeping)

    def teardown(self) -> None:
        """Whatever happened, the run comes to an end."""
        for unit in self.sent.values():
            self.planner.ended(unit, billed=True)
        for unit in self.keeping.values():
            self.planner.kept(unit)
        for _ in range(2000):
            step = self.planner.next(self.now)
            for unit in step.send:
                self.planner.ended(unit, billed=False)
            for unit in step.keep:
                self.planner.kept(unit)
            self.planner.spooled = 0
            if self.planner.finished:
                return
            self.now += step.wait or 0.0
        raise AssertionError("the run never ends")


Runs.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRuns = Runs.TestCase
TestRuns.__doc__ = Runs.__doc__
