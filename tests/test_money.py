"""What calls cost, and limits that hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._money import PRICES, Budget, PriceTable, Usage, cost, estimate
from dalle2.catalog import AS_OF, Price
from dalle2.errors import BudgetExceededError, InvalidRequestError

BODY = {
    "total_tokens": 1106,
    "input_tokens": 50,
    "output_tokens": 1056,
    "input_tokens_details": {"text_tokens": 40, "image_tokens": 10},
    "output_tokens_details": {"image_tokens": 1056, "text_tokens": 0},
}


def test_usage_is_read_from_an_answer() -> None:
    """Every count has its own field."""
    assert Usage.from_json(BODY) == Usage(1106, 50, 1056, 40, 10, 0, 1056)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "12",
        3,
        {},
        {"total_tokens": None},
        {"total_tokens": "9"},
        {"total_tokens": -1},
        {"total_tokens": True},
    ],
)
def test_usage_that_says_nothing_is_none(value: object) -> None:
    """An answer without counts has no usage."""
    assert Usage.from_json(value) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*BODY, "text_tokens", "image_tokens"]), inner, max_size=5)
    ),
    max_leaves=6,
)


@given(JSON)
def test_usage_never_raises_and_never_invents(value: object) -> None:
    """Whatever a host sends, a count is a whole number from 0 up or missing."""
    usage = Usage.from_json(value)
    assert usage is None or (usage.total_tokens or 0) >= 0


def test_whole_floats_are_counts() -> None:
    """A host that writes 12.0 means 12."""
    assert Usage.from_json({"total_tokens": 12.0, "input_tokens": 0.5}) == Usage(total_tokens=12)


@pytest.mark.parametrize(
    ("model", "arguments", "expected"),
    [
        ("dall-e-2", {"size": "256x256"}, 0.016),
        ("dall-e-2", {"size": "512x512", "n": 3}, 0.054),
        ("dall-e-2", {}, 0.02),
        ("dall-e-2", {"n": 0}, 0.0),
        ("dall-e-2", {"size": "300x300"}, None),
        ("dall-e-3", {}, 0.04),
        ("dall-e-3", {"size": "1792x1024", "quality": "hd"}, 0.12),
        ("gpt-image-1", {"size": "1024x1024", "quality": "medium", "n": 2}, 0.084),
        ("gpt-image-1.5", {"size": "1024x1536", "quality": "high"}, 0.2),
        ("gpt-image-1-mini", {"size": "1024x1024", "quality": "auto"}, None),
        ("gpt-image-1-mini", {"quality": "low"}, None),
        ("gpt-image-2.5-flare", {"size": "1024x1024", "quality": "low"}, None),
        ("unheard-of", {}, None),
    ],
)
def test_an_estimate_is_the_list_price_or_none(
    model: str, arguments: dict[str, object], expected: float | None
) -> None:
    """Known prices come exactly, unknown ones as `None`."""
    assert estimate("generate", model, **arguments) == expected  # type: ignore[arg-type]


def test_edits_are_estimated_only_where_each_image_has_a_price() -> None:
    """The input images of a model priced by tokens cost an unknown amount."""
    assert estimate("edit", "dall-e-2", size="512x512") == 0.018
    assert estimate("vary", "dall-e-2") == 0.02
    assert estimate("edit", "gpt-image-1", size="1024x1024", quality="low") is None


def test_the_cost_follows_usage_where_tokens_are_billed() -> None:
    """Text in, image in and image out have prices of their own."""
    usage = Usage.from_json(BODY)
    assert cost("gpt-image-2", usage, n=1) == pytest.approx((40 * 5 + 10 * 8 + 1056 * 30) / 1e6)
    assert cost("gpt-image-1", usage, n=1) == pytest.approx((40 * 5 + 10 * 10 + 1056 * 40) / 1e6)
    assert cost("dall-e-2", None, n=2, size="256x256") == 0.032
    assert cost("dall-e-2", usage, n=2, size="256x256") == 0.032


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("gpt-image-2", None),
        ("gpt-image-2", Usage(total_tokens=9)),
        ("gpt-image-2", Usage(input_tokens=4, output_tokens=9)),
        ("gpt-image-2", Usage(output_tokens=9, text_tokens_in=4)),
        ("gpt-image-2", Usage(output_tokens=9, text_tokens_in=4, image_tokens_in=0, text_tokens_out=1)),
        ("gpt-image-1.5", Usage(output_tokens=9, text_tokens_in=4, image_tokens_in=0)),
        ("unheard-of", Usage(output_tokens=9)),
    ],
)
def test_a_cost_that_is_not_known_is_none(model: str, usage: Usage | None) -> None:
    """A missing price, a missing count or a missing split gives no figure."""
    assert cost(model, usage, n=1, size="1024x1024", quality="low") is None


def test_the_price_table_is_dated_and_replaceable() -> None:
    """A table of one's own gives figures where the package knows none."""
    mine = PRICES.with_prices(
        {"gpt-image-2": Price("contract", {("", "1024x1024"): 0.5})}, as_of=date(2027, 1, 1)
    )
    assert PRICES.as_of == AS_OF
    assert mine.as_of == date(2027, 1, 1)
    assert estimate("generate", "gpt-image-2", size="1024x1024", quality="low", prices=mine) == 0.5
    assert estimate("generate", "dall-e-2", prices=mine) == 0.02
    assert cost("dall-e-2", n=1, prices=PriceTable(date(2027, 1, 1), {})) is None


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
    ],
)
def test_a_budget_needs_a_real_limit(arguments: dict[str, object], field: str) -> None:
    """No limit, a negative one, a bool or text is refused by name."""
    with pytest.raises(InvalidRequestError) as caught:
        Budget(**arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_budget_of_nothing_refuses_all() -> None:
    """Zero is a limit."""
    with pytest.raises(BudgetExceededError):
        Budget(max_images=0).reserve(1)


@pytest.mark.parametrize(("images", "usd"), [(-1, None), (True, None), (1, -1.0), (1, True)])
def test_impossible_amounts_are_refused(images: int, usd: float | None) -> None:
    """Counting never goes backwards."""
    budget = Budget(max_images=5)
    with pytest.raises(InvalidRequestError):
        budget.reserve(images, usd)
    with pytest.raises(InvalidRequestError):
        budget.settle(budget.reserve(1), images, usd)
