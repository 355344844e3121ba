"""Prices as callers see them: a table by model, and an amount that says where it is from.

The rule: a table is dated and an argument, because prices change and other hosts have their own; one that
exists holds only prices that can be computed with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import attrs

from .._secrets import quoted
from ..catalog import AS_OF, MODELS, Price
from ..catalog._model import MOST_DOLLARS
from ..errors import InvalidRequestError
from ._tables import in_dollars, price_rows, table


class Estimate(float):
    """What a call will cost in US dollars: a number, and where it comes from.

    `rough`: the true bill is known only afterwards, and may be several times as high or as low. `source`: the
    pages or the name that the price table gives for it.
    """

    __module__ = "dalle2"

    __slots__ = ("_rough", "_source")

    _rough: bool
    _source: str

    def __new__(cls, usd: float, rough: bool = False, source: str = "") -> Estimate:
        """An amount of dollars with its origin."""
        self = super().__new__(cls, usd)
        self._rough = rough
        self._source = source
        return self

    @property
    def rough(self) -> bool:
        """Whether this is no list price, but what such images were reported to cost."""
        return self._rough

    @property
    def source(self) -> str:
        """Where the price stands."""
        return self._source

    def __reduce__(self) -> tuple[type[Estimate], tuple[float, bool, str]]:
        return Estimate, (float(self), self._rough, self._source)

    def __repr__(self) -> str:
        return f"Estimate({float.__repr__(self)}, rough={self._rough}, source={self._source!r})"

    def __str__(self) -> str:
        return float.__repr__(self)


def in_words(usd: float) -> str:
    """An amount for a message: `$0.018`, or `about $0.013` if it is a rough one."""
    if isinstance(usd, Estimate) and usd.rough:
        return f"about {in_dollars(float(f'{usd:.2g}'))}"
    return in_dollars(usd)


def _prices(given: object) -> Mapping[str, Price]:
    """A copy that no caller holds, each price checked anew: `_replace` of a tuple checks nothing."""
    if not isinstance(given, Mapping):
        raise InvalidRequestError(f"prices must map models to Price, not {quoted(given)}", field="prices")
    for name, price in given.items():
        if not isinstance(name, str) or not isinstance(price, Price):
            raise InvalidRequestError(
                f"prices must map model names to Price; {quoted(name)} is mapped to {quoted(price)}",
                field="prices",
            )
    return {name: Price(*price) for name, price in given.items()}


def _day(given: object) -> date:
    if not isinstance(given, date):
        raise InvalidRequestError(f"as_of must be a date, not {quoted(given)}", field="as_of")
    return given.date() if isinstance(given, datetime) else given


@attrs.frozen
class PriceTable:
    """List prices by model name, as they stood on `as_of`.

    Bring your own: `PriceTable.listed().with_prices({"gpt-image-2": Price("my contract", {...})},
    as_of=date(...))`. Raises `InvalidRequestError` for what is no price.
    """

    __module__ = "dalle2"

    as_of: date = attrs.field(converter=_day)
    prices: Mapping[str, Price] = attrs.field(
        converter=_prices, repr=lambda prices: f"<{len(prices)} models>"
    )

    @classmethod
    def listed(cls) -> PriceTable:
        """OpenAI's list prices as this package knows them."""
        return PRICES

    def with_prices(self, prices: Mapping[str, Price], *, as_of: date) -> PriceTable:
        """A copy with some prices replaced or added. Raises `InvalidRequestError` for what is no price."""
        return PriceTable(as_of, {**self.prices, **_prices(prices)})

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each model, with the source of its price."""
        return table(f"US dollars, as of {self.as_of}", price_rows(self.prices))


PRICES = PriceTable(AS_OF, {name: model.price for name, model in MODELS.items() if model.price is not None})
"""OpenAI's list prices as this package knows them."""


def by_image(price: Price, n: int, size: str | None, quality: str | None) -> float | None:
    """What `n` images come to by a price for each; `None` where this size and quality have none."""
    exact = price.exact
    # dall-e-2 and dall-e-3 draw 1024x1024 in standard quality unasked; the others choose for themselves.
    wanted_size = size or ("1024x1024" if exact else "")
    wanted_quality = quality or ("standard" if exact else "")
    for key in ((wanted_quality, wanted_size), ("", wanted_size)):
        if key in price.per_image:
            return rounded(n * price.per_image[key])
    return None


def rounded(usd: float) -> float:
    """An amount without the dust of binary fractions, and never more than any amount is."""
    return min(round(usd, 9), MOST_DOLLARS)
