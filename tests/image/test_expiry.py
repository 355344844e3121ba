"""When URLs die, how long hosts ask to wait, what the server's clock says, and what blob stores mean."""

from __future__ import annotations

import base64
import json
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._image._expiry import (
    _ISO,
    MAX_WAIT,
    Expiry,
    ServerClock,
    _is_usual_iso,
    _usual_http_date,
    expiry_of,
    iso_time,
    parse_http_date,
    parse_retry_after,
    signed_expiry,
)
from dalle2._results._store_verdict import StoreVerdict, store_verdict

AT = datetime(2024, 8, 24, 20, 20, 1, tzinfo=UTC)
UNIX = int(AT.timestamp())
AZURE = (
    "https://oaidalleapiprodscus.blob.core.windows.net/private/org-XXXX/user-XXXX/img-XXXX.png"
    "?st=2024-08-24T18%3A20%3A01Z&se=2024-08-24T20%3A20%3A01Z&sp=r&sv=2024-08-04&sr=b&rscd=inline"
    "&rsct=image/png&skoid=x&sktid=y&skt=2024-08-23T23%3A16%3A04Z&ske=2024-08-24T23%3A16%3A04Z&sks=b"
    "&skv=2024-08-04&sig=XXXX%3D"
)


def policy(document: object) -> str:
    """A CloudFront policy as it travels in a URL."""
    raw = base64.b64encode(json.dumps(document).encode()).decode()
    return raw.translate(str.maketrans("+=/", "-_~"))


def until(epoch: object) -> dict[str, object]:
    """The smallest CloudFront policy with an end."""
    return {"Statement": [{"Resource": "*", "Condition": {"DateLessThan": {"AWS:EpochTime": epoch}}}]}


SIGNED = {
    "azure": AZURE,
    "azure without seconds": "https://h/a?sig=x&se=2024-08-24T20:20Z",
    "azure date only": "https://h/a?sig=x&se=2024-08-24",
    "azure with seven digits": "https://h/a?sig=x&se=2024-08-24T20:20:01.0000000Z",
    "azure with an offset": "https://h/a?sig=x&se=2024-08-24T22:20:01+02:00",
    "azure with spaces around": "https://h/a?sig=x&se=%202024-08-24T20:20:01Z%0A",
    "s3 v4": "https://h/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20240824T192001Z&X-Amz-Expires=3600"
    "&X-Amz-Signature=ab",
    "s3 v2": f"https://h/a?AWSAccessKeyId=x&Signature=y&Expires={UNIX}",
    "cloudfront canned": f"https://h/a?Expires={UNIX}&Signature=y&Key-Pair-Id=K",
    "cloudfront policy": f"https://h/a?Policy={policy(until(UNIX))}&Signature=y&Key-Pair-Id=K",
    "google v4": "https://h/a?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20240824T192001Z"
    "&X-Goog-Expires=3600&X-Goog-Signature=ab",
    "google v2": f"https://h/a?GoogleAccessId=x&Signature=y&Expires={UNIX}",
    "aliyun v1": f"https://h/a?OSSAccessKeyId=x&Signature=y&Expires={UNIX}",
    "aliyun v4": "https://h/a?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20240824T192001Z"
    "&x-oss-expires=3600&x-oss-signature=z",
    "aliyun v2": f"https://h/a?x-oss-signature-version=OSS2&x-oss-expires={UNIX}&x-oss-signature=z",
    "tencent": f"https://h/a?q-sign-algorithm=sha1&q-sign-time=1724520000;{UNIX}&q-signature=z",
    "tencent escaped": f"https://h/a?q-sign-time=1724520000%3B{UNIX}&q-signature=z",
    "tencent by its key": f"https://h/a?q-key-time=1724520000;{UNIX}&q-sign-time=1;999999999999&q-signature=z",
    "volcengine": "https://h/a?X-Tos-Date=20240824T192001Z&X-Tos-Expires=3600&X-Tos-Signature=z",
    "keys escaped": "https://h/a?X%2DAmz%2DDate=20240824T192001Z&X-Amz-Expires=3600&X-Amz-Signature=ab",
    "two schemes": f"{AZURE}&Expires={UNIX + 60}&Signature=y&Key-Pair-Id=K",
    "the same key twice": "https://h/a?sig=x&se=2030-01-01&se=2024-08-24T20:20:01Z",
    "one value unreadable": "https://h/a?sig=x&se=soon&se=2024-08-24T20:20:01Z",
    "a fragment after it": AZURE + "#se=2020-01-01",
}
LOOSE = {"azure without seconds": AT.replace(second=0), "azure date only": datetime(2024, 8, 24, tzinfo=UTC)}


@pytest.mark.parametrize("scheme", SIGNED)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_every_scheme_gives_its_expiry(scheme: str, case: type[str]) -> None:
    """Each known way to sign a URL is read, whatever the letter case of its keys."""
    head, _, query = SIGNED[scheme].partition("?")
    pairs = [pair.split("=", 1) for pair in query.split("&")]
    url = f"{head}?" + "&".join(f"{case(key)}={value}" for key, value in pairs)
    assert signed_expiry(url) == LOOSE.get(scheme, AT)


def test_the_earliest_of_two_schemes_counts() -> None:
    """A CDN in front of a store: whichever signature ends first ends the URL."""
    assert signed_expiry(f"{AZURE}&Expires={UNIX - 60}&Signature=y&Key-Pair-Id=K") == AT - timedelta(
        minutes=1
    )


UNSIGNED = [
    "",
    "?",
    "https://filesystem.site/cdn/1.png",
    f"https://h/a?Expires={UNIX}",
    f"https://h/a?Expires={UNIX}&Signature=y",
    f"https://h/a?Expires={UNIX}&Key-Pair-Id=K",
    f"https://h/a?Expires={UNIX}&Signature=&Key-Pair-Id=K",
    "https://h/a?se=2024-08-24T20:20:01Z",
    "https://h/a?sig=x",
    "https://h/a?sig=x&se=",
    "https://h/a?sig=&se=2024-08-24",
    "https://h/a?sig=x&se=2024-13-24",
    "https://h/a?sig=x&se=2024-W12",
    "https://h/a?sig=x&se=0001-01-01T00:00:00%2B23:00",
    "https://h/a?sig=x&se=99999-01-01",
    "https://h/a?X-Amz-Date=20240824T192001Z&X-Amz-Expires=3600",
    "https://h/a?X-Amz-Date=20240824T192001Z&X-Amz-Signature=ab",
    "https://h/a?X-Amz-Expires=3600&X-Amz-Signature=ab",
    "https://h/a?X-Amz-Date=20240824T192001Z&X-Amz-Expires=-1&X-Amz-Signature=ab",
    "https://h/a?X-Amz-Date=20240824T192001Z&X-Amz-Expires=999999999999999999&X-Amz-Signature=ab",
    "https://h/a?X-Amz-Date=99991231T235959Z&X-Amz-Expires=3600&X-Amz-Signature=ab",
    "https://h/a?X-Amz-Date=20240824T192001Z&X-Amz-Expires=3600.5&X-Amz-Signature=ab",
    f"https://h/a?AWSAccessKeyId=x&Signature=y&Expires={UNIX}000",
    "https://h/a?AWSAccessKeyId=x&Signature=y&Expires=-5",
    "https://h/a?AWSAccessKeyId=x&Signature=y&Expires=" + "9" * 5000,
    f"https://h/a?x-oss-expires={UNIX}",
    f"https://h/a?x-oss-signature-version=OSS9&x-oss-expires={UNIX}",
    f"https://h/a?x-oss-signature-version=OSS2&x-oss-date=20240824T192001Z&x-oss-expires={UNIX}",
    f"https://h/a?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires={UNIX}",
    f"https://h/a?q-sign-time=1;{UNIX}",
    f"https://h/a?q-sign-time={UNIX}&q-signature=z",
    f"https://h/a?q-sign-time=1;2;{UNIX}&q-signature=z",
    f"https://h/{UNIX}#se=2024-08-24&sig=x",
    AZURE + "&x=" + "y" * 65_536,
    "data:image/png;base64,AAAA?sig=x&se=2024-08-24",
    " DATA:image/png;base64,AAAA?sig=x&se=2024-08-24",
]


@pytest.mark.parametrize("url", UNSIGNED)
def test_what_proves_nothing_gives_no_expiry(url: str) -> None:
    """A lone time, an absurd one or an unreadable one is never presented as fact."""
    assert signed_expiry(url) is None


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        7,
        {"Statement": []},
        {"Statement": [7]},
        {"Statement": {"Condition": None}},
        until("soon"),
        until(True),
        until(-1),
        until(1e300),
        until(float("nan")),
        until(10**17),
    ],
)
def test_a_cloudfront_policy_without_an_end_gives_none(document: object) -> None:
    """A policy is somebody else's JSON: whatever it holds, reading it does not raise."""
    assert signed_expiry(f"https://h/a?Policy={policy(document)}&Signature=y&Key-Pair-Id=K") is None


def test_a_cloudfront_policy_may_hold_one_statement_outside_a_list() -> None:
    """Both spellings of a policy are read."""
    statement = {"Condition": {"DateLessThan": {"AWS:EpochTime": UNIX}}}
    url = f"https://h/a?Policy={policy({'Statement': statement})}&Signature=y&Key-Pair-Id=K"
    assert signed_expiry(url) == AT


@pytest.mark.parametrize("raw", ["%%%", "a", base64.b64encode(b"[" * 6000).decode(), "\ud800"])
def test_a_cloudfront_policy_that_is_no_json_gives_none(raw: str) -> None:
    """Broken base64, broken JSON and endless nesting are the same as no policy."""
    assert signed_expiry(f"https://h/a?Policy={raw}&Signature=y&Key-Pair-Id=K") is None


KEYS = sorted({pair.split("=", 1)[0] for url in SIGNED.values() for pair in url.partition("?")[2].split("&")})
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.datetimes().map(lambda at: at.strftime("%Y%m%dT%H%M%SZ")),
    st.datetimes().map(lambda at: at.isoformat()),
    st.dates().map(str),
    st.sampled_from(["OSS2", "OSS4-HMAC-SHA256", "1;2", "%", "%ff", "+", "٣٤"]),
)


@given(st.text())
@example("http://[::1")
@example("\ud800?%\ud800=\udfff&sig=%ed%a0%80&se=\ud800")
def test_reading_any_string_never_raises(url: str) -> None:
    """A URL is somebody else's text."""
    assert signed_expiry(url) is None or "?" in url


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=12))
def test_reading_any_query_of_known_keys_gives_utc_or_none(pairs: list[tuple[str, str]]) -> None:
    """Whatever the values are, the answer is an aware UTC time or `None`."""
    at = signed_expiry("https://h/a?" + "&".join(f"{key}={value}" for key, value in pairs))
    assert at is None or at.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1970, 1, 1)), st.integers(0, 604_800))
def test_start_and_seconds_add_up(start: datetime, seconds: int) -> None:
    """The relative schemes end `seconds` after their start, or past the calendar's end not at all."""
    start = start.replace(microsecond=0, tzinfo=UTC)
    stamp = f"{start:%Y%m%dT%H%M%SZ}"
    at = signed_expiry(f"https://h/a?X-Goog-Date={stamp}&X-Goog-Expires={seconds}&X-Goog-Signature=x")
    try:
        expected = start + timedelta(seconds=seconds)
    except OverflowError:
        expected = None
    assert at == expected


CREATED = datetime(2024, 8, 24, 19, 20, 1, tzinfo=UTC)


def test_a_signature_wins_over_the_published_hour() -> None:
    """What the URL itself says is better than what is known of the host."""
    got = expiry_of(AZURE, created=CREATED - timedelta(days=1), model="dall-e-2", openai_like=True)
    assert got == Expiry(AT, "signature")


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3"])
def test_dalle_images_live_an_hour(model: str) -> None:
    """Without a signature a DALL·E image on an OpenAI-like host dies 3600 s after `created`, in UTC."""
    created = CREATED.astimezone(timezone(timedelta(hours=5)))
    got = expiry_of("https://h/a.png", created=created, model=model, openai_like=True)
    assert got == Expiry(AT, "created")
    assert got.at is not None and got.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("url", "created", "model", "openai_like"),
    [
        (None, CREATED, "dall-e-2", True),
        ("data:image/png;base64,AAAA", CREATED, "dall-e-2", True),
        ("https://h/a.png", None, "dall-e-2", True),
        ("https://h/a.png", CREATED, "dall-e-2", False),
        ("https://h/a.png", CREATED, "gpt-image-1", True),
        ("https://h/a.png", CREATED, None, True),
        ("https://h/a.png", datetime.max.replace(tzinfo=UTC), "dall-e-2", True),
    ],
)
def test_otherwise_the_expiry_is_unknown(
    url: str | None, created: datetime | None, model: str | None, openai_like: bool
) -> None:
    """No guess is presented as fact."""
    assert expiry_of(url, created=created, model=model, openai_like=openai_like) == Expiry(None, None)


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


def azure(detail: str, code: str = "AuthenticationFailed") -> str:
    """An error document of Azure's blob store."""
    return (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>Server failed to '
        "authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.\nRequestId:0\nTime:2024-08-24T21:00:00.0Z</Message>"
        f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    )


FRAME = "Signature not valid in the specified time frame: "
DEAD = (
    FRAME + "Start [Sat, 24 Aug 2024 18:20:01 GMT] - Expiry [Sat, 24 Aug 2024 20:20:01 GMT] - "
    "Current [Sat, 24 Aug 2024 21:00:00 GMT]"
)
EARLY = (
    FRAME + "Start [Sat, 24 Aug 2024 18:20:01 GMT] - Expiry [Sat, 24 Aug 2024 20:20:01 GMT] - "
    "Current [Sat, 24 Aug 2024 18:00:00 GMT]"
)
AWS = (
    "<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
    "<X-Amz-Expires>3600</X-Amz-Expires><Expires>2024-08-24T20:20:01Z</Expires><ServerTime>2024-08-24T21:00:00Z</ServerTime></Error>"
)
ALIYUN = (
    "<Error>\n  <Code>AccessDenied</Code>\n  <Message>Request has expired.</Message>\n"
    "  <Expires>2024-08-24T20:20:01.000Z</Expires>\n"
    "  <ServerTime>2024-08-24T21:00:00.000Z</ServerTime>\n</Error>"
)
GOOGLE = (
    "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>"
    "<Message>Invalid argument.</Message>"
    "<Details>Request signature expired at: 2024-08-24T20:20:01+00:00</Details></Error>"
)
GOOGLE_V2 = (
    "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>"
    f"<Details>Request has expired: {UNIX}</Details></Error>"
)
MISMATCH = (
    "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match "
    "the signature you provided.</Message></Error>"
)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (403, azure(DEAD), StoreVerdict("expired", AT)),
        (403, azure(FRAME.rstrip(": ")), StoreVerdict("expired")),
        (403, azure(EARLY), StoreVerdict("unknown")),
        (403, azure("Signature did not match. String to sign used was r ..."), StoreVerdict("altered")),
        (403, azure("Signature fields not well formed."), StoreVerdict("altered")),
        (403, azure("Something new"), StoreVerdict("rejected")),
        (404, azure("", "BlobNotFound"), StoreVerdict("missing")),
        (404, azure("", "ResourceNotFound"), StoreVerdict("missing")),
        (403, AWS, StoreVerdict("expired", AT)),
        (403, ALIYUN, StoreVerdict("expired", AT)),
        (400, GOOGLE, StoreVerdict("expired", AT)),
        (400, GOOGLE_V2, StoreVerdict("expired", AT)),
        (403, '{"Code": "AccessDenied", "Message": "Request has expired"}', StoreVerdict("expired")),
        (403, "<Error><Code>ExpiredToken</Code></Error>", StoreVerdict("expired")),
        (403, AWS.replace("2024", "soon"), StoreVerdict("expired")),
        (403, MISMATCH, StoreVerdict("altered")),
        (404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>", StoreVerdict("missing")),
        (
            403,
            "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
            StoreVerdict("unknown"),
        ),
        (403, "<html><h1>Your session token has expired</h1></html>", StoreVerdict("unknown")),
        (404, "not found", StoreVerdict("unknown")),
        (403, "", StoreVerdict("unknown")),
        (500, AWS, StoreVerdict("unknown")),
        (200, AWS, StoreVerdict("unknown")),
        (403, " " * 20_000 + AWS, StoreVerdict("unknown")),
    ],
)
def test_a_store_says_why_it_refused(status: int, body: str, verdict: StoreVerdict) -> None:
    """Expired, altered and missing are the store's own words; anything else is unknown."""
    assert store_verdict(status, body) == verdict


PIECES = st.sampled_from(
    [
        "<Code>",
        "</Code>",
        "AccessDenied",
        '"Code":"',
        '"',
        FRAME,
        "Start [",
        "] - Expiry [",
        "] - Current [",
        "expired: ",
        "<Expires>",
        "expired at: 99999999999999999999",
        "Request has expired",
        "<!ENTITY a '&a;'>",
        "9999",
        " " * 50,
    ]
)


@given(st.sampled_from([400, 403, 404]), st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
@example(403, "<Code>" * 100_000)
@example(403, '"Code"' + " " * 100_000)
@example(403, "<Code>x<" + "<Expires>" * 100_000)
def test_reading_any_refusal_never_raises(status: int, body: str) -> None:
    """An error document is somebody else's text, and is read as text: there is no parser to bomb."""
    verdict = store_verdict(status, body)
    assert verdict.at is None or (verdict.kind == "expired" and verdict.at.tzinfo is UTC)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(0, 28), st.characters())
def test_the_quick_way_to_a_usual_date_reads_what_the_long_way_reads(
    at: datetime, place: int, char: str
) -> None:
    """A date as every answer bears it, and one with a character changed, mean what `email.utils` says."""
    usual = format_datetime(at.replace(microsecond=0, tzinfo=UTC), usegmt=True).rjust(29, "0")
    changed = usual[:place] + char + usual[place + 1 :]
    for value in (usual, changed):
        try:
            long_way = parsedate_to_datetime(value)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue  # strange, and none of the quick way's business
        quick = _usual_http_date(value)
        assert quick is None or quick == long_way
    if at.year >= 1000:
        assert _usual_http_date(usual) == at.replace(microsecond=0, tzinfo=UTC)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(0, 19), st.characters())
def test_a_usual_expiry_is_read_as_its_pattern_reads_it(at: datetime, place: int, char: str) -> None:
    """What the quick look takes for an ISO time is one for the pattern, too."""
    usual = f"{at.year:04}-{at:%m-%dT%H:%M:%S}Z"
    assert _is_usual_iso(usual)
    changed = usual[:place] + char + usual[place + 1 :]
    assert not _is_usual_iso(changed) or re.fullmatch(_ISO, changed)
    assert iso_time(usual) == at.replace(microsecond=0, tzinfo=UTC)
