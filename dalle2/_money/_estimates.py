"""What a call will cost: by list price, or roughly, for who asks for that."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .._secrets import quoted
from ..catalog import MODELS, Price, parse_size
from ..errors import InvalidRequestError
from ._prices import PRICES, Estimate, PriceTable, by_image, rounded

MOST_IMAGES = 10**9
"""The largest number of images that is counted as one; a larger one counts as this many."""

_SQUARE = 1024 * 1024  # pixels


def images_asked(n: object) -> int:
    """How many images a host may read an `n` as: it may come from `extra_body`, which is not checked.

    A number in another form counts as that number (`10.0`, `"10"`); what is none counts as one image, like
    an `n` that is not sent.
    """
    if isinstance(n, str):
        try:
            n = float(n)
        except ValueError:
            return 1
    if not isinstance(n, (int, float)) or n != n:
        return 1
    return math.ceil(max(1, min(n, MOST_IMAGES)))


def estimate(
    operation: str,
    model: str,
    *,
    n: int | None = None,
    size: str | None = None,
    quality: str | None = None,
    prices: PriceTable = PRICES,
    rough: bool = False,
) -> Estimate | None:
    """What a call will cost in US dollars; `None` where that is not known.

    Known are models with a price for each image, and generations of gpt-image-1, its mini and 1.5 with a
    stated size and quality: there it is the price of the images alone, the prompt's own tokens (a fraction
    of a cent) come on top. With `rough`, where no list price is known: what such an image was reported to
    take in output tokens, at their price; images that are sent along come on top.
    """
    price, count = prices.prices.get(model), 1 if n is None else n
    if price is None or count > MOST_IMAGES:
        return None
    listed = by_image(price, count, size, quality) if operation == "generate" or price.exact else None
    if listed is not None:
        return Estimate(listed, False, price.source)
    found = _rough(model, price, size, quality) if rough else None
    return None if found is None else Estimate(rounded(count * found), True, found.source)


def _rough(model: str, price: Price, size: str | None, quality: str | None) -> Estimate | None:
    """The rough price of one image, from its pixels: those of a listed size, or the tokens of a square one.

    A quality that is left to the host counts as `high`, as relays bill it
    (https://pixapi.ai/docs/models/gpt-image-2/); a size that is left to it as 1024x1024.
    """
    level = "high" if quality in (None, "auto") else quality
    edges = parse_size(size)
    pixels = _SQUARE if edges is None else edges[0] * edges[1]
    for key in ((level, "1024x1024"), ("", "1024x1024")):
        if key in price.per_image:
            return Estimate(price.per_image[key] * pixels / _SQUARE, True, price.source)
    known = MODELS.get(model)
    taken = None if known is None or known.tokens is None else known.tokens.by_quality.get(level or "")
    if known is None or known.tokens is None or taken is None or price.per_million is None:
        return None
    usd = taken * pixels / _SQUARE * price.per_million[2] / 1_000_000
    return Estimate(usd, True, f"{known.tokens.source} (output tokens), {price.source} (their price)")


def estimate_of(
    operation: str, values: Mapping[str, object], *, prices: PriceTable = PRICES, rough: bool = False
) -> Estimate | None:
    """The estimate of a call by what is sent: the body's names and values, `extra_body` included.

    Raises `InvalidRequestError` for prices that are no `PriceTable`.
    """
    if not isinstance(prices, PriceTable):
        raise InvalidRequestError(f"prices must be a PriceTable, not {quoted(prices)}", field="prices")
    return estimate(
        operation,
        text(values.get("model")) or "dall-e-2",
        n=images_asked(values.get("n")),
        size=text(values.get("size")),
        quality=text(values.get("quality")),
        prices=prices,
        rough=rough,
    )


def text(value: object) -> str | None:
    """A value that is a text and not empty."""
    return value if isinstance(value, str) and value else None
