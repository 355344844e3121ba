"""What a call costs: before it (an estimate), after it (from its usage), and a limit over many.

The rule: a price that is not known is `None`, never 0 and never a guess. All amounts are US dollars at list
price; the table is dated and an argument, because prices change and other hosts have their own. A budget
counts a call from the moment it is reserved until it is certain that the call was not carried out, so an
unknown outcome stays spent.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from datetime import date

import attrs

from .catalog import AS_OF, MODELS, Price
from .errors import BudgetExceededError, InvalidRequestError

_NANO = 1_000_000_000  # money is summed in whole billionths of a dollar, so that ten times 0.02 is 0.2


@attrs.frozen
class Usage:
    """The tokens that an answer says it was billed for; `None` where it does not say.

    Only models priced by tokens report it: an answer of dall-e-2 or dall-e-3 has none.
    """

    __module__ = "dalle2"

    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    text_tokens_in: int | None = None
    image_tokens_in: int | None = None
    text_tokens_out: int | None = None
    image_tokens_out: int | None = None

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
            sums.append(None if None in counts else sum(counts))
        return cls(*sums)


def _count(value: object, key: str) -> int | None:
    found = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if type(found) is int and found >= 0 else None


@attrs.frozen
class PriceTable:
    """List prices by model name, as they stood on `as_of`.

    Bring your own: `PriceTable.listed().with_prices({"gpt-image-2": Price("my contract", {...})},
    as_of=date(...))`.
    """

    __module__ = "dalle2"

    as_of: date
    prices: Mapping[str, Price]

    @classmethod
    def listed(cls) -> PriceTable:
        """OpenAI's list prices as this package knows them."""
        return PRICES

    def with_prices(self, prices: Mapping[str, Price], *, as_of: date) -> PriceTable:
        """A copy with some prices replaced or added."""
        return PriceTable(as_of, {**self.prices, **prices})


PRICES = PriceTable(AS_OF, {name: model.price for name, model in MODELS.items() if model.price is not None})
"""OpenAI's list prices as this package knows them."""


def estimate(
    operation: str,
    model: str,
    *,
    n: int | None = None,
    size: str | None = None,
    quality: str | None = None,
    prices: PriceTable = PRICES,
) -> float | None:
    """What a call will cost in US dollars; `None` where that is not known.

    Known are models with a price for each image, and generations of gpt-image-1, its mini and 1.5 with a
    stated size and quality: there it is the price of the images alone, the prompt's own tokens (a fraction
    of a cent) come on top.
    """
    price = prices.prices.get(model)
    if price is None or (operation != "generate" and not price.exact):
        return None
    return _by_image(price, 1 if n is None else n, size, quality)


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
    return _by_image(price, n, size, quality) if price.exact else _by_usage(price, usage)


def _by_image(price: Price, n: int, size: str | None, quality: str | None) -> float | None:
    exact = price.exact
    # dall-e-2 and dall-e-3 draw 1024x1024 in standard quality unasked; the others choose for themselves.
    wanted_size = size or ("1024x1024" if exact else "")
    wanted_quality = quality or ("standard" if exact else "")
    for key in ((wanted_quality, wanted_size), ("", wanted_size)):
        if key in price.per_image:
            return _rounded(n * price.per_image[key])
    return None


def _by_usage(price: Price, usage: Usage | None) -> float | None:
    if price.per_million is None or usage is None or usage.output_tokens is None:
        return None
    if usage.text_tokens_in is None or usage.image_tokens_in is None or usage.text_tokens_out:
        return None
    text_in, image_in, image_out = price.per_million
    taken = usage.text_tokens_in * text_in + usage.image_tokens_in * image_in
    return _rounded((taken + usage.output_tokens * image_out) / 1_000_000)


def _rounded(usd: float) -> float:
    return round(usd, 9)


@attrs.frozen(eq=False)
class Reservation:
    """What a budget holds for one call: the images asked for, and their estimated cost if it is known."""

    images: int
    usd: float | None


class Budget:
    """A limit on images, on money, or on both, shared by any number of clients and threads.

    A call is reserved before it is sent. When it comes back, `settle` replaces the reservation by what was
    made and billed; `release` gives it back if the call was certainly not carried out. A reservation that
    is never closed, as after an answer that was lost, stays spent. Closing one twice changes nothing.

    With `max_usd`, a call whose cost cannot be told beforehand is refused: a limit that is not checked is
    none. Limit the images instead, or bring a `PriceTable` that knows the price. Raises
    `InvalidRequestError` for a limit that is none.
    """

    __module__ = "dalle2"

    def __init__(self, max_images: int | None = None, max_usd: float | None = None) -> None:
        if max_images is None and max_usd is None:
            raise InvalidRequestError(
                "a budget needs a limit: max_images, max_usd or both", field="max_images"
            )
        if max_images is not None and (type(max_images) is not int or max_images < 0):
            raise InvalidRequestError(
                f"max_images must be an integer from 0 up, not {max_images!r:.40}", field="max_images"
            )
        if max_usd is not None and not _is_amount(max_usd):
            raise InvalidRequestError(
                f"max_usd must be a number of dollars from 0 up, not {max_usd!r:.40}", field="max_usd"
            )
        self.max_images = max_images
        self.max_usd = max_usd
        self._limit = None if max_usd is None else _nano(max_usd)
        self._lock = threading.Lock()
        self._open: set[Reservation] = set()
        self._images = 0
        self._nano = 0
        self._unpriced = 0

    def __repr__(self) -> str:
        return (
            f"Budget(max_images={self.max_images}, max_usd={self.max_usd}, "
            f"spent_images={self.spent_images}, spent_usd={self.spent_usd})"
        )

    @property
    def spent_images(self) -> int:
        """The images made, on their way, or of unknown outcome."""
        with self._lock:
            return self._images

    @property
    def spent_usd(self) -> float:
        """The dollars known to be spent or reserved; see `unpriced_images` for what is missing here."""
        with self._lock:
            return self._nano / _NANO

    @property
    def unpriced_images(self) -> int:
        """How many of the spent images have a price that is not known, and so are not in `spent_usd`."""
        with self._lock:
            return self._unpriced

    @property
    def remaining_images(self) -> int | None:
        """The images left, never negative; `None` without such a limit."""
        with self._lock:
            return None if self.max_images is None else max(0, self.max_images - self._images)

    @property
    def remaining_usd(self) -> float | None:
        """The dollars left, never negative; `None` without such a limit."""
        with self._lock:
            return None if self._limit is None else max(0, self._limit - self._nano) / _NANO

    def reserve(self, images: int, usd: float | None = None) -> Reservation:
        """Take a call into account before it is sent: how many images, and its cost if that is known.

        Raises `BudgetExceededError` if it would pass a limit; nothing is taken then.
        """
        _check(images, usd)
        with self._lock:
            if self.max_images is not None and self._images + images > self.max_images:
                raise BudgetExceededError(
                    f"{images} more would pass the budget of {self.max_images} images: {self._images} are "
                    "spent. Nothing was sent. Ask for fewer (n), or raise max_images"
                )
            if self._limit is not None:
                self._check_money(self._limit, usd)
            reservation = Reservation(images, usd)
            self._open.add(reservation)
            self._count(images, usd)
            return reservation

    def settle(self, reservation: Reservation, images: int, usd: float | None = None) -> None:
        """Close a reservation with what was made and billed; without `usd` its estimate stands."""
        _check(images, usd)
        with self._lock:
            if self._close(reservation):
                self._count(images, reservation.usd if usd is None else usd)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: the call was certainly not carried out."""
        with self._lock:
            self._close(reservation)

    def _check_money(self, limit: int, usd: float | None) -> None:
        if usd is None:
            raise BudgetExceededError(
                f"the cost of this call is not known, so the budget of ${self.max_usd} cannot be kept. "
                "Nothing was sent. State size and quality, limit max_images, or bring a table that knows it"
            )
        if self._nano + _nano(usd) > limit:
            raise BudgetExceededError(
                f"${usd:.4g} more would pass the budget of ${self.max_usd}: ${self._nano / _NANO:.4g} are "
                "spent. Nothing was sent. Ask for less (n, size, quality), or raise max_usd"
            )

    def _close(self, reservation: Reservation) -> bool:
        if reservation not in self._open:
            return False
        self._open.remove(reservation)
        self._count(-reservation.images, reservation.usd, sign=-1)
        return True

    def _count(self, images: int, usd: float | None, sign: int = 1) -> None:
        self._images += images
        if usd is None:
            self._unpriced += images
        else:
            self._nano += sign * _nano(usd)


def _nano(usd: float) -> int:
    return round(usd * _NANO)


def _is_amount(usd: object) -> bool:
    return isinstance(usd, int | float) and not isinstance(usd, bool) and math.isfinite(usd) and usd >= 0


def _check(images: object, usd: object) -> None:
    if type(images) is not int or images < 0:
        raise InvalidRequestError(f"images must be an integer from 0 up, not {images!r:.40}", field="images")
    if usd is not None and not _is_amount(usd):
        raise InvalidRequestError(f"usd must be a number of dollars from 0 up, not {usd!r:.40}", field="usd")
