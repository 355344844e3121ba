"""What a call will cost: list prices exactly, rough ones with their source; and how many images are asked."""

from __future__ import annotations

import copy
import json
import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._money import PRICES, Estimate, estimate, images_asked, in_words
from dalle2.catalog import MODELS, Price

FLARE = "gpt-image-2.5-flare"
LIVING = [name for name, model in MODELS.items() if model.retired_on is None]


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


@pytest.mark.parametrize(
    ("model", "arguments", "expected"),
    [
        (FLARE, {"size": "1024x1024", "quality": "low"}, 0.006),
        (FLARE, {"size": "1024x1024", "quality": "medium"}, 0.013),
        (FLARE, {"size": "1024x1024", "quality": "high"}, 0.053),
        (FLARE, {"size": "1024x1024", "quality": "xhigh"}, 0.094),
        (FLARE, {"size": "1024x1024", "quality": "max"}, 0.211),
        (FLARE, {"size": "1024x1024", "quality": "medium", "n": 10}, 0.13),
        (FLARE, {"size": "2048x2048", "quality": "low"}, 0.0235),
        (FLARE, {"size": "1024x1024"}, 0.053),
        (FLARE, {"quality": "auto", "size": "auto"}, 0.053),
        ("gpt-image-2.5-sunburst-2026-09-08", {"quality": "low"}, 0.006),
        ("gpt-image-2", {"quality": "medium"}, 0.053),
        ("gpt-image-2.6-flare", {"quality": "low"}, 0.0235),
        ("gpt-image-1-mini", {"quality": "auto"}, 0.036),
        ("gpt-image-1.5", {"quality": "low", "size": "2048x1024"}, 0.018),
    ],
)
def test_a_rough_price_is_told_to_who_asks(model: str, arguments: dict[str, Any], expected: float) -> None:
    """By model, quality and size, marked, with its source; a quality left to the host counts as high."""
    assert estimate("generate", model, **arguments) is None
    found = estimate("generate", model, **arguments, rough=True)
    assert found == pytest.approx(expected, rel=0.05)
    assert found is not None
    assert found.rough is True
    assert found.source.startswith("https://")


@pytest.mark.parametrize("model", LIVING)
@pytest.mark.parametrize("operation", ["generate", "edit"])
def test_every_living_model_has_a_rough_price(model: str, operation: str) -> None:
    """Whatever quality it takes, a budget in dollars can count it; dearer qualities cost no less."""
    levels = MODELS[model].parameters[operation]["quality"]  # type: ignore[index]
    assert isinstance(levels, tuple)
    usd = [
        estimate(operation, model, size="1024x1024", quality=str(level), rough=True)
        for level in levels
        if level != "auto"
    ]
    assert None not in usd
    assert usd == sorted(usd)  # type: ignore[type-var]
    assert estimate(operation, model, rough=True) is not None


def test_a_list_price_stays_one() -> None:
    """Asking for a rough price changes nothing where a true one is known."""
    found = estimate("generate", "dall-e-2", size="512x512", rough=True)
    assert (found, found.rough if found else None) == (0.018, False)
    assert found is not None
    assert found.source == PRICES.prices["dall-e-2"].source


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("unheard-of", {}),
        ("chatgpt-image-latest", {"size": "1024x1024", "quality": "low"}),
        (FLARE, {"quality": "ultra"}),
        ("dall-e-3", {"size": "256x256"}),
        ("dall-e-2", {"n": 10**400}),
        (FLARE, {"quality": "low", "n": 10**400}),
    ],
)
def test_what_is_not_even_roughly_known_is_none(model: str, arguments: dict[str, Any]) -> None:
    """Never a guess."""
    assert estimate("generate", model, **arguments, rough=True) is None


def test_an_edit_is_roughly_what_its_images_are() -> None:
    """Where the list price is that of a generation, an edit has only a rough one."""
    assert estimate("edit", "gpt-image-1", size="1024x1024", quality="low") is None
    found = estimate("edit", "gpt-image-1", size="1024x1024", quality="low", rough=True)
    assert found == 0.011
    assert found is not None
    assert found.rough


def test_prices_of_ones_own_count_roughly_too() -> None:
    """Their price of a token, or of a square image, and the catalogue's number of tokens."""
    day = date(2027, 1, 1)
    half = PRICES.with_prices({FLARE: Price("contract", per_million=(2.5, 4, 15))}, as_of=day)
    assert estimate("generate", FLARE, quality="medium", prices=half, rough=True) == pytest.approx(
        0.0066, rel=0.01
    )
    flat = PRICES.with_prices({"mine": Price("contract", {("", "1024x1024"): 0.5})}, as_of=day)
    found = estimate("generate", "mine", size="512x512", quality="x", prices=flat, rough=True)
    assert (found, found.source if found else None) == (0.125, "contract")
    tokens_only = PRICES.with_prices({"mine": Price("contract", per_million=(1, 1, 1))}, as_of=day)
    assert estimate("generate", "mine", prices=tokens_only, rough=True) is None


def test_requests_tell_it() -> None:
    """`estimate(rough=True)` of each kind of request; what `extra_body` overrides counts as it is sent."""
    request = dalle2.GenerateRequest(prompt="x", model=FLARE, quality="medium", size="1024x1024", n=2)
    assert request.estimate() is None
    found = request.estimate(rough=True)
    assert found == pytest.approx(0.026, rel=0.05)
    assert isinstance(found, float)
    assert found.rough
    more = dalle2.GenerateRequest(prompt="x", extra_body={"n": "10", "size": "256x256"})
    assert more.estimate() == 0.16
    other = dalle2.GenerateRequest(prompt="x", extra_body={"model": FLARE, "quality": "low"})
    assert (other.estimate(), str(other.estimate(rough=True))) == (None, "0.00588")
    assert dalle2.GenerateRequest(prompt="x", extra_body={"model": 3, "size": None}).estimate() == 0.02
    assert dalle2.GenerateRequest(prompt="x", n=10**400).estimate() is not None


def test_an_estimate_is_a_number() -> None:
    """It computes, compares, prints and serialises as one, and copies and pickles with its origin."""
    usd = Estimate(0.013, True, "https://example.com")
    assert (usd + 1, usd * 2, usd == 0.013, hash(usd)) == (1.013, 0.026, True, hash(0.013))
    assert (str(usd), f"{usd}", f"{usd:.2f}", json.dumps(usd)) == ("0.013", "0.013", "0.01", "0.013")
    assert repr(usd) == "Estimate(0.013, rough=True, source='https://example.com')"
    for twin in (copy.copy(usd), copy.deepcopy(usd), *(pickle.loads(pickle.dumps(usd, p)) for p in range(6))):
        assert (twin, twin.rough, twin.source) == (usd, True, "https://example.com")
    assert b"_money" not in pickle.dumps(usd)


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (Estimate(0.01317, True), "about $0.013"),
        (Estimate(12.345, True), "about $12"),
        (Estimate(123.45, True), "about $120"),
        (Estimate(0.018), "$0.018"),
        (0.05, "$0.05"),
        (1234.56, "$1234.56"),
        (0.0131234, "$0.013123"),
        (0.0, "$0"),
        (100.0, "$100"),
        (1e12, "$1000000000000"),
    ],
)
def test_an_amount_in_words(usd: float, words: str) -> None:
    """A rough one says "about", and no more digits than it is worth."""
    assert in_words(usd) == words


@pytest.mark.parametrize(
    ("n", "count"),
    [
        (None, 1), (1, 1), (10, 10), (10.0, 10), ("10", 10), (" 10 ", 10), ("1e1", 10), ("10.0", 10),
        (2.5, 3), (0, 1), (-3, 1), (True, 1), (False, 1), ("ten", 1), ("", 1), ([10], 1), ({}, 1),
        (float("nan"), 1), ("nan", 1), (float("-inf"), 1), (float("inf"), 10**9), ("inf", 10**9),
        (10**400, 10**9), (-(10**400), 1), ("9" * 5000, 10**9),
    ],
)  # fmt: skip
def test_an_n_counts_as_hosts_read_it(n: object, count: int) -> None:
    """A number in another form is that number, what is none is one image; the count is always one."""
    assert images_asked(n) == count


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_n_is_a_count(n: object) -> None:
    """Whatever `extra_body` holds, it can be counted with."""
    count = images_asked(n)
    assert type(count) is int
    assert 1 <= count <= 10**9


def test_the_page_tells_the_prices_of_the_catalogue() -> None:
    """Each figure of the table in `docs/money.md` is the rough price; its first-party models are those."""
    page = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8")
    head, _, *rows = re.findall(r"^\|(.*)\|$", page, re.MULTILINE)
    levels = [cell.strip() for cell in head.split("|")[1:]]
    told = {}
    for names, *cells in (row.split("|") for row in rows):
        known = dict(zip(levels, (cell.strip() for cell in cells), strict=True))
        for name in re.findall("`(.+?)`", names):
            told[name] = {level: usd for level, usd in known.items() if usd}
    expected = {
        name: {
            level: in_words(round(estimate("generate", name, quality=level, rough=True) or 0, 3))
            for level in model.tokens.by_quality
        }
        for name, model in MODELS.items()
        if model.tokens is not None and model.snapshot_of is None
    }
    assert told == expected
    (sentence,) = re.findall(r"^First-party are those of (.*)\.$", page, re.MULTILINE)
    first = [name for name, price in PRICES.prices.items() if price.first_party]
    assert sorted(re.findall("`(.+?)`", sentence)) == sorted(first)
