"""One logical call from its first attempt to its end: what is waited for, what is reported, what is raised.

`Attempts` makes every decision between the attempts of one call; the clients only send, sleep and ask it. Its
rules: one deadline covers attempts and waits; a rate limit that one call meets holds the others of its lane
back too; and once an attempt may have been carried out, the call never ends in an error that says it was not.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import errors as e
from .._http import Departure, Failure, TransportError
from .._image._data import ImagesData
from .._wire._context import came, request_id
from ..settings import policy_of
from ._outcome import lost_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._http import HttpResponse, Timeouts
    from .._money import Budget, Reservation
    from .._state import ClientState, EventName
    from ..retry import RetryPolicy
    from ._outcome import Call

T = TypeVar("T")

LARGEST_ANSWER = 1 << 30
"""Bytes of one API answer (ten large images in base64 are a tenth of it)."""


class Attempts(Generic[T]):
    """One logical call on its way. `value` is what its answer gave, once it is there."""

    __slots__ = (
        "_budget", "_came", "_departure", "_doubt", "_held", "_retry", "_state", "attempt", "call",
        "deadline", "delay", "sent_at", "value",
    )  # fmt: skip

    def __init__(
        self,
        call: Call[T],
        retry: RetryPolicy | None,
        state: ClientState,
        budget: Budget | None = None,
    ) -> None:
        self.call = call
        self.value: T | None = None
        self._budget = budget
        self._held: Reservation | None = None
        self._departure: Departure | None = None  # of the attempt that is under way
        self._came: HttpResponse | None = None  # what it was answered
        self._retry = retry
        self._state = state
        self.attempt = 0
        self.delay = 0.0
        self.sent_at: datetime | None = None
        limit = None if retry is None else retry.deadline
        self.deadline = None if limit is None else state.monotonic() + limit
        self._doubt: e.Dalle2Error | None = None

    @property
    def policy(self) -> RetryPolicy:
        """How failures are repeated; the default policy is made when something has failed."""
        self._retry = policy_of(self._retry)
        return self._retry

    def reserve(self) -> None:
        """Take the next attempt into account. Raises `BudgetExceededError`: nothing was sent then."""
        charge = self.call.context.charge
        if self._budget is not None and charge is not None and self.call.context.billable:
            self._held = self._budget.reserve(charge.images, charge.usd)

    def follow(self, before: Attempts[T]) -> None:
        """Ask after what another call began: its deadline, and its reservation, which the end will settle."""
        self.deadline, self._budget, self._held = before.deadline, before._budget, before._held

    def _release(self) -> None:
        if self._budget is not None and self._held is not None and self.call.context.billable:
            self._budget.release(self._held)

    def _settle(self, made: int, billed: float | None) -> None:
        if self._budget is not None and self._held is not None:
            self._budget.settle(self._held, made, billed)

    def remaining(self) -> float | None:
        """Seconds left of the deadline, or `None` without one."""
        return None if self.deadline is None else self.deadline - self._state.monotonic()

    def pause(self) -> float:
        """Seconds to wait before sending, because another call of the lane met a rate limit; 0 when free.

        Raises that rate limit if this call must not wait for so long.
        """
        held = self._state.limits.held(self.call.lane, self._state.monotonic())
        if held is None:
            return 0.0
        seconds, why = held
        remaining = self.remaining()
        late = remaining is not None and seconds >= remaining
        if late or seconds > self.policy.max_retry_after or self.policy.max_attempts == 1:
            raise self._copy(why, seconds, "this call's deadline" if late else "this call's retry policy")
        self._tell("Waiting", seconds=seconds, shared=True)
        return seconds

    def _copy(self, why: e.APIStatusError, seconds: float, limit: str) -> e.APIStatusError:
        return type(why)(
            f"Not sent: an earlier answer asked to wait longer than {limit} allows. {why.message}",
            status_code=why.status_code,
            code=why.code,
            type=why.type,
            retry_after=seconds,
            idempotency_key=self.call.context.idempotency_key,
        )

    def join(self, calls: list[Attempts[T]]) -> None:
        """Be one of the calls of a plan, under the deadline of the first. Raises `ConnectTimeoutError` if
        nothing is left of it: this one is not sent then.
        """
        if calls:
            self.deadline = calls[0].deadline
            left = self.remaining()
            if left is not None and left <= 0:
                raise self.lost(Failure("connect_timeout", False, "the deadline passed before it was sent"))
        calls.append(self)

    def start(self, timeouts: Timeouts) -> tuple[Timeouts, Departure]:
        """An attempt begins: the timeouts it may use, and where the transport notes how far it got."""
        self.attempt += 1
        self.sent_at = self._state.now()
        self._tell("AttemptStarted")
        self._departure, self._came = Departure(), None
        return timeouts.within(self.remaining()), self._departure

    def tick(self, size: int) -> None:
        """Called for each chunk of an answer. Raises `TransportError` past the largest size."""
        if size > LARGEST_ANSWER:
            raise TransportError(
                Failure("unreadable", True, f"the answer is larger than {LARGEST_ANSWER} bytes")
            )

    def read(self, response: HttpResponse) -> T:
        """The value of an answer. Raises the error that it stands for."""
        self._came = response
        self._state.clock.observe(response.headers.get("date"), response.at, response.headers.get("age"))
        try:
            self.value = value = self.call.decode(response, self.call.context)
        except e.DecodeError as error:
            if self._held is not None and len(error.images) > self._held.images:  # more than was asked for
                self._settle(len(error.images), None)
            raise
        self.succeeded(value if isinstance(value, ImagesData) else None, response.headers)
        return value

    def succeeded(self, data: ImagesData | None, headers: Mapping[str, str]) -> None:
        """The answer is there, whole: what it did cost is settled, and told."""
        self._departure = None
        charge, made = self.call.context.charge, 0 if data is None else len(data.images)
        usd: float | None = None
        if charge is not None:
            billed = None if data is None else charge.billed(made, data.usage, data.extra)
            if self.call.context.billable:
                usd = billed if billed is not None or charge.usd is None or charge.usd.rough else charge.usd
            if data is not None:
                self._settle(made, billed)
        if self._state.report.wanted("CallSucceeded"):
            identity = request_id(headers, key=self.call.context.key)
            self._tell("CallSucceeded", images=made, usd=usd, request_id=identity)

    def broken(self, error: e.Dalle2Error) -> e.Dalle2Error:
        """The error of a streamed answer that broke off: it was sent and begun, so it is never repeated."""
        self._departure = None
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = error.sent_at or self.sent_at
        self._tell("OutcomeUnknown" if error.maybe_billed else "AttemptFailed", error=error)
        return self.final(error)

    def cut(self, failure: Failure, response: HttpResponse) -> HttpResponse:
        """An answer whose body broke off: a head that says no is an answer all the same. Raises any
        other's error.

        Not so 408 and 5xx: gateways put their own lost calls under them, and only the body would have told.
        """
        if 400 <= response.status < 500 and response.status != 408:
            return response
        self._came = response
        raise self.lost(failure, response)

    def lost(self, failure: Failure, response: HttpResponse | None = None) -> e.Dalle2Error:
        """The error for an answer that never came, or broke off after its head."""
        error = lost_error(failure, self.call.context, response)
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = self.sent_at
        return error

    def repeats(self, error: BaseException) -> bool:
        """Judge a failed attempt: whether another follows, after `delay` seconds."""
        if not isinstance(error, e.Dalle2Error):
            return False
        self._departure = None
        paid, unknown = self.call.context.billable, isinstance(error, e.OutcomeUnknownError)
        if isinstance(error, e.OutcomeUnknownError):
            error.sent_at = error.sent_at or self.sent_at
        if paid and error.maybe_billed:
            self._doubt = error
        self._tell("OutcomeUnknown" if unknown and paid else "AttemptFailed", error=error)
        delay = self.policy.wait(error, self.attempt, paid=paid, remaining=self.remaining())
        if delay is not None and error is self._doubt:  # its reservation stays spent
            try:
                self.reserve()
            except e.BudgetExceededError:
                delay = None
        if delay is not None:
            self.delay = delay
            self._tell("Waiting", seconds=delay)
        self._hold_lane(error, delay)
        return delay is not None

    def _hold_lane(self, error: e.Dalle2Error, delay: float | None) -> None:
        """A passing rate limit holds the other calls back too, also when this one gives up on its
        last attempt.
        """
        if not isinstance(error, e.RateLimitError) or not error.repeatable or self.policy.max_attempts == 1:
            return
        asked = error.retry_after or 0.0
        wait = delay if delay is not None else asked if asked <= self.policy.max_retry_after else 0.0
        if wait > 0:
            self._state.limits.hold(self.call.lane, self._state.monotonic() + wait, error)

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

    def unforeseen(self, problem: Exception) -> e.Dalle2Error:
        """The error for what should not have happened: it keeps what came. Raises `problem` itself if nothing
        can have left.
        """
        if not self._in_doubt():
            self._release()
            raise problem
        error = self.lost(Failure("unreadable", True, f"{type(problem).__name__} in this process"))
        if isinstance(error, e.OutcomeUnknownError) and self._came is not None:
            error.status_code, error.body = self._came.status, came(self._came, self.call.context)
        self._tell("OutcomeUnknown" if self.call.context.billable else "AttemptFailed", error=error)
        return self.final(error)

    def interrupted(self, images: Sequence[e.KeptImage] = ()) -> e.OutcomeUnknownError | None:
        """The caller was stopped from outside (a cancelled task, a signal): what became of the call.

        `None` if it certainly costs nothing; what an earlier attempt left in doubt counts too.
        """
        if not self._in_doubt():
            self._release()
            return None
        if not self.call.context.billable:
            return None
        self._departure = None
        error = self.lost(Failure("cancelled", True, "the call was stopped from outside"))
        assert isinstance(error, e.OutcomeUnknownError)
        error.attempts, error.images = self.attempt, images
        with suppress(BaseException):  # one interrupt is on its way already, and has more to tell
            self._tell("OutcomeUnknown", error=error)
        return error

    @property
    def doubtful(self) -> Sequence[e.KeptImage]:
        """The images of an answer that left the call in doubt, if no better one came."""
        return () if self.value is not None or self._doubt is None else self._doubt.images

    def _in_doubt(self) -> bool:
        """Whether an attempt that is under way, or one before it, may be carried out."""
        return self._doubt is not None or (self._departure is not None and self._departure.left)

    def _tell(self, name: EventName, **more: object) -> None:
        if not self._state.report.wanted(name):
            return
        context = self.call.context
        self._state.report(
            name,
            operation=context.operation,
            model=context.model,
            host=context.host,
            idempotency_key=context.idempotency_key,
            paid=context.billable,
            attempt=self.attempt,
            at=self._state.now(),
            **more,
        )
