"""When URLs die."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._image._expiry import Expiry, expiry_of, signed_expiry

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
