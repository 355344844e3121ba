"""The image store: signed URLs that expire, ranges, conditions, and keys that must not come here."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import httpx
import pytest


def fault_of(response: httpx.Response) -> dict[str, str]:
    """The XML error as a mapping of its elements."""
    assert response.headers["content-type"] == "application/xml"
    root = ElementTree.fromstring(response.content)
    assert root.tag == "Error"
    return {child.tag: child.text or "" for child in root}


def test_a_url_has_the_azure_form(api):
    """Host, path, query keys and their escapes are those of the real URLs."""
    body = api.generate().json()
    url = body["data"][0]["url"]
    parts = urlsplit(url)
    assert parts.netloc == "oaidalleapiprodscus.blob.core.windows.net"
    assert re.fullmatch(r"/private/org-\w+/user-\w+/img-\w{24}\.png", parts.path)
    query = parse_qs(parts.query)
    order = "st se sp sv sr rscd rsct skoid sktid skt ske sks skv sig"
    assert [pair.partition("=")[0] for pair in parts.query.split("&")] == order.split()
    assert "rsct=image/png" in url
    assert "%3A" in url
    assert url.endswith("%3D")
    start, expiry = (datetime.fromisoformat(query[name][0]).timestamp() for name in ("st", "se"))
    assert (start, expiry) == (body["created"] - 3600, body["created"] + 3600)


def test_an_image_comes_with_the_stores_headers(api):
    """Type, length, checksum and tag describe the bytes."""
    response = api.download(api.image_url())
    data = response.content
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == "inline"
    assert response.headers["content-length"] == str(len(data))
    assert response.headers["accept-ranges"] == "bytes"
    assert base64.b64decode(response.headers["content-md5"]) == hashlib.md5(data).digest()
    assert response.headers["etag"].startswith('"0x8D')


def test_head_tells_the_length_and_sends_nothing(api):
    """HEAD has the headers of GET and no body."""
    url = api.image_url()
    length = api.download(url).headers["content-length"]
    with api.emulator.client() as bare:
        head = bare.head(url)
        refused = bare.put(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", length)
    assert refused.status_code == 405


def test_a_url_expires_by_the_emulators_clock(api):
    """After an hour the store answers 403 and names the times; it is a matter of the clock alone."""
    url = api.image_url()
    api.emulator.clock.advance(3590)
    assert api.download(url).status_code == 200
    api.emulator.clock.advance(11)
    late = api.download(url)
    fault = fault_of(late)
    assert (late.status_code, fault["Code"]) == (403, "AuthenticationFailed")
    times = r"time frame: Start \[(.+ GMT)\] - Expiry \[(.+ GMT)\] - Current \[(.+ GMT)\]"
    assert re.search(times, fault["AuthenticationErrorDetail"])
    api.emulator.clock.advance(-3601)
    assert api.download(url).status_code == 200
    api.emulator.clock.advance(-3700)
    assert api.download(url).status_code == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [("sp=r", "sp=w"), ("se=20", "se=21"), ("sig=", "sig=x"), ("img-", "img-0"), ("%3D", "%253D")],
)
def test_an_altered_url_is_denied(api, old, new):
    """Whatever is changed in a signed URL, the signature no longer fits."""
    altered = api.image_url()
    before, _, after = altered.rpartition(old)
    response = api.download(before + new + after)
    assert response.status_code == 403
    assert fault_of(response)["AuthenticationErrorDetail"].startswith("Signature did not match")


def test_a_url_without_signature_and_a_deleted_image_are_not_found(api):
    """404 has two reasons, told apart by the code."""
    url = api.image_url()
    assert fault_of(api.download(url.partition("?")[0]))["Code"] == "ResourceNotFound"
    api.emulator.delete_images()
    response = api.download(url)
    assert (response.status_code, fault_of(response)["Code"]) == (404, "BlobNotFound")


def test_a_key_sent_to_the_store_is_refused_and_remembered(api):
    """The API key must never travel to the image host."""
    url = api.image_url()
    for header in ("Authorization", "api-key"):
        response = api.download(url, **{header: "Bearer sk-test"})
        assert (response.status_code, fault_of(response)["Code"]) == (403, "AuthenticationFailed")
    assert [leak.method for leak in api.emulator.leaks] == ["GET", "GET"]


def test_ranges_are_served(api):
    """A broken download can go on where it stopped."""
    url = api.image_url()
    whole = api.download(url)
    data = whole.content
    part = api.download(url, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(data)}"
    assert part.headers["x-ms-blob-content-md5"] == whole.headers["content-md5"]
    rest = api.download(url, Range="bytes=100-", **{"If-Match": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, data[100:])
    assert api.download(url, Range="bytes=0-4", **{"x-ms-range": "bytes=1-2"}).content == data[1:3]
    assert api.download(url, Range="bytes=5-99999999").content == data[5:]
    assert api.download(url, Range="bytes=-5").status_code == 200
    beyond = api.download(url, Range=f"bytes={len(data)}-")
    assert (beyond.status_code, fault_of(beyond)["Code"]) == (416, "InvalidRange")
    assert beyond.headers["content-range"] == f"bytes */{len(data)}"
    assert api.download(url, Range="bytes=9-3").status_code == 416


def test_a_changed_tag_is_a_failed_condition(api):
    """`If-Match` with another tag answers 412; with `*` the image."""
    url = api.image_url()
    assert api.download(url, **{"If-Match": '"other"'}).status_code == 412
    assert api.download(url, **{"If-Match": "*"}).status_code == 200
