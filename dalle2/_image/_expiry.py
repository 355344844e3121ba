"""Decides when an image URL dies, how long a host asks to wait, and what the server's clock says.

The rule: only facts. A time comes from a signature's own fields, from a published lifetime, or it is `None`;
a lone `Expires` without the key that marks its scheme proves nothing. What hosts send is read without ever
raising, and the clock is an argument.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DALLE_LIFETIME = timedelta(seconds=3600)
"""How long OpenAI keeps a DALL·E image after `created`: documented, and so measured on public answers."""

MAX_WAIT = 10 * 366 * 86_400.0
"""Seconds (ten years). What asks for more is no wait: some hosts send a Unix time where seconds belong."""

_LONGEST_URL = 65_536  # characters; no host takes more, and reading a hostile one must not take seconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = (
    "(?i)"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
    r"|[0-9]{8}T[0-9]{6}Z"
)
_COUNT = r"[0-9]{1,18}"

# (key that marks the scheme, start, seconds of life): S3 and its kin, Google V4, Volcengine TOS.
_START_AND_SECONDS = (
    ("x-amz-signature", "x-amz-date", "x-amz-expires"),
    ("x-goog-signature", "x-goog-date", "x-goog-expires"),
    ("x-tos-signature", "x-tos-date", "x-tos-expires"),
)
# Beside `signature`, each of these makes `expires` a Unix time: S3 V2, Google V2, Aliyun OSS V1, CloudFront.
_OTHER_MARKS = frozenset(
    {
        *(mark for mark, _, _ in _START_AND_SECONDS),
        "signature",
        "q-signature",
        "x-oss-signature-version",
    }
)
"""One of these is in every signed URL that is not Azure's."""
_SIGNED_EXPIRES = ("awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id")


class Expiry(NamedTuple):
    """When a URL dies (`at`, aware, UTC) and how that is known; both `None` if it is not known."""

    at: datetime | None = None
    source: Literal["signature", "created"] | None = None


def expiry_of(url: str | None, *, created: datetime | None, model: str | None, openai_like: bool) -> Expiry:
    """When this image URL dies: by its signature, else by OpenAI's hour for DALL·E images, else unknown.

    `openai_like` says that the host serves images as OpenAI does; elsewhere `created` tells nothing.
    """
    if url is None or _is_data(url):
        return Expiry()
    at = signed_expiry(url)
    if at is not None:
        return Expiry(at, "signature")
    if openai_like and created is not None and model in ("dall-e-2", "dall-e-3"):
        try:
            return Expiry(created.astimezone(UTC) + DALLE_LIFETIME, "created")
        except OverflowError:
            return Expiry()
    return Expiry()


def signed_expiry(url: str) -> datetime | None:
    """The expiry (aware, UTC) that a signed URL carries, or `None`. Of several, the earliest; never raises.

    Knows Azure SAS, S3 (V4, V2) and its kin, CloudFront, Google Cloud Storage (V4, V2), Aliyun OSS (V1, V2,
    V4), Tencent COS and Volcengine TOS. Keys are matched without regard to case.
    """
    if len(url) > _LONGEST_URL or _is_data(url):
        return None
    query = _Query(url)
    found: list[datetime | None] = []
    if query.has("sig"):
        found += map(iso_time, query.values("se"))
    if not query.has_any(_OTHER_MARKS):
        return min((at for at in found if at is not None), default=None)
    for mark, start, seconds in _START_AND_SECONDS:
        if query.has(mark):
            found.append(_start_and_seconds(query.values(start), query.values(seconds)))
    if query.has("signature"):
        if any(query.has(mark) for mark in _SIGNED_EXPIRES):
            found += map(unix_time, query.values("expires"))
        if query.has("key-pair-id"):
            found += map(_policy, query.values("policy"))
    if query.has("q-signature"):
        for window in (*query.values("q-sign-time"), *query.values("q-key-time")):
            found.append(unix_time(window.partition(";")[2]))
    # Aliyun gives one key two meanings: seconds of life in its V4, a Unix time in its V2.
    versions = {version.upper() for version in query.values("x-oss-signature-version")}
    if "OSS4-HMAC-SHA256" in versions:
        found.append(_start_and_seconds(query.values("x-oss-date"), query.values("x-oss-expires")))
    elif "OSS2" in versions and not query.has("x-oss-date"):
        found += map(unix_time, query.values("x-oss-expires"))
    return min((at for at in found if at is not None), default=None)


class _Query:
    """The query of a URL with lower-case keys; every value of a repeated key is kept, blank ones are not."""

    def __init__(self, url: str) -> None:
        self._fields: dict[str, list[str]] = {}
        for pair in url.partition("#")[0].partition("?")[2].split("&"):
            key, _, value = pair.partition("=")
            # `unquote`, not `unquote_plus`: a bare plus sign in a time zone is a plus sign.
            if value := (unquote(value) if "%" in value else value).strip():
                key = (unquote(key) if "%" in key else key).strip().lower()
                self._fields.setdefault(key, []).append(value)

    def has(self, key: str) -> bool:
        return key in self._fields

    def has_any(self, keys: frozenset[str]) -> bool:
        return not keys.isdisjoint(self._fields)

    def values(self, key: str) -> list[str]:
        return self._fields.get(key, [])


def _is_data(url: str) -> bool:
    return url.lstrip()[:5].lower() == "data:"


def iso_time(text: str) -> datetime | None:
    """An ISO date and time (UTC unless it says otherwise), or `None` for anything else."""
    if not (_is_usual_iso(text) or re.fullmatch(_ISO, text)):
        return None
    try:
        at = datetime.fromisoformat(text.upper())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_usual_iso(text: str) -> bool:
    """Whether it is of the form `2026-11-20T10:11:12Z`, told without a pattern that takes long to compile."""
    digits = text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]
    return len(text) == 20 and text[4::3] == "--T::Z" and digits.isascii() and digits.isdigit()


def unix_time(text: str) -> datetime | None:
    """A moment in Unix seconds, or `None` for anything else."""
    return _after(_EPOCH, int(text)) if re.fullmatch(_COUNT, text) else None


def _after(start: datetime, seconds: int) -> datetime | None:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _start_and_seconds(starts: Iterable[str], seconds: Iterable[str]) -> datetime | None:
    times = [at for at in map(iso_time, starts) if at is not None]
    spans = [int(text) for text in seconds if re.fullmatch(_COUNT, text)]
    return _after(min(times), min(spans)) if times and spans else None


def _policy(text: str) -> datetime | None:
    """The `DateLessThan` of a CloudFront policy: base64 JSON with `+=/` written as `-_~`."""
    import base64
    import json

    try:
        raw = base64.b64decode(text[:8192].translate(str.maketrans("-_~", "+=/")))
        policy = json.loads(raw)
        statements = policy["Statement"]
        statement = statements[0] if isinstance(statements, list) else statements
        epoch = statement["Condition"]["DateLessThan"]["AWS:EpochTime"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return unix_time(str(epoch)) if type(epoch) is int else None


def parse_http_date(value: str | None) -> datetime | None:
    """An HTTP date (RFC 1123 or an older form) as an aware UTC datetime, or `None`. Never raises."""
    if not value or len(value) > 100:
        return None
    usual = _usual_http_date(value)
    if usual is not None:
        return usual
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


_MONTHS = {
    name: at
    for at, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


def _usual_http_date(value: str) -> datetime | None:
    """A date of the form that every answer bears, `Fri, 20 Nov 2026 10:11:12 GMT`; `None` for any other."""
    digits = value[5:7] + value[12:16] + value[17:19] + value[20:22] + value[23:25]
    month = _MONTHS.get(value[8:11])
    marks = value[3:5] + value[7:8] + value[11:12] + value[16:17] + value[19:20] + value[22:23] + value[25:]
    if month is None or marks != ",    :: GMT" or not (digits.isascii() and digits.isdigit()):
        return None
    if digits[2] == "0":  # a year that older forms read in another way
        return None
    day, year, hour, minute, second = (
        int(digits[a:b]) for a, b in ((0, 2), (2, 6), (6, 8), (8, 10), (10, 12))
    )
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def parse_retry_after(headers: Mapping[str, str], now: datetime, body: object = None) -> float | None:
    """Seconds that an answer asks to wait, or `None`. Header names in lower case; never raises.

    Tried in this order: `retry-after-ms`, `retry-after` in seconds, `retry-after` as a date (measured from
    the answer's own `date`, else from `now`; 0.0 if it is past), `retry_after` of Cloudflare's JSON `body`.
    """
    milliseconds = _wait(headers.get("retry-after-ms"), 0.001)
    if milliseconds is not None:
        return milliseconds
    text = headers.get("retry-after")
    seconds = _wait(text, 1.0)
    if seconds is not None:
        return seconds
    until = parse_http_date(text)
    if until is not None:
        start = parse_http_date(headers.get("date")) or now
        seconds = _wait(max(0.0, (until - start).total_seconds()), 1.0)
        if seconds is not None:
            return seconds
    return _wait(body.get("retry_after"), 1.0) if isinstance(body, dict) else None


def _wait(value: object, unit: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        wait = float(value) * unit
    except (ValueError, OverflowError):
        return None
    # A minus zero would compare as fine and print as nonsense: adding 0.0 takes its sign away.
    return wait + 0.0 if math.isfinite(wait) and 0.0 <= wait <= MAX_WAIT else None


class ServerClock:
    """The local clock, corrected by the `Date` of the last answer.

    Threads share it without a lock, since learning is one assignment.
    """

    __slots__ = ("offset",)

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def observe(self, date_header: str | None, local_now: datetime) -> None:
        """Learn from an answer's `Date`: whole seconds that travelled, so a skew under 2 s counts as none."""
        served = parse_http_date(date_header)
        if served is not None:
            skew = served - local_now
            self.offset = timedelta(0) if abs(skew) < timedelta(seconds=2) else skew

    def now(self, local_now: datetime | None = None) -> datetime:
        """The server's time now (aware, UTC), for the given local time or that of the machine."""
        local = datetime.now(UTC) if local_now is None else local_now
        try:
            return local + self.offset
        except OverflowError:  # a Date from the end of the calendar: not worth a failure
            return local
