"""The rate limit that an answer's headers tell, as a typed value."""

from __future__ import annotations

import pickle

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._wire._rate_limit import RateLimit, read_rate_limit, seconds_of

HEADERS = {
    "x-ratelimit-limit-images": "50",
    "x-ratelimit-remaining-images": "49",
    "x-ratelimit-reset-images": "1s",
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "6m0s",
}
TOLD = RateLimit(50, 49, 1.0, 500, 0, 360.0)


def test_an_answer_tells_what_is_left() -> None:
    """Images and requests, each with limit, remaining and reset."""
    assert read_rate_limit(HEADERS) == TOLD
    assert pickle.loads(pickle.dumps(TOLD)) == TOLD
    assert RateLimit.__module__ == "dalle2"


@pytest.mark.parametrize("value", ["-1", "", "x", "1.5", "9" * 30, "١"])
def test_what_is_no_count_is_none(value: str) -> None:
    """Azure writes -1 for what it does not know."""
    assert read_rate_limit(dict.fromkeys(HEADERS, value))[:2] == (None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("1d", 86_400.0),
        ("1s500ms", 1.5),
        ("20", 20.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("", None),
        ("s", None),
        ("1 s", None),
        ("soon", None),
    ],
)
def test_a_reset_is_a_duration_or_seconds(text: str, seconds: float | None) -> None:
    """Both travel, whatever is documented."""
    assert seconds_of(text) == (pytest.approx(seconds) if seconds is not None else None)


@given(st.text(max_size=30))
def test_no_header_is_too_odd(text: str) -> None:
    """Nothing raises."""
    read_rate_limit(dict.fromkeys(HEADERS, text))


def test_images_tell_headers_and_rate_limit() -> None:
    """Lower-case names, no cookie, no key."""
    with respx.mock as router:
        router.post("https://api.example.com/v1/images/generations").respond(
            headers={**HEADERS, "Set-Cookie": "a=b", "X-Echo": "sk-test-0123456789"},
            json={"data": [{"url": "https://images.example.com/a.png"}]},
        )
        with dalle2.Client(
            "sk-test-0123456789", base_url="https://api.example.com/v1", http_client=httpx.Client()
        ) as client:
            images = client.generate("a corgi")
    assert images.rate_limit == TOLD
    assert images.headers["x-ratelimit-limit-images"] == "50"
    assert "set-cookie" not in images.headers
    assert images.headers["x-echo"] == "***"
