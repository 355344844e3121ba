"""A limit over many calls.

The rule: a call counts from the moment it is reserved until it is certain that it was not carried out, so an
unknown outcome stays spent. A call whose price is known only roughly is reserved at four times that, and
counted at what its usage tells: the limit can be passed by calls in flight, and by nothing else.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import NamedTuple, NoReturn
from weakref import WeakValueDictionary

import attrs

from .._secrets import quoted
from ..catalog._model import dollars
from ..errors import BudgetExceededError, ConfigurationError, InvalidRequestError
from ._prices import Estimate, in_words
from ._tables import in_dollars, table

MARGIN = 4
"""How many times a rough price is reserved."""

_NANO = 1_000_000_000  # money is summed in whole billionths of a dollar, so that ten times 0.02 is 0.2
_MOST = 2**64  # images: more than any loop makes, and short in a message


@attrs.frozen(eq=False)
class Reservation:
    """What a budget holds for one call: the images asked for, and the dollars that were put aside for it."""

    images: int
    usd: float | None


class _Spent(NamedTuple):
    """What is counted. One value, replaced whole: a fork between two changes finds no half of one."""

    images: int = 0
    nano: int = 0
    unpriced: int = 0

    def plus(self, images: int, usd: float | None, sign: int = 1) -> _Spent:
        """With this many images more (or, with -1, less)."""
        images *= sign
        if usd is None:
            return self._replace(images=self.images + images, unpriced=self.unpriced + images)
        return self._replace(images=self.images + images, nano=self.nano + sign * _nano(usd))


class Budget:
    """A limit on images, on money, or on both, shared by any number of clients and threads.

    A call is reserved before it is sent. When it comes back, `settle` replaces the reservation by what was
    made and billed; `release` gives it back if the call was certainly not carried out. A reservation that
    is never closed, as after an answer that was lost, stays spent. Closing one twice changes nothing.

    With `max_usd`, a call whose price is known only roughly is reserved at four times that price, until its
    usage tells what it did cost; one whose cost cannot be told at all is refused: a limit that is not checked
    is none. Limit the images instead, or bring a `PriceTable` that knows the price. Raises
    `InvalidRequestError` for a limit that is none.

    A copy is the budget itself, and it cannot be pickled: twice the limit would be none. A forked process
    goes on with a count of its own.
    """

    __module__ = "dalle2"

    def __init__(self, max_images: int | None = None, max_usd: float | None = None) -> None:
        if max_images is None and max_usd is None:
            raise InvalidRequestError(
                "a budget needs a limit: max_images, max_usd or both", field="max_images"
            )
        self.max_images = max_images
        self.max_usd = max_usd
        self._lock = threading.RLock()  # a signal handler may ask in the middle of a count
        self._open: set[Reservation] = set()
        self._spent = _Spent()
        _budgets[id(self)] = self

    def __repr__(self) -> str:
        spent = self._spent
        return (
            f"Budget(max_images={self.max_images}, max_usd={self.max_usd}, "
            f"spent_images={spent.images}, spent_usd={spent.nano / _NANO})"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: limit, spent and left."""
        told = self.to_dict()
        rows = [("", "limit", "spent", "left")]
        for name, title, show in (("images", "images", str), ("usd", "US dollars", in_dollars)):
            cells = (told[f"{kind}_{name}"] for kind in ("max", "spent", "remaining"))
            limit, spent, left = ("none" if cell is None else show(cell) for cell in cells)
            rows.append((title, limit, spent, left))
        return table("Budget", rows)

    def to_dict(self) -> dict[str, int | float | None]:
        """Limits, what is spent and what is left, as plain JSON values of one moment."""
        spent, images, usd = self._spent, self.max_images, self.max_usd
        return {
            "max_images": images,
            "max_usd": usd,
            "spent_images": spent.images,
            "spent_usd": spent.nano / _NANO,
            "unpriced_images": spent.unpriced,
            "remaining_images": None if images is None else max(0, images - spent.images),
            "remaining_usd": None if usd is None else max(0, _nano(usd) - spent.nano) / _NANO,
        }

    def __copy__(self) -> Budget:
        return self

    def __deepcopy__(self, memo: object) -> Budget:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise ConfigurationError(
            "a Budget cannot be pickled: a copy in another process would spend the limit a second time. "
            "Give each process a Budget of its own, with its share of the limit"
        )

    @property
    def max_images(self) -> int | None:
        """The limit on images; `None` for none. It can be set anew at any time."""
        return self._max_images

    @max_images.setter
    def max_images(self, images: int | None) -> None:
        self._max_images = None if images is None else _images(images, "max_images")

    @property
    def max_usd(self) -> float | None:
        """The limit in US dollars; `None` for none. It can be set anew at any time."""
        return self._max_usd

    @max_usd.setter
    def max_usd(self, usd: float | None) -> None:
        self._max_usd = None if usd is None else dollars(usd, "max_usd")

    @property
    def spent_images(self) -> int:
        """The images made, on their way, or of unknown outcome."""
        return self._spent.images

    @property
    def spent_usd(self) -> float:
        """The dollars known to be spent or put aside; see `unpriced_images` for what is missing here."""
        return self._spent.nano / _NANO

    @property
    def unpriced_images(self) -> int:
        """How many of the spent images have a price that is not known, and so are not in `spent_usd`."""
        return self._spent.unpriced

    @property
    def remaining_images(self) -> int | None:
        """The images left, never negative; `None` without such a limit."""
        limit = self.max_images
        return None if limit is None else max(0, limit - self._spent.images)

    @property
    def remaining_usd(self) -> float | None:
        """The dollars left, never negative; `None` without such a limit."""
        limit = self.max_usd
        return None if limit is None else max(0, _nano(limit) - self._spent.nano) / _NANO

    def reserve(self, images: int, usd: float | None = None) -> Reservation:
        """Take a call into account before it is sent: how many images, and its cost if that is known.

        Of an `Estimate` that is `rough`, four times as much is put aside. Raises `BudgetExceededError` if it
        would pass a limit, `InvalidRequestError` for what is no count or amount; nothing is taken then.
        """
        _images(images, "images")
        aside = _aside(usd)
        with self._lock:
            limit, most = self.max_images, self.max_usd
            if limit is not None and self._spent.images + images > limit:
                raise BudgetExceededError(
                    f"{images} more would pass the budget of {limit} images: {self._spent.images} are spent. "
                    "This call was not sent. Ask for fewer (n), or raise max_images"
                )
            if most is not None:
                self._check_money(most, aside)
            reservation = Reservation(images, aside)
            self._open.add(reservation)
            self._spent = self._spent.plus(images, aside)
            return reservation

    def settle(self, reservation: Reservation, images: int, usd: float | None = None) -> None:
        """Close a reservation with what was made and billed.

        Without `usd` what was put aside stands, in proportion if more images were made than asked for.
        Raises `InvalidRequestError` for what is no count or amount.
        """
        _images(images, "images")
        billed = None if usd is None else dollars(usd, "usd")
        if billed is None and reservation.usd is not None:
            billed = reservation.usd * max(images, reservation.images) / max(reservation.images, 1)
        with self._lock:
            if self._close(reservation):
                self._spent = self._spent.plus(images, billed)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: the call was certainly not carried out."""
        with self._lock:
            self._close(reservation)

    def _check_money(self, limit: float, usd: float | None) -> None:
        if usd is None:
            raise BudgetExceededError(
                "the cost of this call is not known, not even roughly, so the budget of "
                f"{in_dollars(limit)} cannot be kept. This call was not sent. State size and quality, limit "
                "max_images, or bring a table that knows it"
            )
        if self._spent.nano + _nano(usd) > _nano(limit):
            rough = f" ({MARGIN} times the rough price, until its usage tells)"
            raise BudgetExceededError(
                f"{in_words(usd)} more{rough if isinstance(usd, Estimate) else ''} would pass the budget of "
                f"{in_dollars(limit)}: {in_dollars(self._spent.nano / _NANO)} are spent. "
                "This call was not sent. Ask for less (n, size, quality), or raise max_usd"
            )

    def _close(self, reservation: Reservation) -> bool:
        if reservation not in self._open:
            return False
        self._open.remove(reservation)
        self._spent = self._spent.plus(reservation.images, reservation.usd, -1)
        return True


def _images(count: object, field: str) -> int:
    if type(count) is not int or not 0 <= count <= _MOST:
        way = ": write int(...)" if hasattr(count, "__index__") and not isinstance(count, int) else ""
        raise InvalidRequestError(
            f"{field} must be an integer from 0 up, not {quoted(count)}{way}", field=field
        )
    return count


def _aside(usd: float | None) -> float | None:
    """What is put aside for a call that is estimated at so much; a rough one stays an `Estimate`."""
    if usd is None:
        return None
    if isinstance(usd, Estimate) and usd.rough:
        return Estimate(dollars(usd * MARGIN, "usd"), True, usd.source)
    return dollars(usd, "usd")


def _nano(usd: float) -> int:
    return round(usd * _NANO)


_budgets: WeakValueDictionary[int, Budget] = WeakValueDictionary()


def _rearm() -> None:
    """In a forked child: a lock that another thread held is nobody's to open any more."""
    for budget in _budgets.values():
        budget._lock = threading.RLock()


with suppress(AttributeError):  # Windows does not fork
    os.register_at_fork(after_in_child=_rearm)
