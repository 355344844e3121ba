"""What an error of one call means for its job, and for the whole run: a pure decision.

The rule: only a host's no to this very row ends the row. What the row cannot help (quota, key, network, disk)
leaves it planned, and what may have been paid for is held until a person decides.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .. import errors as e
from .._secrets import redact

Fate: TypeAlias = Literal["refused", "failed", "held", "limited", "troubled", "stop", "retried"]

LONGEST_WAIT = 120.0
"""Seconds: a `Retry-After` above them is no pause but an end."""


class Verdict(NamedTuple):
    """`fate` of the attempt; `billed` says whether it counts as spent; `stops` ends the run with
    the error.
    """

    fate: Fate
    billed: bool = False
    stops: bool = False
    retry_after: float | None = None


_PERMANENT = (
    e.QuotaExceededError,
    e.AuthenticationError,
    e.PermissionDeniedError,
    e.NotFoundError,
    e.ModelRetiredError,
    e.ConfigurationError,
    e.BudgetExceededError,
)


def judge(
    error: BaseException,
    *,
    begun: bool = True,
    retry_unknown: bool = False,
    longest_wait: float = LONGEST_WAIT,
) -> Verdict:
    """The verdict on a call that gave no image; `begun` says whether anybody began to make it."""
    if not isinstance(error, e.Dalle2Error):  # not of our making: whether something was sent, it cannot say
        return Verdict("held" if begun else "stop", billed=begun, stops=True)
    billed = error.maybe_billed
    if isinstance(error, e.ContentPolicyError):
        return Verdict("refused", billed)
    if isinstance(error, _PERMANENT):
        return Verdict("held" if billed else "stop", billed, stops=True)
    if billed:
        again = retry_unknown and not isinstance(error, e.DecodeError)
        return Verdict("retried" if again else "held", billed=True)
    if isinstance(error, e.RateLimitError):
        if error.retry_after is not None and error.retry_after > longest_wait:
            return Verdict("stop", stops=True)
        return Verdict("limited", retry_after=error.retry_after)
    if isinstance(error, e.APIConnectionError):
        return Verdict("troubled")
    if isinstance(error, e.APIStatusError):
        status = error.status_code or 0
        if 300 <= status < 400:  # the base URL is wrong
            return Verdict("stop", stops=True)
        if error.repeatable or isinstance(error, e.InternalServerError):
            return Verdict("troubled", retry_after=error.retry_after)
    return Verdict("failed")


def told(error: BaseException) -> str:
    """An error as the journal keeps it: its class and message, neither prompt nor key. One that came out of
    a caller's own store may hold a signed URL.
    """
    return f"{type(error).__name__}: {redact(str(error)[:1000])}"[:1000]
