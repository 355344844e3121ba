"""What a run's engine gives to be done, and what comes back: plain values between it and its two shells.

The rule: only what goes over the network is given away; the engine does all that this disk has to do with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ._vault import Came

if TYPE_CHECKING:
    from ._journal import Order
    from ._keeper import Fetch, Put, Steps


@attrs.frozen
class Trip:
    """What is to be done elsewhere before the images of an answer can be kept."""

    effect: Fetch | Put
    steps: Steps


@attrs.frozen
class Brought:
    """What came of a trip: its result, or the exception."""

    trip: Trip
    result: object


Arrival: TypeAlias = Came | Brought


@attrs.frozen
class Work:
    """What is to be done now, what to wait for at most (seconds), and whether that was all."""

    orders: Sequence[Order] = ()
    trips: Sequence[Trip] = ()
    wait: float | None = None
    finished: bool = False
