"""Prices and limits that clients and requests are given: refused at once, never after a payment."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import dalle2
from dalle2.catalog import Price
from dalle2.testing import Emulator

ODD: list[Any] = [5, 0, "5", {}, {"dall-e-2": 0.5}, [], dalle2.Budget, dalle2.PriceTable]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", [dalle2.Client, dalle2.AsyncClient])
def test_a_client_takes_a_budget_and_a_table_only(kind: type[Any], odd: Any) -> None:
    """Anything else, an empty one included, is named by its argument when the client is made."""
    for name, word in (("budget", "a Budget"), ("prices", "a PriceTable")):
        with pytest.raises(dalle2.ConfigurationError, match=f"{name} must be {word}"):
            kind("sk-test", base_url="http://127.0.0.1:1/v1", **{name: odd})


def test_kinds_of_ones_own_are_taken() -> None:
    """A budget that somebody derived is one."""

    class Mine(dalle2.Budget):
        """One with a name."""

    budget = Mine(max_images=1)
    with dalle2.Client("sk-test", http_client=Emulator().client(), budget=budget) as client:
        client.generate("a corgi", size="256x256")
    assert budget.spent_images == 1


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_request_is_estimated_by_a_table_only(odd: Any) -> None:
    """An odd one is refused by its field, whether or not its price would be needed."""
    for model in ("dall-e-2", "unheard-of"):
        with pytest.raises(dalle2.InvalidRequestError, match="prices must be a PriceTable") as caught:
            dalle2.GenerateRequest(prompt="a corgi", model=model).estimate(prices=odd)
        assert caught.value.field == "prices"


def test_an_answer_that_cannot_be_priced_has_no_cost(host: Any) -> None:
    """A host that tells absurd numbers is paid and its image is there: only the bill is not known."""
    absurd = b'{"input_tokens": 1, "output_tokens": ' + b"9" * 4000 + b"}"
    body = b'{"created": 1, "data": [{"url": "/images/1.png"}], "usage": ' + absurd + b"}"
    host.say(body, kind="application/json")
    with dalle2.Client("sk-test", base_url=host.base_url) as client:
        images = client.generate("a corgi", model="gpt-image-2")
        assert (images.cost, len(images)) == (None, 1)
        assert images.usage == dalle2.Usage(input_tokens=1)


def test_a_table_of_ones_own_is_the_only_one() -> None:
    """What it does not know is not looked up elsewhere: refused before sending."""
    mine = dalle2.PriceTable(date(2026, 1, 1), {"x": Price("me", {("", "1024x1024"): 0.5}, exact=True)})
    budget = dalle2.Budget(max_usd=1)
    with (
        dalle2.Client("sk-test", http_client=Emulator().client(), prices=mine, budget=budget) as client,
        pytest.raises(dalle2.BudgetExceededError, match="not known, not even roughly"),
    ):
        client.generate("a corgi", model="dall-e-2")
    assert budget.spent_usd == 0
