"""Prices: those that the package knows, each with its source, and those that callers bring."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._money import PRICES, PriceTable, cost, estimate
from dalle2.catalog import AS_OF, MODELS, OutputTokens, Price
from dalle2.errors import InvalidRequestError

DAY = date(2026, 11, 1)
ODD = [10**400, -(10**400), -1, -0.01, float("nan"), float("inf"), float("-inf"), True, "5", None, [1],
       Decimal("5"), Fraction(1, 3), SimpleNamespace(), 1e13]  # fmt: skip


def test_the_price_table_is_dated_and_replaceable() -> None:
    """A table of one's own gives figures where the package knows none."""
    mine = PRICES.with_prices(
        {"gpt-image-2": Price("contract", {("", "1024x1024"): 0.5})}, as_of=date(2027, 1, 1)
    )
    assert PRICES.as_of == AS_OF
    assert PriceTable.listed() is PRICES
    assert mine.as_of == date(2027, 1, 1)
    assert estimate("generate", "gpt-image-2", size="1024x1024", quality="low", prices=mine) == 0.5
    assert estimate("generate", "dall-e-2", prices=mine) == 0.02
    assert cost("dall-e-2", n=1, prices=PriceTable(date(2027, 1, 1), {})) is None


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{odd!r:.20}")
def test_an_odd_price_is_refused_when_it_is_made(odd: Any) -> None:
    """Each field of a price, by its name and shortly; nothing of it can be found out after a payment."""
    for field, values in (
        ("per_image", {"per_image": {("", "1024x1024"): odd}}),
        ("per_million", {"per_million": (1, odd, 1)}),
    ):
        with pytest.raises(InvalidRequestError, match=field) as caught:
            Price("me", **values)
        assert caught.value.field == field
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("odd", [Decimal("5"), Fraction(1, 3)])
def test_another_kind_of_number_is_told_what_to_write(odd: Any) -> None:
    """The next step is in the message."""
    with pytest.raises(InvalidRequestError, match=r"write float\(\.\.\.\)"):
        Price("me", {("", "1024x1024"): odd})
    assert Price("me", {("", "1024x1024"): float(odd)}).per_image


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"source": 5}, "source"),
        ({"source": "me", "per_image": 0.5}, "per_image"),
        ({"source": "me", "per_image": {"1024x1024": 0.5}}, "per_image"),
        ({"source": "me", "per_image": {("low",): 0.5}}, "per_image"),
        ({"source": "me", "per_image": {("low", 1024): 0.5}}, "per_image"),
        ({"source": "me", "per_million": 30}, "per_million"),
        ({"source": "me", "per_million": (5, 8)}, "per_million"),
    ],
)
def test_a_price_of_another_shape_is_refused(given: dict[str, Any], field: str) -> None:
    """With what it must look like."""
    with pytest.raises(InvalidRequestError) as caught:
        Price(**given)
    assert caught.value.field == field


def test_a_price_is_plain_numbers_of_its_own() -> None:
    """Integers and lists are taken; what the caller changes afterwards in a mapping changes nothing here."""
    mine = {("low", "1024x1024"): 1}
    price = Price("me", mine, per_million=[5, 8, 30])  # type: ignore[arg-type]
    mine["low", "1024x1024"] = -1
    assert (price.per_image, price.per_million) == ({("low", "1024x1024"): 1.0}, (5.0, 8.0, 30.0))
    assert type(price.per_image["low", "1024x1024"]) is float
    assert pickle.loads(pickle.dumps(price)) == price


@pytest.mark.parametrize(
    ("as_of", "prices", "field"),
    [
        ("2026-11-01", {}, "as_of"),
        (DAY, [], "prices"),
        (DAY, {"x": 0.5}, "prices"),
        (DAY, {5: Price("me")}, "prices"),
        (DAY, {"x": Price("me")._replace(per_image={("", "1024x1024"): float("nan")})}, "per_image"),
        (DAY, {"x": Price("me")._replace(per_million=(1, 2, 10**400))}, "per_million"),
    ],
)
def test_an_odd_table_is_refused_when_it_is_made(as_of: Any, prices: Any, field: str) -> None:
    """By the constructor and by `with_prices`, before any client has it."""
    for make in (lambda: PriceTable(as_of, prices), lambda: PRICES.with_prices(prices, as_of=as_of)):
        with pytest.raises(InvalidRequestError) as caught:
            make()
        assert caught.value.field == field


def test_a_table_is_a_value() -> None:
    """It holds a day, keeps no mapping of the caller's, pickles, and shows itself in one line."""
    mine = {"x": Price("me")}
    table = PriceTable(datetime(2026, 11, 1, 12, tzinfo=UTC), mine)
    mine["x"] = "odd"  # type: ignore[assignment]
    assert table == PriceTable(DAY, {"x": Price("me")})
    assert type(table.as_of) is date
    assert pickle.loads(pickle.dumps(PRICES)) == PRICES
    assert b"_money" not in pickle.dumps(PRICES)
    assert b"catalog._" not in pickle.dumps(PRICES)
    assert repr(table) == "PriceTable(as_of=datetime.date(2026, 11, 1), prices=<1 models>)"


NUMBERS = st.integers() | st.floats() | st.booleans() | st.decimals() | st.fractions() | st.text() | st.none()


@given(st.dictionaries(st.tuples(st.sampled_from(["", "low"]), st.just("1024x1024")), NUMBERS), NUMBERS)
def test_what_a_price_takes_can_be_computed_with(
    per_image: Mapping[tuple[str, str], Any], token: Any
) -> None:
    """Whatever is brought is refused at once, or never raises in an estimate or a bill."""
    try:
        price = Price("me", per_image, exact=True, per_million=(token, token, token))
    except InvalidRequestError:
        return
    table = PriceTable(DAY, {"gpt-image-2": price})
    found = estimate("generate", "gpt-image-2", n=10**9, quality="low", prices=table, rough=True)
    assert found is None or 0 <= found <= 1e12
    billed = cost("gpt-image-2", n=10**9, quality="low", prices=table)
    assert billed is None or 0 <= billed <= 1e12


# Where the prices stand


def test_every_price_says_where_it_stands() -> None:
    """Each has a page; it counts as first-party exactly where that is the vendor's own."""
    rows = [model.price for model in MODELS.values() if model.price is not None]
    rows += [model.tokens for model in MODELS.values() if model.tokens is not None]  # type: ignore[misc]
    assert len(rows) > 15
    for row in rows:
        assert isinstance(row, (Price, OutputTokens))
        assert row.source.startswith("https://")
        assert row.first_party == row.source.startswith("https://developers.openai.com/")


class Cells(HTMLParser):
    """The texts of a table's cells, and the tags around them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """A tag."""
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        """A text."""
        self.cells.append(data)


def test_a_notebook_shows_the_table() -> None:
    """A row for each model with price, source and whether that is first-party; names stay text."""
    shown = Cells(PRICES._repr_html_())
    assert {"dall-e-2", "$0.016 to $0.02", "$5, $8, $30", "yes", "no"} <= set(shown.cells)
    assert PRICES.prices["dall-e-2"].source in shown.cells
    odd = PriceTable(DAY, {"<script>": Price("<img src=x>", {("", "1024x1024"): 0.5})})
    shown = Cells(odd._repr_html_())
    assert {"<script>", "<img src=x>", "$0.5"} <= set(shown.cells)
    assert shown.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
