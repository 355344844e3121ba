"""The shape of a catalogue entry: plain frozen values, no rules.

The rule: a set of allowed values is closed only where the vendor rejects anything else; where that is not
known the parameter is open (`None`), and the host decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

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


class Price(NamedTuple):
    """List prices in US dollars.

    `per_image` maps `(quality, size)` to the price of one image; quality is `""` where the model knows
    none. `exact` tells whether that is the bill itself, or what the image's output tokens come to in the
    vendor's own table. `per_million` holds the prices of a million tokens as `(text in, image in, image
    out)`. Cached input is cheaper, but an answer does not say how much of it was: it is counted in full.
    """

    source: str
    per_image: Mapping[tuple[str, str], float] = {}
    exact: bool = False
    per_million: tuple[float, float, float] | None = None


Price.__module__ = "dalle2.catalog"


class Model(NamedTuple):
    """A model: its parameters by operation, its limits, its price and its end.

    `sizes` are the listed ones; `free_sizes` adds any `WIDTHxHEIGHT` inside the vendor's rule. `images` and
    `mask` are the limits of uploads (`None` where the model takes none). `retired_on` is the first day
    without the model on OpenAI's own host. `successor` is the vendor's advice. `snapshot_of` names the
    model of which this is a dated copy.
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
