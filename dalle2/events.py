"""What a client tells while it works: one typed event for each thing that can cost money or lose an image.

`Client(on_event=f)` calls `f(event)` in the thread or task of the call. The rule: events hold facts to count
and reconcile with a bill (who was called, under which idempotency key, how it ended), and never a key, a
prompt or a signed URL.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import attrs

from .errors import Dalle2Error

__all__ = [
    "AttemptFailed",
    "AttemptStarted",
    "CallEvent",
    "CallSucceeded",
    "Event",
    "ImageFetched",
    "ImageLost",
    "Listener",
    "OutcomeUnknown",
    "Waiting",
    "line",
]


@attrs.frozen(kw_only=True)
class CallEvent:
    """What all events of one logical call share. `at` is aware, UTC; `idempotency_key` names the call."""

    operation: str
    model: str
    host: str
    idempotency_key: str | None
    paid: bool
    attempt: int
    at: datetime


@attrs.frozen(kw_only=True)
class AttemptStarted(CallEvent):
    """A request is about to be sent."""


@attrs.frozen(kw_only=True)
class AttemptFailed(CallEvent):
    """An attempt ended with `error`; `error.maybe_billed` says whether it could have cost money."""

    error: Dalle2Error


@attrs.frozen(kw_only=True)
class OutcomeUnknown(AttemptFailed):
    """A paid attempt was sent and no readable answer came: it counts as spent until the bill says more."""


@attrs.frozen(kw_only=True)
class Waiting(CallEvent):
    """The call waits `seconds` before its next attempt; `shared` if another call's rate limit is why."""

    seconds: float
    shared: bool = False


@attrs.frozen(kw_only=True)
class CallSucceeded(CallEvent):
    """The answer came and was read: `images` images, `usd` if the price is known."""

    images: int
    usd: float | None
    request_id: str | None


@attrs.frozen(kw_only=True)
class ImageFetched:
    """An image was fetched from `host`: `size` bytes in `attempts` attempts."""

    host: str
    size: int
    attempts: int
    at: datetime


@attrs.frozen(kw_only=True)
class ImageLost:
    """An image could not be fetched from `host`."""

    host: str
    error: Dalle2Error
    at: datetime


Event: TypeAlias = (
    AttemptStarted | AttemptFailed | OutcomeUnknown | Waiting | CallSucceeded | ImageFetched | ImageLost
)
"""Whatever a listener may be told."""
Listener: TypeAlias = Callable[[Event], object]
"""A function that is called with each event; what it returns is not looked at, what it raises is logged."""


def line(event: Event) -> str:
    """An event as a line of a log."""
    name = type(event).__name__
    if isinstance(event, ImageFetched):
        return f"{name}: {event.size} bytes from {event.host} in {event.attempts} attempt(s)"
    if isinstance(event, ImageLost):
        return f"{name}: {event.host}: {event.error}"
    text = f"{name}: {event.operation} {event.model} at {event.host}, attempt {event.attempt}"
    if event.idempotency_key:
        text += f", key {event.idempotency_key}"
    if isinstance(event, AttemptFailed):
        text += f": {type(event.error).__name__}: {event.error}"
    elif isinstance(event, Waiting):
        text += f": {event.seconds:.1f} s"
    elif isinstance(event, CallSucceeded):
        text += f": {event.images} image(s), request id {event.request_id or '-'}"
    return text
