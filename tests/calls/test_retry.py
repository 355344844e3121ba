"""When a call is repeated, and after how long: the whole policy as a table."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2 import RetryPolicy, errors
from dalle2._dates import parse_retry_after
from dalle2.retry import again, again_async

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def status(
    kind: type[errors.APIStatusError] = errors.InternalServerError,
    code: int | None = 500,
    *,
    repeatable: bool = False,
    retry_after: float | None = None,
    headers: dict[str, str] | None = None,
) -> errors.APIStatusError:
    """An answer that says no."""
    return kind(
        "no",
        status_code=code,
        repeatable=repeatable,
        retry_after=retry_after,
        headers=headers,
        maybe_billed=True,
    )


def unknown() -> errors.OutcomeUnknownError:
    """An answer that never came."""
    return errors.OutcomeUnknownError("lost", reason="timeout")


# error, and whether it is repeated: paid, paid with ambiguous="retry", free
VERDICTS: list[tuple[Exception, bool, bool, bool]] = [
    (errors.APIConnectionError("refused"), True, True, True),
    (errors.ConnectTimeoutError("slow"), True, True, True),
    (unknown(), False, True, True),
    # the host says that it did not carry it out
    (status(errors.RateLimitError, 429, repeatable=True), True, True, True),
    (status(errors.ConflictError, 409, repeatable=True), True, True, True),
    (status(errors.APIStatusError, 408, repeatable=True), True, True, True),
    (status(repeatable=True), True, True, True),
    # the host failed, and does not say how far it came
    (status(), False, True, True),
    (status(code=503), False, True, True),
    (status(headers={"x-should-retry": "false"}), False, False, False),
    (status(headers={"x-should-retry": "FALSE"}, code=503), False, False, False),
    # a complete answer that reports a failure is never repeated
    (status(code=200), False, False, False),
    (status(code=None), False, False, False),
    # permanent
    *(
        (status(kind, code), False, False, False)
        for kind, code in (
            (errors.QuotaExceededError, 429),
            (errors.RateLimitError, 429),
            (errors.BadRequestError, 400),
            (errors.BadRequestError, 500),
            (errors.ContentPolicyError, 400),
            (errors.ModelRetiredError, 503),
            (errors.AuthenticationError, 401),
            (errors.PermissionDeniedError, 403),
            (errors.NotFoundError, 503),
            (errors.UnprocessableEntityError, 422),
            (errors.APIStatusError, 307),
        )
    ),
    (errors.DecodeError("no images"), False, False, False),
    (errors.InvalidRequestError("no"), False, False, False),
    (errors.ConfigurationError("no"), False, False, False),
    (errors.BudgetExceededError("no"), False, False, False),
    (errors.DownloadError("no"), False, False, False),
    (ValueError("not ours"), False, False, False),
]


@pytest.mark.parametrize(
    ("error", "paid", "ambiguous", "free"),
    VERDICTS,
    ids=[f"{type(row[0]).__name__}-{getattr(row[0], 'status_code', '')}" for row in VERDICTS],
)
def test_which_failures_are_repeated(error: Exception, paid: bool, ambiguous: bool, free: bool) -> None:
    """A paid call only if it was certainly not carried out, unless the caller accepts a second bill."""
    safe, brave = RetryPolicy(), RetryPolicy(ambiguous="retry")
    assert safe.repeats(error, paid=True) is paid
    assert brave.repeats(error, paid=True) is ambiguous
    assert safe.repeats(error, paid=False) is free
    assert brave.repeats(error, paid=False) is free
    assert (safe.wait(error, 1, paid=True) is not None) is paid


def test_attempts_are_counted_with_the_first() -> None:
    """Three attempts are one and two more; `none()` is one."""
    error = errors.APIConnectionError("refused")
    assert [RetryPolicy(initial=0).wait(error, attempt) for attempt in (1, 2, 3, 4)] == [0, 0, None, None]
    assert RetryPolicy.none().wait(error, 1) is None
    assert RetryPolicy(max_attempts=1) == RetryPolicy.none()


@pytest.mark.parametrize(
    ("chance", "waits"),
    [
        (0.0, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]),
        (0.5, [0.4375, 0.875, 1.75, 3.5, 7.0, 7.0]),
        (1.0, [0.375, 0.75, 1.5, 3.0, 6.0, 6.0]),
    ],
)
def test_waits_double_and_shrink_by_up_to_a_quarter(chance: float, waits: list[float]) -> None:
    """Half a second, doubling up to eight, each shortened at random by at most a quarter."""
    policy = RetryPolicy(max_attempts=99)
    assert [policy.backoff(attempt, lambda: chance) for attempt in range(1, 7)] == waits
    error = errors.APIConnectionError("refused")
    assert policy.wait(error, 1, chance=lambda: chance) == waits[0]


def test_chance_is_random_unless_given() -> None:
    """Two clients that fail together do not come back together."""
    policy = RetryPolicy(initial=8.0)
    found = {policy.backoff(1) for _ in range(50)}
    assert len(found) > 10
    assert all(6.0 < wait <= 8.0 for wait in found)


def test_the_largest_attempt_number_overflows_nothing() -> None:
    """The exponent is bounded."""
    assert RetryPolicy().backoff(10**9, lambda: 0.0) == 8.0


@pytest.mark.parametrize(
    ("asked", "remaining", "wait"),
    [
        (None, None, 0.5),
        (0.0, None, 0.5),
        (0.001, None, 0.001),
        (7.0, None, 7.0),
        (120.0, None, 120.0),
        (120.5, None, None),
        (3600.0, None, None),
        (7.0, 7.1, 7.0),
        (7.0, 7.0, None),
        (7.0, 1.0, None),
        (None, 0.5, None),
        (None, 0.6, 0.5),
        (None, 0.0, None),
        (None, -1.0, None),
    ],
)
def test_the_hosts_wish_is_kept_or_the_error_raised_at_once(
    asked: float | None, remaining: float | None, wait: float | None
) -> None:
    """`Retry-After` is kept, without jitter; above `max_retry_after` or past the deadline nobody waits."""
    error = status(errors.RateLimitError, 429, repeatable=True, retry_after=asked)
    assert RetryPolicy().wait(error, 1, remaining=remaining, chance=lambda: 0.0) == wait
    assert error.retry_after == asked


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "2"}, None, 2.0),
        ({"retry-after": " 2.5 "}, None, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, None, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, None, 9.0),
        ({"retry-after": format_datetime(NOW.replace(second=30), usegmt=True)}, None, 30.0),
        ({"retry-after": format_datetime(NOW.replace(hour=11), usegmt=True)}, None, 0.0),
        ({}, {"retry_after": 60}, 60.0),
        ({"retry-after": "-1"}, None, None),
        ({"retry-after": "later"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({}, None, None),
    ],
)
def test_every_form_of_retry_after_reaches_the_policy(
    headers: dict[str, str], body: object, seconds: float | None
) -> None:
    """Milliseconds, seconds, a date, Cloudflare's body: all become seconds, and nonsense is no wish."""
    found = parse_retry_after(headers, NOW, body)
    assert found == seconds
    error = status(errors.RateLimitError, 429, repeatable=True, retry_after=found)
    assert RetryPolicy().wait(error, 1, chance=lambda: 0.0) == (found or 0.5)


@given(
    attempt=st.integers(1, 50),
    asked=st.none() | st.floats(0, 1e6),
    remaining=st.none() | st.floats(-10, 1e4),
    chance=st.floats(0, 1, exclude_max=True),
    policy=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 20),
        initial=st.floats(0, 100),
        max_delay=st.floats(0, 100),
        max_retry_after=st.floats(0, 1000),
    ),
)
def test_no_wait_passes_a_limit(
    attempt: int, asked: float | None, remaining: float | None, chance: float, policy: RetryPolicy
) -> None:
    """Never negative, never above its bound, never past the deadline, never after the last attempt."""
    error = status(errors.RateLimitError, 429, repeatable=True, retry_after=asked)
    wait = policy.wait(error, attempt, remaining=remaining, chance=lambda: chance)
    if wait is None:
        return
    assert attempt < policy.max_attempts
    assert 0 <= wait <= (policy.max_retry_after if asked else policy.max_delay)
    assert remaining is None or wait < remaining


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        *(({"max_attempts": value}, "max_attempts") for value in (0, -1, True, 1.5, "3", None)),
        *(
            ({name: value}, name)
            for name, value in itertools.product(
                ("initial", "max_delay", "max_retry_after", "deadline"),
                (-0.1, float("inf"), float("nan"), True, "1"),
            )
        ),
        ({"initial": None}, "initial"),
        ({"ambiguous": "maybe"}, "ambiguous"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, object], word: str) -> None:
    """The error names the field."""
    with pytest.raises(errors.ConfigurationError, match=word):
        RetryPolicy(**arguments)  # type: ignore[arg-type]


def test_a_policy_is_a_value() -> None:
    """Equal by its fields, and as documented by default."""
    assert RetryPolicy() == RetryPolicy(3, 0.5, 8.0, 120.0, None, "raise")
    assert RetryPolicy(deadline=None).deadline is None
    assert RetryPolicy(deadline=0).deadline == 0


class Failing:
    """A call that fails a number of times."""

    def __init__(self, failures: int, allowed: int) -> None:
        self.failures = failures
        self.allowed = allowed
        self.delay = 0.0
        self.made = 0

    def repeats(self, error: BaseException) -> bool:
        """Whether another attempt follows."""
        self.delay = float(self.made)
        return self.made <= self.allowed

    def once(self) -> str:
        """One attempt."""
        self.made += 1
        if self.made <= self.failures:
            raise errors.APIConnectionError(f"attempt {self.made}")
        return f"done after {self.made}"


def run(call: Failing, sleep: Callable[[float], None]) -> str:
    """The loop as a client has it."""
    for attempt in again(call, sleep):
        with attempt:
            return call.once()
    raise AssertionError


async def run_async(call: Failing, sleep: Callable[[float], None]) -> str:
    """The same, awaited."""

    async def awaited(seconds: float) -> None:
        sleep(seconds)

    async for attempt in again_async(call, awaited):
        with attempt:
            return call.once()
    raise AssertionError


@pytest.mark.parametrize("loop", [run, lambda call, sleep: anyio.run(run_async, call, sleep)])
def test_the_adapter_waits_and_raises_as_it_is_told(loop: Callable[..., str]) -> None:
    """Tenacity sleeps what the call says and raises the last error itself, not one of its own."""
    slept: list[float] = []
    assert loop(Failing(2, 2), slept.append) == "done after 3"
    assert slept == [1.0, 2.0]
    with pytest.raises(errors.APIConnectionError, match="attempt 3"):
        loop(Failing(9, 2), slept.append)
