"""How hosts write moments and waits, and what a server's clock says."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._dates import (
    FAR,
    MAX_WAIT,
    ServerClock,
    _fixed_date,
    iso_time,
    parse_http_date,
    parse_retry_after,
)

AT = datetime(2024, 8, 24, 20, 20, 1, tzinfo=UTC)
UNIX = int(AT.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        "Sat, 24 Aug 2024 20:20:01 GMT",
        "Saturday, 24-Aug-24 20:20:01 GMT",
        "Sat Aug 24 20:20:01 2024",
        "sat, 24 aug 2024 22:20:01 +0200",
        "Sat, 24 Aug 2024 20:20:01 -0000",
    ],
)
def test_http_dates_are_read_in_every_form(value: str) -> None:
    """The three forms of HTTP, and offsets that careless servers write."""
    at = parse_http_date(value)
    assert at == AT
    assert at is not None
    assert at.tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "soon", "0", "1", "Sat, 99 Aug 2024 20:20:01 GMT", "x" * 10_000])
def test_what_is_no_http_date_is_none(value: str | None) -> None:
    """A broken date is no date, and a long one is not even looked at."""
    assert parse_http_date(value) is None


DATE_PARTS = st.sampled_from(
    [
        "Sat,",
        "24",
        "Aug",
        "2024",
        "20:20:01",
        "GMT",
        "+9999",
        "-2400",
        "-",
        "1",
        "99999",
        ":",
        ",",
        "24-Aug-24",
        "0000",
    ]
)


@given(st.one_of(st.text(), st.lists(DATE_PARTS, max_size=8).map(" ".join)))
def test_reading_any_date_never_raises(value: str) -> None:
    """A header is somebody else's text."""
    at = parse_http_date(value)
    assert at is None or at.tzinfo is UTC


@given(st.integers(0, 28), st.text("0123456789: ,GMTAugSepJanuaryW-+.٣²", max_size=2), st.integers(0, 3))
def test_a_date_that_is_read_directly_is_the_one_that_email_reads(at: int, by: str, over: int) -> None:
    """Whatever stands in the place of some of its characters."""
    text = "Sat, 24 Aug 2024 20:20:01 GMT"
    changed = text[:at] + by + text[at + over :]
    direct = _fixed_date(changed)
    if direct is not None:
        assert direct == parsedate_to_datetime(changed).replace(tzinfo=UTC)


def test_the_usual_date_is_read_directly() -> None:
    """So that `email` is not loaded for it."""
    assert _fixed_date("Sat, 24 Aug 2024 20:20:01 GMT") == AT
    assert _fixed_date("Sat, 31 Feb 2024 20:20:01 GMT") is None
    assert _fixed_date("Sat, 24 Aug 0099 20:20:01 GMT") is None  # which `email` takes for 1999


NOW = datetime(2024, 8, 24, 20, 0, 0, tzinfo=UTC)
LATER = "Sat, 24 Aug 2024 20:00:30 GMT"


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({}, None, None),
        ({"retry-after-ms": "1500"}, None, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, None, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, None, 9.0),
        ({"retry-after": "0"}, None, 0.0),
        ({"retry-after": "-0"}, None, 0.0),
        ({"retry-after": "1.25"}, None, 1.25),
        ({"retry-after": "-1"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": str(UNIX)}, None, None),
        ({"retry-after": "1e999"}, None, None),
        ({"retry-after": LATER}, None, 30.0),
        ({"retry-after": LATER, "date": "Sat, 24 Aug 2024 20:00:20 GMT"}, None, 10.0),
        ({"retry-after": LATER, "date": "Sat, 24 Aug 2024 20:00:40 GMT"}, None, 0.0),
        ({"retry-after": LATER, "date": "today"}, None, 30.0),
        ({"retry-after": "Sat, 24 Aug 2124 20:00:30 GMT"}, None, None),
        ({"retry-after": "soon"}, {"cloudflare_error": True, "retry_after": 60}, 60.0),
        ({"retry-after": "9"}, {"retry_after": 60}, 9.0),
        ({}, {"retry_after": "2.5"}, 2.5),
        ({}, {"retry_after": True}, None),
        ({}, {"retry_after": None}, None),
        ({}, {"retry_after": -1}, None),
        ({}, {"retry_after": 10**400}, None),
        ({}, {}, None),
        ({}, ["retry_after"], None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], body: object, wait: float | None) -> None:
    """Milliseconds, seconds, a date, Cloudflare's body: the first that makes sense counts."""
    got = parse_retry_after(headers, NOW, body)
    assert got == wait
    assert str(got) == str(wait)


WAITS = st.one_of(
    st.text(),
    st.floats().map(str),
    st.integers().map(str),
    st.datetimes().map(lambda at: f"{at:%a, %d %b} {at.year}"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("retry_after"), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["retry-after-ms", "retry-after", "date"]), WAITS), JSON)
def test_a_wait_is_always_finite_or_none(headers: dict[str, str], body: object) -> None:
    """Whatever a host sends, nobody sleeps for ever or for less than nothing."""
    wait = parse_retry_after(headers, NOW, body)
    assert wait is None or 0.0 <= wait <= MAX_WAIT


def test_a_clock_nobody_corrected_is_the_local_one() -> None:
    """Before the first answer the machine's own time counts."""
    clock = ServerClock()
    assert clock.now(NOW) == NOW
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)


def test_the_server_corrects_a_wrong_local_clock() -> None:
    """An hour of skew is taken over, and a later right answer takes it back."""
    clock = ServerClock()
    clock.observe("Sat, 24 Aug 2024 21:00:00 GMT", NOW)
    assert clock.now(NOW) == NOW + timedelta(hours=1)
    assert pickle.loads(pickle.dumps(clock)).offset == clock.offset
    clock.observe("Sat, 24 Aug 2024 20:00:01 GMT", NOW)
    assert clock.now(NOW) == NOW


@pytest.mark.parametrize("seconds", [-1.999, -1, 0, 1, 1.999])
def test_a_skew_under_two_seconds_is_none(seconds: float) -> None:
    """A `Date` has whole seconds and has travelled: small differences say nothing."""
    clock = ServerClock(timedelta(hours=1))
    clock.observe("Sat, 24 Aug 2024 20:00:00 GMT", NOW + timedelta(seconds=seconds))
    assert clock.offset == timedelta(0)


@pytest.mark.parametrize("header", [None, "", "yesterday"])
def test_an_answer_without_a_date_changes_nothing(header: str | None) -> None:
    """The last known skew stays."""
    clock = ServerClock(timedelta(hours=1))
    clock.observe(header, NOW)
    assert clock.now(NOW) == NOW + timedelta(hours=1)


def test_a_date_from_the_end_of_the_calendar_is_harmless() -> None:
    """A correction that no longer fits into a datetime is left out."""
    clock = ServerClock()
    clock.observe("Fri, 31 Dec 9999 23:59:59 GMT", NOW)
    later = NOW + timedelta(days=1)
    assert clock.now(later) == later


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30)))
def test_a_moment_is_read_as_it_is_usually_written(at: datetime) -> None:
    """An answer's `Date` and a signature's ISO time give the second that they name."""
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert parse_http_date(format_datetime(at, usegmt=True)) == at
    assert iso_time(f"{at.year:04}-{at:%m-%dT%H:%M:%S}Z") == at


@given(st.timedeltas(timedelta(days=-900), timedelta(days=900)))
def test_of_two_clocks_that_are_far_apart_the_earlier_one_counts(skew: timedelta) -> None:
    """What is past by both is past; a drift of minutes is corrected, hours say that somebody is wrong."""
    clock = ServerClock(skew)
    earliest = clock.earliest(NOW)
    assert earliest == (NOW + skew if skew <= FAR else NOW)
    assert abs(ServerClock().earliest() - datetime.now(UTC)) < timedelta(minutes=1)


@given(st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_a_clock_that_was_behind_and_is_set_right_makes_nothing_past(behind: timedelta) -> None:
    """No more is past than really elapsed since the host said what time it is."""
    clock = ServerClock()
    clock.observe(format_datetime(NOW, usegmt=True), NOW - behind)
    assert NOW - timedelta(minutes=1) <= clock.earliest(NOW) <= NOW + timedelta(seconds=2)
    assert clock.earliest(NOW - behind) <= NOW + timedelta(seconds=2)


@pytest.mark.parametrize("age", ["1", "86400", "-5", "a day"])
def test_an_answer_out_of_a_cache_teaches_no_time(age: str) -> None:
    """With an `Age`, its `Date` is that of another day."""
    clock = ServerClock()
    clock.observe("Sat, 24 Aug 2024 20:20:01 GMT", NOW, age)
    assert clock.offset == timedelta(0)
    clock.observe("Sat, 24 Aug 2024 20:20:01 GMT", NOW, "0")
    assert clock.offset != timedelta(0)
