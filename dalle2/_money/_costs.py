"""What a call did cost: by its images, or by the tokens that its answer tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import attrs

from ..catalog import Price
from ..catalog._model import shown
from ..errors import InvalidRequestError
from ._estimates import text
from ._prices import PRICES, PriceTable, by_image, rounded

_MOST_TOKENS = 10**12  # no answer has as many; a larger count is none


def _tokens(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not _is_count(value):
        raise InvalidRequestError(
            f"{attribute.name} must be an integer from 0 to 1e12 or None, not {shown(value)}",
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
        if None in known:
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


class Answer(Protocol):
    """What an answer says that its cost depends on: `ImagesData` and `Images` do."""

    @property
    def model(self) -> str:
        """The model that was asked."""

    @property
    def usage(self) -> object:
        """A `Usage`, the JSON of one, or nothing."""

    @property
    def extra(self) -> Mapping[str, object]:
        """What the answer says beside its images."""


def cost_of(
    answer: Answer, made: int, values: Mapping[str, object], *, prices: PriceTable = PRICES
) -> float | None:
    """What an answer did cost: by the number of images `made`, and by what it says of itself before what was
    asked for (`values`: the body as it was sent). Never raises for what a host sends.
    """
    told = answer.usage
    return cost(
        answer.model,
        told if isinstance(told, Usage) else Usage.from_json(told),
        n=made,
        size=text(answer.extra.get("size")) or text(values.get("size")),
        quality=text(answer.extra.get("quality")) or text(values.get("quality")),
        prices=prices,
    )


def _by_usage(price: Price, usage: Usage | None) -> float | None:
    if price.per_million is None or usage is None or usage.output_tokens is None:
        return None
    if usage.text_tokens_in is None or usage.image_tokens_in is None or usage.text_tokens_out:
        return None
    text_in, image_in, image_out = price.per_million
    taken = usage.text_tokens_in * text_in + usage.image_tokens_in * image_in
    return rounded((taken + usage.output_tokens * image_out) / 1_000_000)
