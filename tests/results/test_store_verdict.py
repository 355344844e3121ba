"""What a blob store means by refusing a URL."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._results._store_verdict import StoreVerdict, store_verdict

AT = datetime(2024, 8, 24, 20, 20, 1, tzinfo=UTC)
UNIX = int(AT.timestamp())


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
