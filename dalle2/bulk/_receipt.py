"""What came back from one call: its images and what they cost, in plain values that travel and can be kept.

The rule: bytes stay bytes, and everything else about an image is what its `to_dict()` says, so that a URL
that was written down is fetched like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

import attrs

from .._money import PRICES, PriceTable
from .._money._budget import MARGIN
from ._pacer import Allowance

if TYPE_CHECKING:
    from .._requests._values import Request
    from .._results._at_once import AsyncImages
    from .._results._blocking import Images
    from .._types import KeptImage
    from .._wire._rate_limit import RateLimit
    from ..errors import Dalle2Error

NANO = 1_000_000_000
"""Money is counted in whole billionths of a dollar."""


@attrs.frozen
class Receipt:
    """The images of one call. `images` are pairs of facts and bytes (`None` where there is only a URL).

    `nano` is what the call cost, if that is known; `note` is what was wrong with the answer.
    """

    images: tuple[tuple[Mapping[str, object], bytes | None], ...]
    nano: int | None = None
    request_id: str | None = None
    note: str | None = None
    told: Allowance | None = None

    @property
    def has_bytes(self) -> bool:
        """Whether there are bytes that exist nowhere else."""
        return any(content is not None for _, content in self.images)

    def without_bytes(self) -> Receipt:
        """The same once the bytes are safe."""
        return attrs.evolve(self, images=tuple((facts, None) for facts, _ in self.images))

    def manifest(self) -> dict[str, object]:
        """All but the bytes, as plain JSON values."""
        return {
            "images": [facts for facts, _ in self.images],
            "nano": self.nano,
            "request_id": self.request_id,
            "note": self.note,
        }

    @classmethod
    def of_manifest(cls, document: Mapping[str, object]) -> Receipt:
        """The receipt that `manifest` described, without bytes."""
        images = cast("list[dict[str, object]]", document["images"])
        return cls(
            tuple((facts, None) for facts in images),
            cast("int | None", document["nano"]),
            cast("str | None", document["request_id"]),
            cast("str | None", document["note"]),
        )


def receipt_of(images: Images | AsyncImages) -> Receipt:
    """The receipt of an answer."""
    cost = images.cost
    return Receipt(
        _pairs(images),
        None if cost is None else nano(cost),
        images.request_id,
        told=allowance_of(images.rate_limit),
    )


def receipt_of_error(error: Dalle2Error, note: str) -> Receipt | None:
    """The receipt of what an error kept; `None` if it kept no image."""
    pairs = _pairs(error.images)
    return Receipt(pairs, None, note=note) if pairs else None


def _pairs(images: Iterable[KeptImage]) -> tuple[tuple[Mapping[str, object], bytes | None], ...]:
    return tuple((_facts(image), image.content) for image in images)


def _facts(image: KeptImage) -> Mapping[str, object]:
    if image.content is None:
        return image.to_dict()
    told = {name: getattr(image, name, None) for name in ("model", "revised_prompt")}
    return {"url": image.url, **{name: value for name, value in told.items() if value is not None}}


def allowance_of(told: RateLimit) -> Allowance | None:
    """What an answer says is left of the images a minute; `None` where it does not say all of it."""
    limit, remaining, reset = told.limit_images, told.remaining_images, told.reset_images
    return (
        Allowance(limit, remaining, reset) if limit and remaining is not None and reset is not None else None
    )


def nano(usd: float) -> int:
    """Dollars as whole billionths."""
    return round(usd * NANO)


@attrs.frozen
class Expected:
    """What a call is expected to cost (`None`: not even roughly known), and whether that is a rough guess."""

    nano: int | None
    rough: bool = False

    @property
    def reserve(self) -> int | None:
        """What a limit puts aside for it: a rough price several times."""
        return None if self.nano is None else self.nano * (MARGIN if self.rough else 1)


def expected(request: Request, prices: PriceTable | None) -> Expected:
    """The price of a request beforehand."""
    found = request.estimate(prices=prices or PRICES, rough=True)
    return Expected(None) if found is None else Expected(nano(found), found.rough)
