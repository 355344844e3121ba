"""Decides what a blob store means by refusing a URL: expired, altered on its way, gone, or something else.

The rule: the store's own words and codes count, and nothing is guessed from a status alone.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, NamedTuple

from .._dates import iso_time, parse_http_date, unix_time


class StoreVerdict(NamedTuple):
    """What a blob store says about a URL that it refused; `at` is the expiry (aware, UTC) if it names one."""

    kind: Literal["expired", "altered", "rejected", "missing", "unknown"]
    at: datetime | None = None


_CODE = r'<Code>([^<]{0,100})<|"Code"\s*:\s*"([^"]{0,100})"'
_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredRequest", "RequestExpired"})
_MISSING_CODES = frozenset(
    {"BlobNotFound", "ResourceNotFound", "ContainerNotFound", "NoSuchKey", "NoSuchBucket", "NotFound"}
)
_AZURE_WINDOW = (
    "(?i)"
    r"not valid in the specified time frame"
    r"(?::? ?Start ?\[([^\]<]{0,60})\])?(?: ?- ?Expiry ?\[([^\]<]{0,60})\])?"
    r"(?: ?- ?Current ?\[([^\]<]{0,60})\])?"
)
_SAYS_EXPIRED = "(?i)" r"\b(?:request|token|signature|url|link) (?:has |is )?expired\b"
_SAYS_ALTERED = "(?i)" r"signature did not match|signature (?:fields )?(?:is )?not well formed"
_EXPIRES_AT = r'<Expires>([^<]{0,40})<|"Expires"\s*:\s*"([^"]{0,40})"|expired(?: at)?: ?([0-9TZ:.+-]{8,40})'


def store_verdict(status: int, body: str) -> StoreVerdict:
    """What a refusal by a blob store means, read from its XML (or JSON) error document. Never raises.

    `"expired"` and `"altered"` (the URL was changed on its way) are the store's own words, `"missing"` is an
    object that is gone, `"rejected"` a signature that was not accepted, without the reason. Pages of proxies,
    and whatever else carries no store's error code, are `"unknown"`. Only the first 16 KiB are looked at, as
    text: an XML parser could be made to work without end.
    """
    text = body[:16_384]
    code_found = re.search(_CODE, text) if status in (400, 401, 403, 404, 410) else None
    if code_found is None:
        return StoreVerdict("unknown")
    code = (code_found[1] or code_found[2] or "").strip()
    window = re.search(_AZURE_WINDOW, text)
    if window is not None:
        start, expiry, current = map(parse_http_date, window.groups())
        # The same sentence stands for a URL that is not valid yet.
        early = start is not None and current is not None and current < start
        return StoreVerdict("unknown") if early else StoreVerdict("expired", expiry)
    if code == "SignatureDoesNotMatch" or re.search(_SAYS_ALTERED, text):
        return StoreVerdict("altered")
    if code in _EXPIRED_CODES or re.search(_SAYS_EXPIRED, text):
        named = re.search(_EXPIRES_AT, text)
        at = next((part.strip() for part in named.groups() if part), "") if named else ""
        return StoreVerdict("expired", iso_time(at) or unix_time(at))
    if code in ("AuthenticationFailed", "AuthorizationFailure") and "failed to authenticate" in text:
        return StoreVerdict("rejected")  # Azurite's one answer to expired and to altered signatures
    return StoreVerdict("missing" if code in _MISSING_CODES else "unknown")
