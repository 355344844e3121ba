"""Whether an answer that says no leaves open what became of the call, and whether to ask again is safe.

The rule: only the API's own words prove that nothing was carried out. Its error object counts, and words that
the table of `_relays` knows. A status alone does not under which gateways put their own lost calls, nor does
a web page, a bare message of whoever stands between, or a status that only proxies use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import errors as e
from ._problem import Problem
from ._relays import meaning_of_code, meanings_in

if TYPE_CHECKING:
    from .._http import HttpResponse

_KNOWN_STATUSES = frozenset(
    {*range(400, 419), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511}
)
"""Registered for HTTP. All others are proxies' own: the client hung up, the upstream took too long."""
# What a proxy met on its own way and wraps in an envelope: its timeout, a gateway's page.
_RELAYED = "(?i)" r"\blitellm\.Timeout\b|<!doctype html|<html|upstream|gateway"
# How whoever stands between refuses a call that it passes to nobody; and how it tells that it passed it on.
_MANY = "(?i)" r"\btoo many\b|\b(?:rate|limit|quota|throttl|slow|busy|retry)"
_LOST = "(?i)" r"timed? ?out|bad gateway|no response|connection (?:reset|closed|refused)"
# A conflict with this very call, under its idempotency key: it is under way, or done.
_UNDER_WAY = (
    "(?i)"
    r"idempoten|in progress|being processed|is (?:still |already )?(?:running|processing|pending)|concurrent|"
    r"duplicate|already (?:exists|processed|submitted|used|running|processing|been)|处理中|正在处理|重复"
)


def in_doubt(problem: Problem, response: HttpResponse) -> bool:
    """Whether an answer that says no leaves open whether the call was carried out."""
    status = response.status
    words = meanings_in(problem.message) if not problem.page else frozenset()
    if status in (502, 504):
        return True
    if status not in _KNOWN_STATUSES or status == 503:
        return not (problem.enveloped and status >= 500 and _busy(problem))
    if status == 408:
        return not problem.enveloped or bool(re.search(_RELAYED, problem.message))
    if status == 429:  # a load balancer may refuse as well, if it says so
        spoken = problem.enveloped or words or "retry-after" in response.headers
        spoken = spoken or bool(re.search(_MANY, problem.message))
        return not spoken or bool(re.search(_LOST, problem.message))
    return False


def _busy(problem: Problem) -> bool:
    """Whether the host says that it has not begun, since there is too much to do."""
    if meaning_of_code(problem.code, problem.type) in ("busy", "rate"):
        return True
    return bool(meanings_in(problem.message) & {"busy", "rate"})


def under_way(problem: Problem) -> bool:
    """Whether a conflict may be with this very call."""
    return not problem.enveloped or bool(re.search(_UNDER_WAY, f"{problem.code} {problem.message}"))


def repeatable(kind: type[e.APIError], problem: Problem, status: int, headers: Mapping[str, str]) -> bool:
    """Whether the host certainly did not carry it out, and may do so a moment later."""
    if status < 400 or issubclass(
        kind, (e.QuotaExceededError, e.BadRequestError, e.AuthenticationError, e.NotFoundError)
    ):
        return False
    if status == 409 and under_way(problem):
        return False
    word = headers.get("x-should-retry", "").lower()
    if word in ("true", "false") and (problem.enveloped or word == "false"):  # the API's own word
        return word == "true"
    return _own_failure(problem, status) or status in (408, 409, 429, 503)


def _own_failure(problem: Problem, status: int) -> bool:
    """The API says that it failed itself, and not that it lost a call on the way to somebody else."""
    own = problem.enveloped and status == 500 and "server_error" in (problem.type, problem.code)
    return own and not re.search(_RELAYED, problem.message)


def maybe_billed(kind: type[e.APIError], problem: Problem, status: int) -> bool:
    """Whether the call may have cost money all the same."""
    if status < 300:
        return True
    if issubclass(kind, (e.BadRequestError, e.RateLimitError, e.AuthenticationError, e.NotFoundError)):
        return False
    if status == 409:
        return under_way(problem)
    return status >= 500 and not (_busy(problem) and problem.enveloped) and not _own_failure(problem, status)
