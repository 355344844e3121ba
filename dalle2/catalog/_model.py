"""The shape of a catalogue entry: plain frozen values.

The rule: a set of allowed values is closed only where the vendor rejects anything else; where that is not
known the parameter is open (`None`), and the host decides. Prices are what callers bring too, so they are
checked when they are made: a bill is computed after the payment, and must not fail then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple, Self, TypeAlias

from .._secrets import quoted
from ..errors import InvalidRequestError

Operation: TypeAlias = Literal["generate", "edit", "vary"]
Allowed: TypeAlias = tuple[str, ...] | tuple[bool, ...] | range | None
"""The values that a parameter may have: a closed list, a range of integers, or `None` for "any"."""


class FileLimits(NamedTuple):
    """What an uploaded file may be: how many, which media types, fewer than how many bytes, square or not."""

    most: int
    media_types: tuple[str, ...]
    below_bytes: int
    square: bool = False


FileLimits.__module__ = "dalle2.catalog"


MOST_DOLLARS = 1e12
"""The largest amount that is taken for one: sums of such amounts stay finite."""


def dollars(value: object, field: str) -> float:
    """An amount as a plain float. Raises `InvalidRequestError` for what is no number from 0 to 1e12."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST_DOLLARS:
        return float(value)
    way = ": write float(...)" if hasattr(value, "__float__") and not isinstance(value, (int, float)) else ""
    raise InvalidRequestError(
        f"{field} must be a number of dollars from 0 to 1e12, not {quoted(value)}{way}", field=field
    )


class _Prices(NamedTuple):
    source: str
    per_image: Mapping[tuple[str, str], float] = {}
    exact: bool = False
    per_million: tuple[float, float, float] | None = None
    first_party: bool = False


class Price(_Prices):
    """List prices in US dollars, and where they stand.

    `per_image` maps `(quality, size)` to the price of one image; quality is `""` where the model knows
    none. `exact` tells whether that is the bill itself, or what the image's output tokens come to in the
    vendor's own table. `per_million` holds the prices of a million tokens as `(text in, image in, image
    out)`. Cached input is cheaper, but an answer does not say how much of it was: it is counted in full.
    `source` is a page or any name; `first_party` tells whether it is the vendor's own.

    Raises `InvalidRequestError` for what is no price: text, a negative number, NaN, infinity.
    """

    __slots__ = ()

    def __new__(
        cls,
        source: str,
        per_image: Mapping[tuple[str, str], float] = {},
        exact: bool = False,
        per_million: tuple[float, float, float] | None = None,
        first_party: bool = False,
    ) -> Self:
        """A price. Raises `InvalidRequestError`."""
        if not isinstance(source, str):
            raise InvalidRequestError(f"source must be a text, not {quoted(source)}", field="source")
        if not isinstance(per_image, Mapping):
            raise InvalidRequestError(
                f"per_image must map (quality, size) to dollars, not {quoted(per_image)}", field="per_image"
            )
        for key in per_image:
            if not isinstance(key, tuple) or [isinstance(part, str) for part in key] != [True, True]:
                raise InvalidRequestError(
                    f"a key of per_image must be such as ('low', '1024x1024'), not {quoted(key)}",
                    field="per_image",
                )
        images = {key: dollars(price, "per_image") for key, price in per_image.items()}
        return super().__new__(cls, source, images, bool(exact), _three(per_million), bool(first_party))


Price.__module__ = "dalle2.catalog"


def _three(per_million: object) -> tuple[float, float, float] | None:
    if per_million is None:
        return None
    if not isinstance(per_million, (tuple, list)) or len(per_million) != 3:
        raise InvalidRequestError(
            f"per_million must be (text in, image in, image out), not {quoted(per_million)}",
            field="per_million",
        )
    text_in, image_in, image_out = (dollars(price, "per_million") for price in per_million)
    return text_in, image_in, image_out


class OutputTokens(NamedTuple):
    """How many output tokens one image of 1024x1024 takes, by quality: reported, told by no list.

    Other sizes take about as many more as they have more pixels. With the price of a token this is a rough
    price: see `GenerateRequest.estimate(rough=True)`.
    """

    source: str
    by_quality: Mapping[str, int]
    first_party: bool = False


OutputTokens.__module__ = "dalle2.catalog"


class Model(NamedTuple):
    """A model: its parameters by operation, its limits, its price and its end.

    `sizes` are the listed ones; `free_sizes` adds any `WIDTHxHEIGHT` inside the vendor's rule. `images` and
    `mask` are the limits of uploads (`None` where the model takes none). `retired_on` is the first day
    without the model on OpenAI's own host. `successor` is the vendor's advice. `snapshot_of` names the
    model of which this is a dated copy. `tokens` is what an image takes, where the price is one of tokens.
    `batches`: the vendor's page says that it is made in batches, too.
    """

    name: str
    source: str
    parameters: Mapping[Operation, Mapping[str, Allowed]]
    sizes: tuple[str, ...]
    prompt_limit: int
    free_sizes: bool = False
    images: FileLimits | None = None
    mask: FileLimits | None = None
    price: Price | None = None
    retired_on: date | None = None
    successor: str | None = None
    snapshot_of: str | None = None
    tokens: OutputTokens | None = None
    batches: bool = False

    @property
    def endpoints(self) -> tuple[Operation, ...]:
        """The operations that this model serves."""
        return tuple(self.parameters)

    @property
    def output_formats(self) -> tuple[str, ...]:
        """The file formats that it writes; the first is what it writes unasked."""
        allowed = self.parameters["generate"].get("output_format")
        return tuple(str(value) for value in allowed) if allowed else ("png",)

    def n_range(self, operation: Operation = "generate") -> range:
        """How many images one call of `operation` may ask for."""
        allowed = self.parameters.get(operation, {}).get("n")
        return allowed if isinstance(allowed, range) else range(1, 2)


Model.__module__ = "dalle2.catalog"
