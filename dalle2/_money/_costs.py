"""What a call did cost: by its images, or by the tokens that its answer tells; and its charge to a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from .._secrets import quoted
from ..catalog import Price
from ..errors import InvalidRequestError
from ._estimates import estimate_of, images_asked, text
from ._prices import PRICES, Estimate, PriceTable, by_image, rounded

_MOST_TOKENS = 10**12  # no answer has as many; a larger count is none


def _tokens(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not _is_count(value):
        raise InvalidRequestError(
            f"{attribute.name} must be an integer from 0 to 1e12 or None, not {quoted(value)}",
            field=attribute.name,
        )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


@attrs.frozen
class Usage:
    """The tokens that an answer says it was billed for; `None` where it does not say.

    Only models priced by tokens report it: an answer of dall-e-2 or dall-e-3 has none. Made by hand it raises
    `InvalidRequestError` for what is no count.
    """

    __module__ = "dalle2"

    total_tokens: int | None = attrs.field(default=None, validator=_tokens)
    input_tokens: int | None = attrs.field(default=None, validator=_tokens)
    output_tokens: int | None = attrs.field(default=None, validator=_tokens)
    text_tokens_in: int | None = attrs.field(default=None, validator=_tokens)
    image_tokens_in: int | None = attrs.field(default=None, validator=_tokens)
    text_tokens_out: int | None = attrs.field(default=None, validator=_tokens)
    image_tokens_out: int | None = attrs.field(default=None, validator=_tokens)

    @classmethod
    def from_json(cls, value: object) -> Usage | None:
        """Read the `usage` object of an answer; `None` if it is none or tells nothing. Never raises."""
        if not isinstance(value, Mapping):
            return None
        taken = value.get("input_tokens_details")
        given = value.get("output_tokens_details")
        usage = cls(
            total_tokens=_count(value, "total_tokens"),
            input_tokens=_count(value, "input_tokens"),
            output_tokens=_count(value, "output_tokens"),
            text_tokens_in=_count(taken, "text_tokens"),
            image_tokens_in=_count(taken, "image_tokens"),
            text_tokens_out=_count(given, "text_tokens"),
            image_tokens_out=_count(given, "image_tokens"),
        )
        return None if usage == cls() else usage

    @classmethod
    def total(cls, parts: Iterable[Usage | None]) -> Usage | None:
        """The tokens of several answers together; what one of them does not tell is not known."""
        known = list(parts)
        if not known or None in known:
            return None
        sums = []
        for field in attrs.fields(cls):
            counts = [getattr(part, field.name) for part in known]
            sums.append(None if None in counts else min(sum(counts), _MOST_TOKENS))
        return cls(*sums)


def _count(value: object, key: str) -> int | None:
    found = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if _is_count(found) else None


def cost(
    model: str,
    usage: Usage | None = None,
    *,
    n: int,
    size: str | None = None,
    quality: str | None = None,
    prices: PriceTable = PRICES,
) -> float | None:
    """What a call did cost in US dollars: by its images or by its usage, as the model is billed.

    `n` is the number of images that came. `None` where the price, the usage or its split into text and
    image is not known. Cached input is counted in full, so the true bill can be a little lower.
    """
    price = prices.prices.get(model)
    if price is None:
        return None
    return by_image(price, n, size, quality) if price.exact else _by_usage(price, usage)


def cost_of(
    sent: Mapping[str, object],
    made: int,
    usage: object = None,
    told: Mapping[str, object] | None = None,
    *,
    prices: PriceTable = PRICES,
) -> float | None:
    """What an answer did cost: the number of images `made`, by what was `sent` (names and values of the body,
    `model` among them) where the answer has not `told` otherwise. `usage` is a `Usage`, the JSON of one, or
    nothing. Never raises for what a host sends.
    """
    told = told or {}
    return cost(
        text(sent.get("model")) or "dall-e-2",
        usage if isinstance(usage, Usage) else Usage.from_json(usage),
        n=made,
        size=text(told.get("size")) or text(sent.get("size")),
        quality=text(told.get("quality")) or text(sent.get("quality")),
        prices=prices,
    )


@attrs.frozen
class Charge:
    """What one call is counted at in a budget: how many images are asked for and their estimate, and once its
    answer is there what that did cost.
    """

    sent: Mapping[str, object]
    images: int
    usd: Estimate | None
    prices: PriceTable

    @classmethod
    def of(cls, operation: str, sent: Mapping[str, object], prices: PriceTable | None = None) -> Charge:
        """The charge of a call by what is sent; roughly where no list price is known."""
        table = PRICES if prices is None else prices
        images = images_asked(sent.get("n"))
        return cls(sent, images, estimate_of(operation, sent, prices=table, rough=True), table)

    def billed(
        self, made: int, usage: object = None, told: Mapping[str, object] | None = None
    ) -> float | None:
        """What was billed for the images `made`, or `None` if that is not known (see `cost_of`)."""
        return cost_of(self.sent, made, usage, told, prices=self.prices)


def _by_usage(price: Price, usage: Usage | None) -> float | None:
    if price.per_million is None or usage is None or usage.output_tokens is None:
        return None
    if usage.text_tokens_in is None or usage.image_tokens_in is None or usage.text_tokens_out:
        return None
    text_in, image_in, image_out = price.per_million
    taken = usage.text_tokens_in * text_in + usage.image_tokens_in * image_in
    return rounded((taken + usage.output_tokens * image_out) / 1_000_000)
