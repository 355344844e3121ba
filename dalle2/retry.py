"""When a failed call is made again, and after how long: a pure decision, and its one adapter to tenacity.

The rule: a paid call is repeated only when it certainly was not carried out. Everything that may have been
carried out is raised, unless the caller says `ambiguous="retry"`. Calls that cost nothing (moderation, model
list) may always be repeated. A complete answer, whatever its status within, is never asked for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from . import errors as e
from ._dates import MAX_WAIT
from ._secrets import quoted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from typing import Any, Protocol

    import tenacity

    class Repeating(Protocol):
        """What the adapter asks of one logical call."""

        delay: float

        def repeats(self, error: BaseException) -> bool:
            """Judge a failure; if it is to be repeated, `delay` says after how long."""


MOST_ATTEMPTS = 1000


def _seconds(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    optional = attribute.name == "deadline"
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_WAIT:
        raise e.ConfigurationError(
            f"RetryPolicy: {attribute.name} must be a number of seconds from 0 to {MAX_WAIT:.0f} (ten years)"
            f"{', or None' if optional else ''}; it is {quoted(value)}"
        )


def _attempts(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ATTEMPTS:
        raise e.ConfigurationError(
            f"RetryPolicy: max_attempts must be an integer from 1 to {MOST_ATTEMPTS}; it is {quoted(value)}"
        )


def _ambiguous(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value not in ("raise", "retry"):
        raise e.ConfigurationError(
            f'RetryPolicy: ambiguous must be "raise" or "retry"; it is {quoted(value)}'
        )


@attrs.frozen
class RetryPolicy:
    """How often and how patiently a call is repeated. All times are seconds.

    `max_attempts` counts the first one. Without a word from the host the waits grow from `initial`, doubling
    up to `max_delay`, each shortened by up to a quarter at random. A `Retry-After` up to `max_retry_after` is
    kept as it is; a longer one raises at once, with the wait in the error's `retry_after`. `deadline` bounds
    the whole call, attempts and waits together, also where an answer drips or never gets past its head. (Not
    bounded so: looking a name up in blocking code; and a blocking `http_client` whose transport is not
    httpx's own, where the read timeout and the deadline are looked at when bytes come.) `ambiguous="retry"`
    also repeats calls that may have been carried out, and so may pay twice.

    Raises `ConfigurationError` for a value out of range.
    """

    max_attempts: int = attrs.field(default=3, validator=_attempts)
    initial: float = attrs.field(default=0.5, validator=_seconds)
    max_delay: float = attrs.field(default=8.0, validator=_seconds)
    max_retry_after: float = attrs.field(default=120.0, validator=_seconds)
    deadline: float | None = attrs.field(default=None, validator=_seconds)
    ambiguous: Literal["raise", "retry"] = attrs.field(default="raise", validator=_ambiguous)

    @classmethod
    def none(cls) -> RetryPolicy:
        """One attempt and no more."""
        return cls(max_attempts=1)

    def wait(
        self,
        error: Exception,
        attempt: int,
        *,
        paid: bool = True,
        remaining: float | None = None,
        chance: Callable[[], float] | None = None,
    ) -> float | None:
        """Seconds to wait before the next attempt, or `None` to raise `error`.

        `attempt` counts from 1, `remaining` is what is left of the deadline, `chance` is random in [0, 1).
        """
        if attempt >= self.max_attempts or not self.repeats(error, paid=paid):
            return None
        asked = error.retry_after if isinstance(error, e.APIStatusError) else None
        if asked is not None and asked > self.max_retry_after:
            return None
        delay = asked if asked else self.backoff(attempt, chance)
        return None if remaining is not None and delay >= remaining else delay

    def backoff(self, attempt: int, chance: Callable[[], float] | None = None) -> float:
        """The wait after attempt number `attempt` when the host asked for none."""
        if chance is None:
            import random

            chance = random.random
        grown = self.initial * 2.0 ** min(attempt - 1, 60)
        return min(grown, self.max_delay) * (1 - 0.25 * chance())

    def repeats(self, error: Exception, *, paid: bool) -> bool:
        """Whether this kind of failure may be followed by another attempt."""
        if isinstance(error, e.APIConnectionError):
            return error.passing
        again = not paid or self.ambiguous == "retry"
        if isinstance(error, e.OutcomeUnknownError):
            return again
        if isinstance(error, e.APIStatusError):
            return error.repeatable or (again and (_host_failed(error) or _under_way(error)))
        return False


def _host_failed(error: e.APIStatusError) -> bool:
    """A 5xx that tells nothing of whether the call was carried out, and that the host lets be repeated."""
    failed = type(error) is e.InternalServerError and (error.status_code or 0) >= 500
    return failed and error.headers.get("x-should-retry", "").lower() != "false"


def _under_way(error: e.APIStatusError) -> bool:
    """A conflict with this very call under its idempotency key: a host that keeps answers gives it later."""
    return isinstance(error, e.ConflictError) and error.maybe_billed


def again(call: Repeating, sleep: Callable[[float], None]) -> Iterator[tenacity.AttemptManager]:
    """The further attempts of a call whose first one has failed, with tenacity's waits between them."""
    import tenacity

    return iter(
        tenacity.Retrying(
            retry=tenacity.retry_if_exception(call.repeats),
            wait=lambda state: call.delay,
            sleep=sleep,
            reraise=True,
        )
    )


def again_async(
    call: Repeating, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[tenacity.AttemptManager]:
    """`again`, awaited."""
    import tenacity

    return aiter(
        tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(call.repeats),
            wait=lambda state: call.delay,
            sleep=sleep,
            reraise=True,
        )
    )
