"""What an error of one call means for its job and for the run."""

from __future__ import annotations

import pytest

import dalle2
from dalle2 import errors as e
from dalle2.bulk._verdict import judge, told

KINDS = [kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.Dalle2Error)]


@pytest.mark.parametrize(
    ("error", "fate", "stops"),
    [
        (e.ContentPolicyError("no"), "refused", False),
        (e.BadRequestError("no", status_code=400), "failed", False),
        (e.UnprocessableEntityError("no", status_code=422), "failed", False),
        (e.APIStatusError("no", status_code=418), "failed", False),
        (e.InvalidRequestError("no"), "failed", False),
        (e.APIStatusError("elsewhere", status_code=307), "stop", True),
        (e.APIStatusError("slow", status_code=408, repeatable=True), "troubled", False),
        (e.ConflictError("busy", status_code=409, repeatable=True), "troubled", False),
        (e.InternalServerError("odd", status_code=500, maybe_billed=False), "troubled", False),
        (e.InternalServerError("odd", status_code=500, maybe_billed=True), "held", False),
        (e.APIConnectionError("away"), "troubled", False),
        (e.RateLimitError("slow", status_code=429, retry_after=120.0), "limited", False),
        (e.RateLimitError("slow", status_code=429, retry_after=121.0), "stop", True),
        (e.QuotaExceededError("none left", status_code=429), "stop", True),
        (e.ModelRetiredError("gone", status_code=404), "stop", True),
        (e.ConfigurationError("no key"), "stop", True),
        (e.BudgetExceededError("spent"), "stop", True),
        (e.OutcomeUnknownError("lost"), "held", False),
        (e.DecodeError("odd"), "held", False),
        (e.QuotaExceededError("odd", maybe_billed=True), "held", True),
        (KeyError("odd"), "held", True),
        (KeyboardInterrupt(), "held", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_only_a_no_to_this_very_row_ends_the_row(error: BaseException, fate: str, stops: bool) -> None:
    """And only what no row can help ends the run."""
    verdict = judge(error)
    assert (verdict.fate, verdict.stops) == (fate, stops)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("billed", [True, False])
@pytest.mark.parametrize("retry", [True, False])
def test_what_may_have_been_paid_for_is_never_simply_sent_again(
    kind: type[e.Dalle2Error], billed: bool, retry: bool
) -> None:
    """Whatever the error: unless the caller wished it, and even then not for a complete answer."""
    error = kind("no")
    error.maybe_billed = billed
    verdict = judge(error, retry_unknown=retry)
    assert verdict.billed == billed
    if billed and not isinstance(error, dalle2.ContentPolicyError):
        allowed = {"held", "retried"} if retry and kind is not e.DecodeError else {"held"}
        assert verdict.fate in allowed


def test_an_error_is_told_by_its_class() -> None:
    """And at a length that a journal can bear."""
    assert told(e.DecodeError("odd")) == "DecodeError: odd"
    assert len(told(KeyError("x" * 10_000))) == 1000
