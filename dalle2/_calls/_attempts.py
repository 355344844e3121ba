"""One logical call from its first attempt to its end: what is waited for, what is reported, what is raised.

`Attempts` makes every decision between the attempts of one call; the clients only send, sleep and ask it.
Its rules: one deadline covers attempts and waits; a rate limit that one call meets holds the others of its
lane back too; and once an attempt may have been carried out, the call never ends in an error that says it was
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import errors as e
from .._http import Failure, TransportError
from .._wire._answer import request_id
from ..settings import policy_of

if TYPE_CHECKING:
    from .._http import Call, HttpResponse, Timeouts
    from .._money import Budget, Reservation
    from .._state import ClientState, EventName
    from ..retry import RetryPolicy

T = TypeVar("T")

LARGEST_ANSWER = 1 << 30
"""Bytes of one API answer (ten large images in base64 are a tenth of it)."""


class Attempts(Generic[T]):
    """One logical call. Satisfies `retry.Repeating`."""

    __slots__ = (
        "_budget", "_doubt", "_first", "_held", "_judged", "_retry", "_sent", "_shared",
        "attempt", "call", "deadline", "delay", "sent_at",
    )  # fmt: skip

    def __init__(
        self, call: Call[T], retry: RetryPolicy | None, shared: ClientState, budget: Budget | None = None
    ) -> None:
        self.call = call
        self._budget = budget
        self._held: Reservation | None = None
        self._sent = False
        self._retry = retry
        self._shared = shared
        self.attempt = 0
        self.delay = 0.0
        self.sent_at: datetime | None = None
        limit = None if retry is None else retry.deadline
        self.deadline = None if limit is None else shared.monotonic() + limit
        self._doubt: e.Dalle2Error | None = None
        self._judged: tuple[BaseException, bool] | None = None
        self._first: Exception | None = None

    @property
    def policy(self) -> RetryPolicy:
        """How failures are repeated; the default policy is made when something has failed."""
        self._retry = policy_of(self._retry)
        return self._retry

    def reserve(self) -> None:
        """Take the next attempt into account. Raises `BudgetExceededError`: nothing was sent then."""
        if self._budget is not None:
            self._held = self._budget.reserve(self.call.images, self.call.usd)

    def abandon(self) -> None:
        """The caller was interrupted: an attempt that was not under way costs nothing."""
        if not self._sent:
            self._release()

    def _release(self) -> None:
        if self._budget is not None and self._held is not None:
            self._budget.release(self._held)

    def remaining(self) -> float | None:
        """Seconds left of the deadline, or `None` without one."""
        return None if self.deadline is None else self.deadline - self._shared.monotonic()

    def pause(self) -> float:
        """Seconds to wait before sending, because another call of the lane met a rate limit; 0 when free.

        Raises that rate limit if it ends after this call's deadline.
        """
        held = self._shared.lanes.held(self.call.lane, self._shared.monotonic())
        if held is None:
            return 0.0
        seconds, why = held
        remaining = self.remaining()
        if remaining is not None and seconds >= remaining:
            raise self._copy(why, seconds)
        self._tell("Waiting", seconds=seconds, shared=True)
        return seconds

    def _copy(self, why: e.APIStatusError, seconds: float) -> e.APIStatusError:
        return type(why)(
            "Not sent: an earlier answer asked to wait longer than this call's deadline. " + why.message,
            status_code=why.status_code,
            code=why.code,
            type=why.type,
            retry_after=seconds,
            idempotency_key=self.call.idempotency_key,
        )

    def start(self, timeouts: Timeouts) -> Timeouts:
        """An attempt begins; the timeouts it may use."""
        self.attempt += 1
        self._sent = True
        self.sent_at = self._shared.now()
        self._tell("AttemptStarted")
        return timeouts.within(self.remaining())

    def tick(self, size: int) -> None:
        """Called for each chunk of an answer. Raises `TransportError` past the deadline or largest size."""
        if self.deadline is not None and self._shared.monotonic() > self.deadline:
            raise TransportError(
                Failure("timeout", True, "the deadline passed while the answer was arriving")
            )
        if size > LARGEST_ANSWER:
            raise TransportError(
                Failure("unreadable", True, f"the answer is larger than {LARGEST_ANSWER} bytes")
            )

    def read(self, response: HttpResponse) -> T:
        """The value of an answer. Raises the error that it stands for."""
        self._shared.clock.observe(response.headers.get("date"), response.at)
        value = self.call.decode(response)
        self._settled()
        if self._shared.report.wanted("CallSucceeded"):
            self._tell(
                "CallSucceeded",
                images=len(value) if isinstance(value, Sized) else 0,
                usd=self.call.usd,
                request_id=request_id(response.headers),
            )
        return value

    def streamed(self, images: int, headers: Mapping[str, str]) -> None:
        """A streamed answer came to its end."""
        self._settled()
        self._tell("CallSucceeded", images=images, usd=self.call.usd, request_id=request_id(headers))

    def broken(self, error: e.Dalle2Error) -> e.Dalle2Error:
        """The error of a streamed answer that broke off: it was sent and begun, so it is never repeated."""
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = error.sent_at or self.sent_at
        self._tell("OutcomeUnknown" if error.maybe_billed else "AttemptFailed", error=error)
        return self.final(error)

    def _settled(self) -> None:
        if self._budget is not None and self._held is not None:
            self._budget.settle(self._held, self.call.images, self.call.usd)

    def cut(self, failure: Failure, response: HttpResponse) -> HttpResponse:
        """An answer whose body broke off: a head that says no is an answer all the same. Raises any other's
        error.

        Not so 408 and 5xx: gateways put their own lost calls under them, and only the body would have told.
        """
        if 400 <= response.status < 500 and response.status != 408:
            return response
        raise self.lost(failure, response)

    def lost(self, failure: Failure, response: HttpResponse | None = None) -> e.Dalle2Error:
        """The error for an answer that never came, or broke off after its head."""
        error = self.call.lost(failure, response)
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = self.sent_at
        return error

    def repeats(self, error: BaseException) -> bool:
        """Judge a failed attempt (once): whether another follows, after `delay` seconds."""
        if self._judged is not None and self._judged[0] is error:
            return self._judged[1]
        if not isinstance(error, e.Dalle2Error):
            return False
        unknown = isinstance(error, e.OutcomeUnknownError)
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = error.sent_at or self.sent_at
        if self.call.paid and error.maybe_billed:
            self._doubt = error
        self._tell("OutcomeUnknown" if unknown and self.call.paid else "AttemptFailed", error=error)
        delay = self.policy.wait(error, self.attempt, paid=self.call.paid, remaining=self.remaining())
        if delay is not None and error is self._doubt:  # its reservation stays spent
            try:
                self.reserve()
            except e.BudgetExceededError:
                delay = None
        if delay is not None:
            self.delay = delay
            self._sent = False
            self._tell("Waiting", seconds=delay)
        self._hold_lane(error, delay)
        self._judged = error, delay is not None
        return delay is not None

    def _hold_lane(self, error: e.Dalle2Error, delay: float | None) -> None:
        """A passing rate limit holds the other calls back too, also when this one gives up on its last
        attempt.
        """
        if not isinstance(error, e.RateLimitError) or not error.repeatable or self.policy.max_attempts == 1:
            return
        asked = error.retry_after or 0.0
        wait = delay if delay is not None else asked if asked <= self.policy.max_retry_after else 0.0
        if wait > 0:
            self._shared.lanes.hold(self.call.lane, self._shared.monotonic() + wait, error)

    def begin_again(self, error: Exception) -> None:
        """Keep the first failure, with which the repeated attempts begin (see `replay`)."""
        self._first = error

    def replay(self) -> None:
        """Raises the kept failure once: tenacity then waits and repeats as if it had seen it happen."""
        first, self._first = self._first, None
        if first is not None:
            raise first

    def final(self, error: e.Dalle2Error) -> e.Dalle2Error:
        """The error that the caller gets: one that is true of all attempts together."""
        if isinstance(error, e.APIError):
            error.attempts = self.attempt
        if not error.maybe_billed:
            self._release()
        doubt = self._doubt
        if doubt is None or error is doubt:
            return error
        if isinstance(error, (e.APIStatusError, e.DecodeError)):
            error.maybe_billed = True
            return error
        if isinstance(doubt, e.APIError):
            doubt.attempts = self.attempt
        return doubt

    def _tell(self, name: EventName, **more: object) -> None:
        if not self._shared.report.wanted(name):
            return
        call = self.call
        self._shared.report(
            name,
            operation=call.operation,
            model=call.model,
            host=call.host,
            idempotency_key=call.idempotency_key,
            paid=call.paid,
            attempt=self.attempt,
            at=self._shared.now(),
            **more,
        )
