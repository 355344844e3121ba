"""Limits that hold: images, dollars, rough prices, threads, copies, pickles and forks."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._money import Budget, Estimate, estimate
from dalle2._money._budget import _rearm
from dalle2.errors import BudgetExceededError, ConfigurationError, InvalidRequestError

ROUGH = Estimate(0.0125, True, "https://example.com")


def test_a_budget_of_images_refuses_the_call_that_would_pass_it() -> None:
    """The limit itself can be reached, not passed, and a refusal takes nothing."""
    budget = Budget(max_images=10)
    budget.reserve(8)
    with pytest.raises(
        BudgetExceededError, match=r"3 more would pass the budget of 10 images: 8 are spent"
    ) as caught:
        budget.reserve(3, 0.01)
    assert not caught.value.maybe_billed
    assert (budget.spent_images, budget.remaining_images) == (8, 2)
    budget.reserve(2)
    assert budget.remaining_images == 0
    assert budget.remaining_usd is None


def test_a_budget_of_money_adds_up_exactly() -> None:
    """Ten times two cents are twenty cents."""
    budget = Budget(max_usd=0.2)
    for _ in range(10):
        budget.reserve(1, 0.02)
    assert (budget.spent_usd, budget.remaining_usd, budget.remaining_images) == (0.2, 0.0, None)
    with pytest.raises(BudgetExceededError, match=r"\$0.016 more would pass the budget of \$0.2"):
        budget.reserve(1, 0.016)
    assert budget.spent_images == 10


def test_an_unknown_cost_is_refused_under_a_money_limit() -> None:
    """A limit that cannot be checked is no limit."""
    with pytest.raises(BudgetExceededError, match="cost of this call is not known"):
        Budget(max_usd=5).reserve(1, None)


def test_settling_replaces_the_reservation_by_the_bill() -> None:
    """What was really made and billed counts, once."""
    budget = Budget(max_images=10, max_usd=1)
    held = budget.reserve(4, 0.4)
    budget.settle(held, 3, 0.25)
    budget.settle(held, 3, 0.25)
    budget.release(held)
    assert (budget.spent_images, budget.spent_usd, budget.remaining_usd) == (3, 0.25, 0.75)


def test_settling_without_a_figure_keeps_the_estimate() -> None:
    """A bill that is not known is taken to be as estimated."""
    budget = Budget(max_usd=1)
    budget.settle(budget.reserve(1, 0.4), 1)
    assert budget.spent_usd == 0.4


def test_a_bill_over_the_limit_is_counted_and_stops_the_rest() -> None:
    """The remainder is never negative."""
    budget = Budget(max_images=1, max_usd=0.1)
    budget.settle(budget.reserve(1, 0.1), 2, 0.3)
    assert (budget.spent_usd, budget.remaining_usd, budget.remaining_images) == (0.3, 0.0, 0)


def test_a_call_that_was_not_carried_out_is_given_back() -> None:
    """Released once, and only once."""
    budget = Budget(max_images=2)
    held = budget.reserve(2)
    assert budget.unpriced_images == 2
    budget.release(held)
    budget.release(held)
    assert (budget.spent_images, budget.unpriced_images) == (0, 0)


def test_an_unknown_outcome_stays_spent() -> None:
    """A reservation that nobody closes counts for good."""
    budget = Budget(max_images=1)
    budget.reserve(1)
    with pytest.raises(BudgetExceededError):
        budget.reserve(1)


def test_a_budget_shows_its_state() -> None:
    """Its repr tells limits and what is spent."""
    budget = Budget(max_images=5)
    budget.reserve(2, 0.04)
    assert repr(budget) == "Budget(max_images=5, max_usd=None, spent_images=2, spent_usd=0.04)"


def test_threads_share_a_budget() -> None:
    """Of many calls at once exactly as many pass as the budget allows."""
    budget = Budget(max_images=50, max_usd=100)

    def call(_: int) -> bool:
        try:
            held = budget.reserve(1, 0.01)
        except BudgetExceededError:
            return False
        budget.settle(held, 1, 0.01)
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(call, range(200)))
    assert (passed, budget.spent_images, budget.spent_usd) == (50, 50, 0.5)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "max_images"),
        ({"max_images": -1}, "max_images"),
        ({"max_images": True}, "max_images"),
        ({"max_images": 1.5}, "max_images"),
        ({"max_usd": -0.1}, "max_usd"),
        ({"max_usd": False}, "max_usd"),
        ({"max_usd": float("nan")}, "max_usd"),
        ({"max_usd": float("inf")}, "max_usd"),
        ({"max_usd": "5"}, "max_usd"),
        ({"max_usd": 10**400}, "max_usd"),
        ({"max_usd": 1e300}, "max_usd"),
        ({"max_usd": Decimal("5")}, "max_usd"),
        ({"max_usd": Fraction(1, 3)}, "max_usd"),
        ({"max_images": 10**400}, "max_images"),
        ({"max_images": 10**6000}, "max_images"),
        ({"max_images": "5"}, "max_images"),
        ({"max_images": Decimal(5)}, "max_images"),
    ],
)
def test_a_budget_needs_a_real_limit(arguments: dict[str, object], field: str) -> None:
    """No limit, a negative one, a bool, text or an absurd number is refused by name, shortly."""
    with pytest.raises(InvalidRequestError) as caught:
        Budget(**arguments)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert len(str(caught.value)) < 150


def test_a_budget_of_nothing_refuses_all() -> None:
    """Zero is a limit."""
    with pytest.raises(BudgetExceededError):
        Budget(max_images=0).reserve(1)


class Rude:
    """A value whose own `repr` fails."""

    def __repr__(self) -> str:
        raise RuntimeError("rude")


@pytest.mark.parametrize(
    ("images", "usd"),
    [(-1, None), (True, None), (10**400, None), (1.0, None), (Rude(), None), (1, -1.0), (1, True),
     (1, float("nan")), (1, 10**400), (1, Rude())],
)  # fmt: skip
def test_impossible_amounts_are_refused(images: Any, usd: Any) -> None:
    """Counting never goes backwards, and a refusal counts nothing."""
    budget = Budget(max_images=5)
    with pytest.raises(InvalidRequestError):
        budget.reserve(images, usd)
    held = budget.reserve(1)
    with pytest.raises(InvalidRequestError):
        budget.settle(held, images, usd)
    assert budget.spent_images == 1
    budget.settle(held, 2, 0.5)
    assert (budget.spent_images, budget.spent_usd) == (2, 0.5)


class Scalar:
    """A number of another library, as arrays hold them."""

    def __index__(self) -> int:
        return 5

    def __float__(self) -> float:
        return 5.0


def test_a_number_of_another_library_is_told_what_to_write() -> None:
    """Refused with the next step, which works."""
    odd: Any = Scalar()
    with pytest.raises(InvalidRequestError, match=r"write int\(\.\.\.\)"):
        Budget(max_images=odd)
    with pytest.raises(InvalidRequestError, match=r"write float\(\.\.\.\)"):
        Budget(max_usd=odd)
    assert repr(Budget(int(odd), float(odd))).startswith("Budget(max_images=5, max_usd=5.0,")


def test_a_limit_can_be_raised() -> None:
    """What the message advises works, and is checked like the first limit."""
    budget = Budget(max_images=1, max_usd=0.02)
    budget.reserve(1, 0.02)
    budget.max_images, budget.max_usd = 2, 0.04
    budget.reserve(1, 0.02)
    assert (budget.remaining_images, budget.remaining_usd) == (0, 0.0)
    with pytest.raises(InvalidRequestError, match="max_usd"):
        budget.max_usd = float("nan")
    with pytest.raises(InvalidRequestError, match="max_images"):
        budget.max_images = -1
    budget.max_images = budget.max_usd = None
    budget.reserve(1)
    assert (budget.remaining_images, budget.remaining_usd) == (None, None)


# Rough prices


def test_a_rough_price_is_put_aside_four_times() -> None:
    """Until its usage tells what it did cost, which then counts."""
    budget = Budget(max_usd=1)
    held = budget.reserve(1, ROUGH)
    assert (held.usd, budget.spent_usd) == (0.05, 0.05)
    budget.settle(held, 1, 0.0131)
    assert (budget.spent_usd, budget.remaining_usd) == (0.0131, 0.9869)


def test_without_usage_what_was_put_aside_stands() -> None:
    """A host that tells no usage is counted at what it may have billed, not at what it probably did."""
    budget = Budget(max_usd=1)
    budget.settle(budget.reserve(2, Estimate(0.025, True)), 2)
    assert budget.spent_usd == 0.1


def test_a_rough_price_is_refused_in_words_that_say_so() -> None:
    """What would pass the limit is "about" so many dollars, and why so many."""
    budget = Budget(max_usd=0.04)
    with pytest.raises(
        BudgetExceededError, match=r"about \$0\.05 more \(4 times the rough price.*of \$0\.04"
    ):
        budget.reserve(1, ROUGH)
    assert budget.spent_usd == 0
    with pytest.raises(BudgetExceededError, match=r"^\$0\.05 more would pass"):
        budget.reserve(1, 0.05)


def test_only_calls_in_flight_pass_the_limit() -> None:
    """Bills above what was put aside are counted whole; from then on nothing more is sent."""
    budget = Budget(max_usd=0.1)
    held = [budget.reserve(1, ROUGH) for _ in range(2)]
    with pytest.raises(BudgetExceededError):
        budget.reserve(1, ROUGH)
    for each in held:
        budget.settle(each, 1, 0.09)
    assert (budget.spent_usd, budget.remaining_usd) == (0.18, 0.0)
    with pytest.raises(BudgetExceededError, match=r"\$0\.18 are spent"):
        budget.reserve(1, 0.0001)


def test_many_calls_fit_a_budget_of_rough_prices() -> None:
    """One after another they are settled by their usage: a dollar makes some seventy, not eighteen."""
    budget = Budget(max_usd=1)
    price = estimate("generate", "gpt-image-2.5-flare", size="1024x1024", quality="medium", rough=True)
    made = 0
    while made < 100:
        try:
            held = budget.reserve(1, price)
        except BudgetExceededError:
            break
        budget.settle(held, 1, 0.0132)
        made += 1
    assert 70 <= made <= 76


def test_a_host_that_makes_more_is_counted_for_what_it_made() -> None:
    """Asked for one and got ten: ten images, and without a bill ten times what was put aside for one."""
    budget = Budget(max_images=20, max_usd=1)
    budget.settle(budget.reserve(1, 0.02), 10)
    assert (budget.spent_images, budget.spent_usd) == (10, 0.2)
    budget.settle(budget.reserve(0, 0.02), 2)
    assert (budget.spent_images, budget.spent_usd) == (12, 0.24)
    budget.settle(budget.reserve(4, 0.08), 1)
    assert (budget.spent_images, budget.spent_usd) == (13, 0.32)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release"]),
        st.integers(0, 12),
        st.none() | st.floats(0, 5).map(lambda usd: round(usd, 4)),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_budget_never_counts_wrong(steps: list[tuple[str, int, float | None, bool]]) -> None:
    """Whatever happens in whatever order: what is counted is what is held and billed."""
    budget = Budget(max_images=40, max_usd=20)
    held: list[tuple[Any, int, float]] = []
    images, usd = 0, 0.0
    for kind, count, amount, rough in steps:
        if kind == "reserve":
            try:
                one = budget.reserve(count, Estimate(amount, rough) if amount is not None else None)
            except BudgetExceededError:
                continue
            held.append((one, count, (amount or 0) * (4 if rough else 1)))
        elif held:
            one, reserved, aside = held.pop()
            if kind == "release":
                budget.release(one)
            else:
                budget.settle(one, count, amount)
                images += count
                usd += amount if amount is not None else aside * max(count, reserved) / max(reserved, 1)
    assert budget.spent_images == images + sum(count for _, count, _ in held)
    assert budget.spent_usd == pytest.approx(usd + sum(aside for *_, aside in held), abs=1e-6)


# Copies, pickles, forks, and how it shows


def test_a_copy_is_the_budget_itself() -> None:
    """A limit is not multiplied by copying what holds it."""
    budget = Budget(max_images=1)
    for twin in (copy.copy(budget), copy.deepcopy(budget), copy.deepcopy({"budget": budget})["budget"]):
        assert twin is budget


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_budget_is_not_pickled(protocol: int) -> None:
    """In another process it would be spent a second time: refused, with what to do instead."""
    with pytest.raises(ConfigurationError, match="Give each process a Budget of its own"):
        pickle.dumps([Budget(max_usd=1)], protocol)


FORKED = """
import os, signal, threading
from dalle2 import Budget
budget, going = Budget(max_images=10**9), True

def work():
    while going:
        budget.release(budget.reserve(1, 0.01))

threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for thread in threads: thread.start()
budget._lock.acquire()          # as if another thread were in the middle of a count
children = []
def fork():
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        held = budget.reserve(3, 0.5)
        budget.settle(held, 2, 0.25)
        os._exit(7 if budget.spent_images >= 2 else 8)
    children.append(child)
forks = [threading.Thread(target=fork) for _ in range(5)]
for thread in forks: thread.start()
for thread in forks: thread.join()
budget._lock.release()
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
going = False
for thread in threads: thread.join()
print(codes, budget.spent_images)
"""


def test_a_fork_in_the_middle_of_a_count_does_not_hang_the_child() -> None:
    """Its lock is its own: it goes on counting, and the parent's count is untouched."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ},
    )
    assert (done.stdout, done.stderr) == ("[7, 7, 7, 7, 7] 0\n", "")


def test_a_lock_of_a_thread_that_is_not_there_is_replaced() -> None:
    """What happens in a forked child: every budget that lives can be counted on again."""
    budgets = [Budget(max_images=1), Budget(max_usd=1)]
    for budget in budgets:
        holder = threading.Thread(target=budget._lock.acquire)
        holder.start()
        holder.join()
    _rearm()
    for budget in budgets:
        budget.reserve(1, 0.5)
        assert budget.spent_usd == 0.5


def test_a_signal_handler_can_ask_in_the_middle_of_a_count() -> None:
    """The thread that holds the lock is not locked out of it."""
    budget = Budget(max_images=2)
    with budget._lock:
        budget.reserve(1)
    assert budget.spent_images == 1


def test_a_budget_is_plain_json() -> None:
    """`to_dict` tells limits, what is spent and what is left, of one moment."""
    budget = Budget(max_usd=1)
    budget.reserve(2, 0.25)
    told = budget.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "max_images": None,
        "max_usd": 1.0,
        "spent_images": 2,
        "spent_usd": 0.25,
        "unpriced_images": 0,
        "remaining_images": None,
        "remaining_usd": 0.75,
    }
    images = Budget(max_images=3)
    images.reserve(1)
    told = images.to_dict()
    assert (told["remaining_images"], told["remaining_usd"], told["unpriced_images"]) == (2, None, 1)


def test_a_budget_of_ones_own_kind_is_one() -> None:
    """Also one that compares by value, and so has no hash."""

    @dataclass
    class Mine(Budget):
        name: str = "mine"

        def __post_init__(self) -> None:
            super().__init__(max_images=1)

    budget = Mine()
    budget.reserve(1)
    assert budget.remaining_images == 0


def test_a_notebook_shows_a_budget() -> None:
    """Limit, spent and left, of images and of dollars."""
    budget = Budget(max_usd=1)
    budget.reserve(2, 0.25)
    html = budget._repr_html_()
    assert '<td style="text-align:left">images</td><td>none</td><td>2</td><td>none</td>' in html
    assert "US dollars</td><td>$1</td><td>$0.25</td><td>$0.75</td>" in html
    assert "<td>$2500000</td>" in Budget(max_usd=2.5e6)._repr_html_()
