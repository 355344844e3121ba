"""Moments and waits as hosts write them, and what a server's clock says.

The rule: what hosts send is read without ever raising; what cannot be read is `None`. The clock is
an argument.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_WAIT = 10 * 366 * 86_400.0
"""Seconds (ten years). What asks for more is no wait: some hosts send a Unix time where seconds belong."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_ISO = (
    "(?i)"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
    r"|[0-9]{8}T[0-9]{6}Z"
)
COUNT = r"[0-9]{1,18}"
"""A pattern: a whole number of seconds, as it stands in a URL."""


def in_utc(at: datetime) -> datetime:
    """A moment in UTC; without a zone it is read as UTC. Raises `OverflowError` at the calendar's ends."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def iso_time(text: str) -> datetime | None:
    """An ISO date and time (UTC unless it says otherwise), or `None` for anything else."""
    if not re.fullmatch(_ISO, text):
        return None
    try:
        at = datetime.fromisoformat(text.upper())
        return in_utc(at)
    except (ValueError, OverflowError):
        return None


def unix_time(text: str) -> datetime | None:
    """A moment in Unix seconds, or `None` for anything else."""
    return after(_EPOCH, int(text)) if re.fullmatch(COUNT, text) else None


def after(start: datetime, seconds: int) -> datetime | None:
    """A moment so many seconds later, or `None` past the end of the calendar."""
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def parse_http_date(value: str | None) -> datetime | None:
    """An HTTP date (RFC 1123 or an older form) as an aware UTC datetime, or `None`. Never raises."""
    if not value or len(value) > 100:
        return None
    usual = _fixed_date(value)
    if usual is not None:
        return usual
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(value)
        return in_utc(at)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def _fixed_date(text: str) -> datetime | None:
    """A date in the one form that servers write today, without `email`, which takes 3 % of a cold process."""
    marks = text[3:5] + text[7:8] + text[11:12] + text[16:17] + text[19:20] + text[22:23] + text[25:]
    month, left = divmod(_MONTHS.find(text[8:11]), 3)
    if left or month < 0 or marks != ",    :: GMT" or text[12] == "0":  # years that `email` reads otherwise
        return None
    try:
        return datetime.fromisoformat(f"{text[12:16]}-{month + 1:02}-{text[5:7]}T{text[17:25]}+00:00")
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


FAR = timedelta(minutes=90)
"""A skew above this is no drift: somebody has set a clock wrong, and it cannot be told who."""


class ServerClock:
    """The local clock, corrected by the `Date` of the last answer.

    Threads share it without a lock, since learning is one assignment.
    """

    __slots__ = ("_seen", "offset")

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset
        self._seen: tuple[datetime, float] | None = None

    def observe(self, date_header: str | None, local_now: datetime, age: str | None = None) -> None:
        """Learn from an answer's `Date`: whole seconds that travelled, so a skew under 2 s counts as none.

        An answer out of a cache (`age`: its `Age`) bears the time at which it was made, and teaches nothing.
        """
        served = parse_http_date(date_header) if age in (None, "", "0") else None
        if served is not None:
            skew = served - local_now
            self.offset = timedelta(0) if abs(skew) < timedelta(seconds=2) else skew
            self._seen = local_now, time.monotonic()

    def now(self, local_now: datetime | None = None) -> datetime:
        """The server's time now (aware, UTC), for the given local time or that of the machine."""
        local = datetime.now(UTC) if local_now is None else local_now
        try:
            return local + self.offset
        except OverflowError:  # a Date from the end of the calendar: not worth a failure
            return local

    def earliest(self, local_now: datetime | None = None) -> datetime:
        """The time by which something is surely past. With clocks far apart, either may be the wrong one, and
        one that was set meanwhile is no longer as far off as it was: no more time has passed than elapsed.
        """
        local = datetime.now(UTC) if local_now is None else local_now
        served = self.now(local)
        if self._seen is not None:
            before, then = self._seen
            served -= max(local - before - timedelta(seconds=time.monotonic() - then), timedelta(0))
        return min(local, served) if abs(self.offset) > FAR else served


class FollowedClock(ServerClock):
    """The clock of an emulator in this process: its time counts, and no answer teaches anything."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], datetime]) -> None:
        super().__init__()
        self._read = read

    def observe(self, date_header: str | None, local_now: datetime, age: str | None = None) -> None:
        """Learn nothing."""

    def now(self, local_now: datetime | None = None) -> datetime:
        """The emulator's time now (aware, UTC)."""
        return self._read()

    def earliest(self, local_now: datetime | None = None) -> datetime:
        """The same: there is no other clock to be apart from."""
        return self._read()
