"""What a call did cost: usage that is read from any answer, and the bill by images or tokens."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._money import PRICES, Budget, Charge, PriceTable, Usage, cost, cost_of
from dalle2.catalog import MODELS, Price
from dalle2.errors import InvalidRequestError

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


HUGE = 10**400


@pytest.mark.parametrize(
    "odd", [HUGE, -HUGE, 10**12 + 1, 1e300, float("inf"), float("nan"), "9", True, -1, [1], {}]
)
def test_a_count_that_is_none_is_not_told(odd: object) -> None:
    """A host's absurd number is left out; what it says beside it stands, and the bill is only not known."""
    usage = Usage.from_json(
        {"output_tokens": odd, "input_tokens": 7, "input_tokens_details": {"text_tokens": odd}}
    )
    assert usage == Usage(input_tokens=7)
    assert cost("gpt-image-2", usage, n=1) is None


@pytest.mark.parametrize("odd", [HUGE, -1, 1.5, True, "9", float("nan")])
def test_usage_made_by_hand_is_checked(odd: object) -> None:
    """What is no count of tokens is refused by its field."""
    with pytest.raises(InvalidRequestError, match="image_tokens_in") as caught:
        Usage(image_tokens_in=odd)  # type: ignore[arg-type]
    assert caught.value.field == "image_tokens_in"
    assert len(str(caught.value)) < 200


def test_usage_travels() -> None:
    """It pickles to an equal value."""
    usage = Usage.from_json(BODY)
    assert pickle.loads(pickle.dumps(usage)) == usage
    assert b"_money" not in pickle.dumps(usage)


def test_the_tokens_of_many_answers_stay_a_count() -> None:
    """Sums of the largest counts are no larger than one may be; one that does not tell makes it unknown."""
    most = Usage(output_tokens=10**12)
    assert Usage.total([most, most]) == most
    assert Usage.total([most, Usage(input_tokens=1)]) == Usage()
    assert Usage.total([most, None]) is None
    assert Usage.total([]) is None


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


def test_what_was_made_is_what_is_billed() -> None:
    """Ten images cost ten, whatever was asked; size and quality are the answer's own before what was sent."""
    sent = {"model": "dall-e-2", "n": 1, "size": "256x256"}
    assert cost_of(sent, 10) == 0.16
    assert cost_of(sent, 10, None, {"size": "1024x1024"}) == 0.2
    assert cost_of(sent, 1, None, {"size": 9}) == 0.016
    assert cost_of({"size": ["odd"], "quality": 3}, 1) == 0.02
    assert cost_of({"model": "dall-e-3", "quality": "standard"}, 1, None, {"quality": "hd"}) == 0.08
    assert cost_of({"model": "dall-e-3", "quality": "hd"}, 1, prices=PRICES) == 0.08


def test_usage_bills_as_json_and_as_a_value() -> None:
    """The usage of an answer may have been read or not."""
    usage = Usage.from_json(BODY)
    expected = cost("gpt-image-2", usage, n=1)
    assert (
        cost_of({"model": "gpt-image-2"}, 1, BODY) == cost_of({"model": "gpt-image-2"}, 1, usage) == expected
    )


def test_a_charge_is_what_a_budget_counts() -> None:
    """Asked and estimated by what is sent, billed by what was made; a rough price is four times put aside."""
    charge = Charge.of("generate", {"model": "dall-e-2", "n": "3", "size": "256x256"})
    assert (charge.images, charge.usd, charge.billed(10)) == (3, 0.048, 0.16)
    newer = {"model": "gpt-image-2.5-flare", "n": 2.0, "quality": "low", "size": "1024x1024"}
    charge = Charge.of("generate", newer)
    budget = Budget(max_usd=1)
    held = budget.reserve(charge.images, charge.usd)
    assert (budget.spent_images, budget.spent_usd) == (2, pytest.approx(8 * 0.00588))
    budget.settle(held, 2, charge.billed(2, BODY))
    assert budget.spent_usd == pytest.approx((40 * 5 + 10 * 8 + 1056 * 30) / 1e6)
    mine = PRICES.with_prices({"x": Price("me", {("", "1024x1024"): 0.5}, exact=True)}, as_of=PRICES.as_of)
    charge = Charge.of("generate", {"model": "x"}, mine)
    assert (charge.images, charge.usd, charge.billed(2)) == (1, 0.5, 1.0)
    assert Charge.of("generate", {"model": "unheard-of"}).usd is None


@given(JSON, st.integers(0, 10**9), st.dictionaries(st.sampled_from(["size", "quality", "n"]), JSON))
def test_a_bill_never_raises_for_what_a_host_sends(usage: object, made: int, said: dict[str, object]) -> None:
    """After the payment nothing that came may become an error: the bill is an amount or unknown."""
    for model in [*MODELS, "unheard-of"]:
        usd = cost_of({**said, "model": model}, made, usage, said)
        assert usd is None or 0 <= usd <= 1e12


def test_the_largest_bill_is_an_amount() -> None:
    """The dearest prices and the largest counts make a finite sum."""
    dear = PriceTable(PRICES.as_of, {"x": Price("me", per_million=(1e12, 1e12, 1e12))})
    usage = Usage(output_tokens=10**12, text_tokens_in=10**12, image_tokens_in=10**12)
    assert cost("x", usage, n=1, prices=dear) == 1e12
