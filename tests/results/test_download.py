"""Fetching images: what is asked, what is accepted, what is kept, and where the key never goes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import pickle
import threading
import traceback
import warnings
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import httpx
import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dalle2
from dalle2 import DownloadError, ImageExpiredError
from dalle2._http import Failure, Timeouts
from dalle2._image._data import ImageData
from dalle2._image._expiry import Expiry
from dalle2._results._awaited import AsyncFetcher, held
from dalle2._results._blocking import Fetcher
from dalle2._results._download import Download, Setback
from dalle2._results._one import checked_type
from dalle2._results._origins import LARGEST_IMAGE, LONGEST, Fetching, Origins
from dalle2._results._refusal import expired_error
from dalle2._secrets import Secret
from dalle2._state import ClientState
from dalle2.retry import RetryPolicy
from dalle2.testing import Emulator

from ..faults.drive import FLAVOURS
from ..faults.server import ETAG, IMAGE, Act, Connection, FaultServer, good

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "https://images.example.com/private/img.png"
QUICK = RetryPolicy(initial=0.0)
KEYWORDS = Fetching.__init__.__kwdefaults__
every_client = pytest.mark.parametrize("flavour", FLAVOURS)


def image_at(url: str = URL, *, expires: datetime | None = None, source: Any = "signature") -> ImageData:
    """An image known by its URL."""
    return ImageData(created=NOW, url=url, expiry=Expiry(expires, None if expires is None else source))


class Clock:
    """The seconds of a download, which begins at 0."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def shared(self) -> ClientState:
        """What a client's calls share, by this clock."""
        return ClientState(monotonic=lambda: self.seconds, now=lambda: NOW)


def download(image: ImageData | None = None, *, clock: Clock | None = None, **how: Any) -> Download:
    """A download that began at second 0."""
    given = {
        "shared": (clock or Clock()).shared(),
        "policy": QUICK,
        "origins": Origins.of("https://api.openai.com/v1"),
    }
    return Download(image or image_at(), Fetching(**given | how))


def finished(one: Download) -> Setback | None:
    """How an attempt ends that came to its last byte."""
    try:
        one.finish()
    except Setback as setback:
        return setback
    return None


def refused(one: Download, status: int, headers: Mapping[str, str] | None = None, body: str = "") -> Any:
    """What a refusal means: a `Setback` or a `DownloadError`."""
    with pytest.raises((Setback, DownloadError)) as caught:
        assert not one.begin(status, headers or {})
        assert one.feed(body.encode()) == b""
        one.finish()
    return caught.value


def moved(one: Download, status: int, target: str) -> None:
    """A redirect that is followed."""
    with pytest.raises(Setback) as caught:
        one.begin(status, {"location": target})
    assert (caught.value.reason, one.after(caught.value)) == ("redirect", 0.0)


def header(one: Download, name: str) -> str | None:
    """A header of the next request."""
    found = [value for key, value in one.request().headers if key.lower() == name.lower()]
    assert len(found) <= 1
    return next((value if isinstance(value, str) else value.reveal() for value in found), None)


def answer(body: bytes = IMAGE, **headers: str) -> dict[str, str]:
    """The headers of a whole answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"content-length": str(len(body)), "etag": ETAG, **named}


def header_of_range(start: int) -> dict[str, str]:
    """The headers of an answer that goes on from `start`."""
    return {"content-range": f"bytes {start}-{len(IMAGE) - 1}/{len(IMAGE)}", "etag": ETAG}


# --- decisions, without I/O ---


def test_the_request_is_bare() -> None:
    """An image is asked for without credentials, cookies, referrer or compression."""
    names = {name for name, _ in download().request().headers}
    assert names == {"Accept", "Accept-Encoding", "User-Agent"}
    assert header(download(), "accept-encoding") == "identity"


def test_a_broken_download_goes_on_where_it_broke_off() -> None:
    """With an entity tag, the rest is asked for by `Range`, and only of the very same object."""
    one = download()
    assert one.begin(200, answer())
    one.feed(IMAGE[:1000])
    assert one.after(Setback("truncated", "reset")) == 0.0
    assert header(one, "range") == "bytes=1000-"
    assert header(one, "if-match") == ETAG
    assert not one.begin(206, header_of_range(1000))
    one.feed(IMAGE[1000:])
    assert finished(one) is None
    assert one.fetched() == "image/png"
    assert one.size == len(IMAGE)


@pytest.mark.parametrize(
    "headers",
    [
        answer(etag=""),
        answer(etag='W/"weak"'),
        answer(accept_ranges="none"),
        answer(content_encoding="gzip"),
        {},
    ],
    ids=["no tag", "weak tag", "no ranges", "encoded", "nothing"],
)
def test_without_a_strong_tag_it_starts_again(headers: dict[str, str]) -> None:
    """What cannot be continued safely is fetched from the start."""
    one = download()
    one.begin(200, headers)
    one.feed(IMAGE[:1000])
    one.after(Setback("truncated", "reset"))
    assert one.size == 0
    assert header(one, "range") is None


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {"content-range": "bytes 5-9/10", "etag": ETAG}),
        (206, {"etag": ETAG}),
        (206, {"content-range": f"bytes 1000-{len(IMAGE) - 1}/{len(IMAGE)}"}),
        (206, header_of_range(1000) | {"etag": '"another"'}),
        (206, header_of_range(1000) | {"content-length": "5"}),
        (206, header_of_range(1000) | {"content-range": f"bytes 1000-{len(IMAGE)}/{len(IMAGE) + 1}"}),
        (206, header_of_range(1000) | {"content-range": f"bytes 1000-1999/{len(IMAGE)}"}),
        (206, header_of_range(1000) | {"content-range": f"bytes 1000-{len(IMAGE) - 1}/*"}),
        (206, header_of_range(1000) | {"content-encoding": "gzip"}),
        (412, {}),
        (416, {"content-range": f"bytes */{len(IMAGE)}"}),
    ],
)
def test_a_continuation_that_is_not_one_starts_again(status: int, headers: dict[str, str]) -> None:
    """Other places, another object or a range past the end: the next attempt asks for the whole."""
    one = download()
    one.begin(200, answer())
    one.feed(IMAGE[:1000])
    one.after(Setback("truncated", "reset"))
    setback = refused(one, status, headers)
    assert setback.reason == "truncated"
    one.after(setback)
    assert header(one, "range") is None
    assert one.begin(200, answer())
    one.feed(IMAGE)
    assert finished(one) is None


def test_an_unasked_part_is_no_image() -> None:
    """A 206 that nobody asked for is refused like any other status."""
    one = download()
    error = refused(one, 206, header_of_range(0))
    assert isinstance(error, DownloadError)
    assert "HTTP 206" in str(error)


def test_a_whole_answer_to_a_range_replaces_what_was_there() -> None:
    """A store that does not know `Range` sends everything, and everything is taken from the start."""
    one = download()
    one.begin(200, answer())
    one.feed(IMAGE[:1000])
    one.after(Setback("truncated", "reset"))
    assert one.begin(200, answer())
    assert one.size == 0


def test_a_checksum_is_checked() -> None:
    """`Content-MD5` of the store is compared; one that is none, or speaks of encoded bytes, is not."""
    digest = base64.b64encode(hashlib.md5(IMAGE, usedforsecurity=False).digest()).decode()
    wrong = base64.b64encode(b"0" * 16).decode()
    for value, fine in ((digest, True), (wrong, False), ("?", True), ("AAAA", True)):
        one = download()
        one.begin(200, answer(content_md5=value))
        one.feed(IMAGE)
        setback = finished(one)
        assert (setback is None) == fine
    assert setback is None or "Content-MD5" in setback.detail
    one = download()
    one.begin(200, answer(content_md5=wrong, content_encoding="deflate"))
    one.feed(IMAGE)
    assert finished(one) is None


@pytest.mark.parametrize(
    ("url", "headers", "found"),
    [
        (URL, answer(), False),
        ("http://127.0.0.1:9/a.png", answer(), False),
        (URL, {}, True),
        (URL, answer(content_encoding="gzip"), True),
        ("http://10.0.0.7/a.png", answer(), True),
    ],
    ids=["TLS", "this machine", "no length", "encoded", "plain http from afar"],
)
def test_a_changed_bit_is_looked_for_where_nothing_else_vouches(
    url: str, headers: dict[str, str], found: bool
) -> None:
    """TLS proves every bit, and a machine changes none; elsewhere PNG's own checksums are looked at."""
    changed = bytearray(IMAGE)
    changed[changed.index(b"IDAT") + 20] ^= 1
    one = download(image_at(url), origins=Origins.of("http://10.0.0.7/v1"))
    one.begin(200, headers)
    try:
        one.feed(bytes(changed))
    except DownloadError as error:
        assert (found, error.reason) == (True, "not_an_image")
    else:
        assert not found
        assert finished(one) is None


def test_bytes_that_an_answer_brought_are_checked_as_their_way_was() -> None:
    """An answer over TLS vouches for its images, a stored text does not; both must be whole to be saved."""
    changed = bytearray(IMAGE)
    changed[changed.index(b"IDAT") + 20] ^= 1
    sound = ImageData(created=NOW, content=bytes(changed), sound=True)
    assert checked_type(sound, bytes(changed)) == "image/png"
    with pytest.raises(DownloadError, match="checksum"):
        checked_type(ImageData.from_dict(sound.to_dict()), bytes(changed))
    with pytest.raises(DownloadError, match="without its end"):
        checked_type(sound, bytes(changed[:-20]))
    assert sound == sound._replace(sound=False)
    assert sound != sound._replace(model="m")
    assert sound != "an image"
    assert ImageData(created=NOW, url=URL).holding(IMAGE).sound


def test_as_many_bytes_as_announced() -> None:
    """Too few is a setback, too many an error; a length that is no number says nothing."""
    one = download()
    one.begin(200, answer() | {"content-length": str(len(IMAGE) + 1)})
    one.feed(IMAGE)
    setback = finished(one)
    assert setback is not None
    assert setback.reason == "truncated"
    one = download()
    one.begin(200, answer() | {"content-length": str(len(IMAGE) - 1)})
    one.feed(IMAGE)
    with pytest.raises(DownloadError, match="were announced") as caught:
        one.finish()
    assert caught.value.reason == "truncated"
    for nonsense in ("", "-1", "١٢", "9" * 20, "5, 5"):
        one = download()
        one.begin(200, {"content-length": nonsense})
        one.feed(IMAGE)
        assert finished(one) is None


def test_an_image_without_its_end_is_a_setback() -> None:
    """The store thinks that this was all, so the next attempt asks for everything."""
    one = download()
    one.begin(200, {"etag": ETAG})
    one.feed(IMAGE[:-20])
    setback = finished(one)
    assert setback is not None
    assert setback.reason == "truncated"
    one.after(setback)
    assert header(one, "range") is None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<!DOCTYPE html><html><body>" + b"login " * 200, "HTML"),
        (b'<?xml version="1.0"?><Error><Code>X</Code></Error>' + b" " * 600, "XML"),
        (b'{"error": "' + b"x" * 600 + b'"}', "JSON"),
        (b"no image " * 100, "text"),
        (b"", "empty"),
        (b'{"error": 1}', "JSON"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(body: bytes, what: str) -> None:
    """Pages and documents under a 200 are refused, large ones as soon as they begin."""
    one = download()
    one.begin(200, answer(body))
    with pytest.raises(DownloadError, match=what) as caught:
        one.feed(body)
        one.finish()
    assert caught.value.reason == "not_an_image"


def test_the_size_is_capped() -> None:
    """An announced size is refused at once, an unannounced one when it is passed."""
    one = download()
    with pytest.raises(DownloadError, match="larger than") as caught:
        one.begin(200, {"content-length": str(LARGEST_IMAGE + 1)})
    assert caught.value.reason == "too_large"
    one = download(largest=1000)
    one.begin(200, {})
    with pytest.raises(DownloadError) as caught:
        one.feed(IMAGE)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 300])
def test_only_single_tame_encodings_are_taken(encoding: str) -> None:
    """An image was asked for bare; what could swell without bound in memory is refused unread."""
    with pytest.raises(DownloadError, match="encoded") as caught:
        download().begin(200, {"content-encoding": encoding})
    assert caught.value.reason == "not_an_image"


def test_the_total_time_is_bounded() -> None:
    """Attempts and waits end at the deadline: the policy's, else five minutes."""
    clock = Clock()
    one = download(clock=clock)
    one.begin(200, {})
    assert download(policy=RetryPolicy(deadline=7.0)).deadline == 7.0
    clock.seconds = LONGEST - 1
    assert one.limits(Timeouts(5.0, None, 0.5, 9.0))[:4] == (1.0, 1.0, 0.5, 1.0)
    with pytest.raises(DownloadError):
        one.after(Setback("timeout", "slow", wait=5.0))


def test_attempts_end() -> None:
    """As many attempts as the policy says, none after a forbidden address or a wait that is too long."""
    one = download()
    one.after(Setback("status", "503"))
    assert one.after(Setback("status", "503", wait=2.5)) == 2.5
    with pytest.raises(DownloadError, match="503") as caught:
        one.after(Setback("status", "503", status=503))
    assert caught.value.status_code == 503
    for setback in (Setback("forbidden", "x"), Setback("status", "x", wait=500.0)):
        with pytest.raises(DownloadError):
            download().after(setback)
    with pytest.raises(DownloadError):
        download(policy=RetryPolicy.none()).after(Setback("status", "x"))


@pytest.mark.parametrize(
    ("kind", "size", "reason"),
    [
        ("timeout", None, "timeout"),
        ("connect_timeout", None, "timeout"),
        ("refused_address", None, "forbidden"),
        ("connect", None, "unreachable"),
        ("disconnected", None, "unreachable"),
        ("disconnected", 0, "truncated"),
        ("disconnected", 9, "truncated"),
        ("unreadable", None, "not_an_image"),
        ("unreadable", 9, "truncated"),
        ("unreadable", 0, "not_an_image"),
    ],
)
def test_a_failed_exchange_has_a_reason(kind: Any, size: int | None, reason: str) -> None:
    """What the transport says becomes one of the reasons of `DownloadError`."""
    assert Setback.of(Failure(kind, True, "x"), size).reason == reason


def test_redirects_are_followed_three_times_and_checked() -> None:
    """Each target is checked like the first URL; the fourth redirect is refused."""
    one = download()
    for number in range(3):
        moved(one, 302, f"https://cdn{number}.example.com/x")
    assert one.host == "cdn2.example.com"
    with pytest.raises(DownloadError, match="more than 3"):
        moved(one, 307, "https://cdn.example.com/x")
    for target in (
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "https://u:p@a.com/",
        "file:///etc/passwd",
    ):
        with pytest.raises(DownloadError) as caught:
            download().begin(301, {"location": target})
        assert caught.value.reason == "forbidden"
    one = download()
    moved(one, 308, "../other.png")
    assert one.request().url == "https://images.example.com/other.png"
    assert "HTTP 302" in str(refused(download(), 302))


def test_a_redirect_begins_anew() -> None:
    """Nothing of one place is asked for at another."""
    one = download()
    one.begin(200, answer())
    one.feed(IMAGE[:1000])
    one.after(Setback("truncated", "reset"))
    moved(one, 302, "https://cdn.example.com/x")
    assert header(one, "range") is None
    assert header(one, "if-match") is None


def test_the_key_goes_to_the_own_origin_and_never_comes_back_from_another() -> None:
    """With `images_need_key`; a foreign host cannot send the client back to the API with its key."""
    key = ("Authorization", Secret("Bearer sk-secret"))
    origins = Origins.of("http://localai.lan:8080/v1")
    home = image_at("http://localai.lan:8080/generated-images/a.png")
    one = download(home, key=key, origins=origins)
    assert header(one, "authorization") == "Bearer sk-secret"
    moved(one, 302, "/moved.png")
    assert header(one, "authorization") == "Bearer sk-secret"
    moved(one, 302, "https://evil.example.com/")
    assert header(one, "authorization") is None
    moved(one, 302, "http://localai.lan:8080/v1/models")
    assert header(one, "authorization") is None
    assert header(download(image_at(), key=key, origins=origins), "authorization") is None
    assert header(download(home, origins=origins), "authorization") is None


def test_the_guard_knows_the_own_origin() -> None:
    """The API's own origin may resolve to any address, other hosts to public ones."""
    origins = Origins.of("https://gateway.corp/v1")
    own = download(image_at("https://gateway.corp/a.png"), origins=origins)
    assert own.refuse_address("10.0.0.1") is None
    assert download(origins=origins).refuse_address("10.0.0.1") is not None
    assert download(origins=origins).refuse_address("93.184.216.34") is None


AZURE = (
    "<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code>"
    "<AuthenticationErrorDetail>{}</AuthenticationErrorDetail></Error>"
)
WINDOW = (
    "Signature not valid in the specified time frame: Start [Mon, 01 Jun 2026 09:00:00 GMT] - "
    "Expiry [Mon, 01 Jun 2026 11:00:00 GMT] - Current [Mon, 01 Jun 2026 12:00:00 GMT]"
)


def refused_by_store(
    status: int, body: str, *, expires: datetime | None = None, source: Any = "signature"
) -> DownloadError:
    """The error for a refusal by the store, while the image seemed alive until just now."""
    times = iter([NOW - timedelta(days=1)])
    shared = ClientState(monotonic=lambda: 0.0, now=lambda: next(times, NOW))
    error = refused(download(image_at(expires=expires, source=source), shared=shared), status, {}, body)
    assert isinstance(error, DownloadError)
    assert error.status_code == status
    return error


def test_the_store_says_that_it_expired() -> None:
    """Azure's own words make it an `ImageExpiredError`, with the store's time."""
    error = refused_by_store(403, AZURE.format(WINDOW))
    assert isinstance(error, ImageExpiredError)
    assert error.expires_at == NOW - timedelta(hours=1)
    assert "1 hour ago" in str(error)


def test_a_passed_signature_makes_any_refusal_an_expiry() -> None:
    """A bare 403 or 404 is an expiry if the signed time is past, or less than 2 s away."""
    for status in (403, 404, 410):
        assert isinstance(refused_by_store(status, "", expires=NOW + timedelta(seconds=1)), ImageExpiredError)
    assert not isinstance(refused_by_store(403, "", expires=NOW + timedelta(seconds=3)), ImageExpiredError)
    assert not isinstance(refused_by_store(401, "", expires=NOW - timedelta(hours=1)), ImageExpiredError)
    documented = refused_by_store(403, "", expires=NOW - timedelta(hours=1), source="created")
    assert not isinstance(documented, ImageExpiredError)
    assert documented.reason == "status"


def test_an_altered_url_is_told_apart() -> None:
    """A signature that does not match is not an expiry, even when the time is past too."""
    body = AZURE.format("Signature did not match. String to sign used was r")
    error = refused_by_store(403, body, expires=NOW - timedelta(hours=1))
    assert error.reason == "forged"
    assert "byte for byte" in str(error)


def test_a_missing_object_is_a_plain_refusal() -> None:
    """404 `BlobNotFound` on a URL that is still good says nothing of expiry."""
    body = "<Error><Code>BlobNotFound</Code></Error>"
    error = refused_by_store(404, body, expires=NOW + timedelta(hours=1))
    assert error.reason == "status"
    assert "an HTML or XML page" in str(error)
    assert "key missing" in str(refused_by_store(403, "key missing"))


def test_a_url_that_became_https_is_still_the_image_of_its_host() -> None:
    """A proxy that ends TLS hands out http URLs of its own name: asked over https, they are the API's origin,
    get its key, and their own expiry is what a refusal is judged by.
    """
    image = image_at("http://localai.lan/a.png", expires=NOW + timedelta(seconds=1))
    key = ("Authorization", Secret("Bearer sk-1"))
    one = download(image, key=key, origins=Origins.of("https://localai.lan/v1"))
    asked = one.request()
    assert asked.url == "https://localai.lan/a.png"
    assert key in asked.headers
    assert isinstance(refused(one, 403), ImageExpiredError)
    assert key not in download(image_at("http://other.lan/a.png"), key=key).request().headers


def test_a_refusal_that_repeats_the_key_is_redacted() -> None:
    """A host that wants the key with its images may quote it."""
    key = ("Authorization", Secret("Bearer local-key-123456"))
    one = download(image_at("http://localai.lan/a.png"), key=key, origins=Origins.of("http://localai.lan/v1"))
    error = refused(one, 401, {}, "wrong key local-key-123456, sorry")
    assert "local-key" not in str(error)
    assert "sorry" in str(error)


def test_after_a_redirect_the_signature_of_the_first_url_says_nothing() -> None:
    """The refusal is that of another URL."""
    one = download(image_at(expires=NOW + timedelta(seconds=1)))
    moved(one, 302, "https://cdn.example.com/x")
    assert refused(one, 403).reason == "status"


def test_an_expiry_is_told_by_the_clock_that_knows_it() -> None:
    """ "Ago" is left out when our clock does not say that the time is past."""
    for passed, words in (
        (timedelta(days=3), ", 3 days ago;"),
        (timedelta(hours=1), ", 1 hour ago;"),
        (timedelta(minutes=2), ", 2 minutes ago;"),
        (timedelta(seconds=1), ", 1 second ago;"),
        (timedelta(0), " UTC;"),
        (timedelta(seconds=-90), " UTC;"),
    ):
        assert words in str(expired_error(image_at(), NOW, NOW - passed, None))
    assert "expired; it" in str(expired_error(image_at(), NOW, None, 403))


def test_an_expired_url_is_refused_without_a_request() -> None:
    """At the very second of the expiry it is past; before, and without one, it is not."""
    download(image_at())
    download(image_at(expires=NOW + timedelta(seconds=1)))
    with pytest.raises(ImageExpiredError) as caught:
        download(image_at(expires=NOW))
    assert caught.value.expires_at == NOW


@pytest.mark.parametrize("hours", [-24, -5, -2, 2, 5, 24, 20_000])
def test_a_clock_that_is_far_off_refuses_no_living_image(hours: int) -> None:
    """Ours or the host's: one of them is wrong, and one free request decides. Past by both is past."""
    clock = Clock()
    how = clock.shared()
    how.clock.observe(format_datetime(NOW + timedelta(hours=hours), usegmt=True), NOW)
    alive = image_at(expires=max(NOW, NOW + timedelta(hours=hours)) - timedelta(minutes=30))
    download(alive, shared=how)
    assert not dalle2.ImageResult(alive, Fetcher(None, Fetching(shared=how))).is_expired
    with pytest.raises(ImageExpiredError):
        download(image_at(expires=min(NOW, NOW + timedelta(hours=hours))), shared=how)


def test_a_signature_is_judged_by_the_clock_of_its_store() -> None:
    """A bare 403 is an expiry if the store's own `Date` says that the time is past."""
    image = image_at(expires=NOW + timedelta(minutes=30))
    for minutes, kind in ((31, ImageExpiredError), (0, DownloadError), (-600, DownloadError)):
        date = format_datetime(NOW + timedelta(minutes=minutes), usegmt=True)
        assert type(refused(download(image), 403, {"date": date})) is kind


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_a_refusal_that_can_pass_is_a_setback(status: int) -> None:
    """As long as the host asks for, if it does."""
    for headers, wait in (({"retry-after": "3"}, 3.0), ({}, None), ({"retry-after": "soon"}, None)):
        setback = refused(download(), status, headers)
        assert isinstance(setback, Setback)
        assert (setback.reason, setback.status, setback.wait) == ("status", status, wait)


@pytest.mark.parametrize(
    "host", ["a..b", ".com", "a" * 64 + ".com", "a." * 130 + "com", "\u00fc" * 70 + ".de"]
)
def test_a_host_name_that_nothing_can_look_up_is_forbidden(host: str) -> None:
    """Resolvers raise errors of their own for it; nothing is asked."""
    for work in (
        lambda: download(image_at(f"https://{host}/a.png")),
        lambda: moved(download(), 302, f"//{host}/"),
    ):
        with pytest.raises(DownloadError) as caught:
            work()
        assert caught.value.reason == "forbidden"


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["http", "https", "x"]), st.text(max_size=20)))
@example("http://[::1")
@example("//[")
@example("https://a]/")
@example("\udc80")
def test_a_redirect_that_cannot_be_read_is_forbidden(location: str) -> None:
    """Whatever a host writes there: it is followed, or a `DownloadError`."""
    one = download()
    with pytest.raises((Setback, DownloadError)) as caught:
        one.begin(302, {"location": location or "/"})
    assert caught.value.reason in ("redirect", "forbidden")


def test_a_refusal_is_kept_in_bounds() -> None:
    """However large its pieces are, of its body 16 KiB are looked at."""
    one = download()
    one.begin(403, {})
    with pytest.raises(DownloadError) as caught:
        one.feed(b"<" + b"x" * 5_000_000)
    assert one._refusal is not None
    assert len(one._refusal.body) < 20_000
    assert len(str(caught.value)) < 400


def test_nothing_shows_a_signature() -> None:
    """The query of a signed URL is in no message."""
    one = download(image_at("https://images.example.com/img.png?sig=TOPSECRET%2B%3D"))
    error = refused(one, 403)
    assert "TOPSECRET" not in str(error)
    assert error.url == "https://images.example.com/img.png?sig=TOPSECRET%2B%3D"


# --- over the wire ---


def read(
    flavour: str,
    url: str,
    *,
    client: Mapping[str, Any] | None = None,
    library: Any = None,
    defaults: Mapping[str, Any] | None = None,
) -> bytes:
    """Fetch one image with a client of this kind; with `library`, over a caller's client that has
    these defaults.
    """
    options = {"api_key": "sk-secret", "retry": QUICK, "timeout": 10.0} | dict(client or {})
    if flavour == "sync":
        with contextlib.ExitStack() as stack:
            if library is not None:
                options["http_client"] = stack.enter_context(library.Client(**(defaults or {})))
            return stack.enter_context(dalle2.Client(**options)).image(url).read()

    async def work() -> bytes:
        async with contextlib.AsyncExitStack() as stack:
            if library is not None:
                theirs = library.AsyncClient(**(defaults or {}))
                options["http_client"] = await stack.enter_async_context(theirs)
            one = await stack.enter_async_context(dalle2.AsyncClient(**options))
            return await one.image(url).read()

    return anyio.run(work, backend=flavour)


def cut(at: int) -> Act:
    """An image of which only the first bytes come."""

    def act(c: Connection) -> None:
        c.read()
        c.reply(headers={"Content-Type": "image/png", "ETag": ETAG}, upto=at)
        c.close()

    return act


@every_client
def test_a_broken_image_is_resumed_over_the_wire(flavour: str) -> None:
    """The second request asks for the rest, and the bytes are the image's."""
    with FaultServer([cut(20_000)]) as server:
        assert read(flavour, server.origin + "/a.png", client={"base_url": server.origin}) == IMAGE
        first, second = server.requests
    assert "range" not in first.headers
    assert int(second.headers["range"].removeprefix("bytes=").rstrip("-")) > 10_000
    assert second.headers["if-match"] == ETAG


@every_client
def test_an_image_that_changed_meanwhile_is_fetched_anew(flavour: str, tmp_path: Path) -> None:
    """412 on the rest: the file holds the new image alone."""

    def changed(c: Connection) -> None:
        c.read()
        c.reply(412, b"<Error><Code>ConditionNotMet</Code></Error>")

    with FaultServer([cut(20_000), changed]) as server:
        options = {"api_key": "sk-secret", "base_url": server.origin, "retry": QUICK}
        if flavour == "sync":
            with dalle2.Client(**options) as client:  # type: ignore[arg-type]
                path = client.image(server.origin + "/a.png").save(tmp_path / "a")
        else:

            async def work() -> Path:
                async with dalle2.AsyncClient(**options) as one:  # type: ignore[arg-type]
                    return await one.image(server.origin + "/a.png").save(tmp_path / "a")

            path = anyio.run(work, backend=flavour)
        assert path == tmp_path / "a.png"
        assert path.read_bytes() == IMAGE
        assert [path] == list(tmp_path.iterdir())
        assert "range" not in server.requests[-1].headers


NASTY = (
    "/private/img.png?sig=a%2Bb%2Fc%3D&x=1+2&y=/z==",
    "/private/a%2fb/../c//d/./e.png?sig=%2b%3d",
    "/a.png?sig=AbC+/=&rscd=inline&rsct=image/png&empty=&&",
    "/a%20b/%E4%BD%A0.png?q={x}|^`~!*'()[]<>\"\\",
    "/a.png?%",
    "/%zz.png",
    "?only=query",
    "",
)


@every_client
@pytest.mark.parametrize("rest", NASTY)
@pytest.mark.parametrize("own", [True, False], ids=["our client", "the caller's"])
def test_a_url_is_used_byte_for_byte(rest: str, flavour: str, own: bool) -> None:
    """The request line holds path and query exactly as the host wrote them."""
    with FaultServer() as server:
        url = server.origin + rest + "#fragment"
        settings = {"base_url": server.origin}
        assert read(flavour, url, client=settings, library=None if own else httpx2) == IMAGE
        assert server.requests[0].target == (rest if rest.startswith("/") else "/" + rest)


@every_client
def test_what_cannot_be_sent_as_it_is_is_encoded(flavour: str) -> None:
    """Letters outside ASCII go as UTF-8."""
    with FaultServer() as server:
        assert read(flavour, server.origin + "/é.png?q=ü", client={"base_url": server.origin}) == IMAGE
        assert server.requests[0].target == "/%C3%A9.png?q=%C3%BC"


@every_client
@pytest.mark.parametrize("own", [True, False], ids=["our client", "the caller's"])
def test_no_other_origin_gets_the_key_or_anything_of_a_client(flavour: str, own: bool) -> None:
    """Not the key, nor a caller's auth, cookies, default headers and parameters; not after a
    redirect either.
    """
    defaults: dict[str, Any] = {
        "auth": ("user", "password"),
        "cookies": {"session": "cookie-secret"},
        "headers": {"X-Own": "header-secret", "Referer": "https://app.example.com"},
        "params": {"token": "parameter-secret"},
    }
    with FaultServer() as images, FaultServer() as api:

        def move(c: Connection) -> None:
            c.read()
            c.reply(302, b"", headers={"Location": images.origin + "/moved.png"})

        api.then(move, forever=good)
        settings = {"base_url": api.origin, "headers": {"X-Mine": "mine-secret"}}
        library = None if own else httpx
        data = read(flavour, api.origin + "/a.png", client=settings, library=library, defaults=defaults)
        assert data == IMAGE
        seen = [*api.requests, *images.requests]
    assert [one.target for one in seen] == ["/a.png", "/moved.png"]
    for one in seen:
        assert "secret" not in repr(one)
        assert set(one.headers) == {"host", "accept", "accept-encoding", "user-agent"}


@every_client
def test_localai_gets_its_key_on_its_own_origin_only(flavour: str) -> None:
    """`images_need_key` sends the key with images of the API's origin; another port is another origin."""
    with FaultServer() as api, FaultServer() as images:
        settings = {"provider": dalle2.Provider.localai(api.origin + "/v1")}
        read(flavour, api.origin + "/generated-images/a.png", client=settings)
        read(flavour, images.origin + "/generated-images/a.png", client=settings)
        assert api.requests[0].headers["authorization"] == "Bearer sk-secret"
        assert "authorization" not in images.requests[0].headers


@every_client
def test_a_compressed_image_comes_out_whole(flavour: str) -> None:
    """A host that compresses unasked is understood; length and checksum of the packed bytes are not
    the image's.
    """

    def packed(c: Connection) -> None:
        c.read()
        c.reply(body=zlib.compress(IMAGE), headers={"Content-Encoding": "deflate", "ETag": ETAG})

    with FaultServer(then=packed) as server:
        assert read(flavour, server.origin + "/a.png", client={"base_url": server.origin}) == IMAGE


@every_client
@pytest.mark.parametrize("status", [200, 403])
def test_what_swells_is_unpacked_in_pieces(
    flavour: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 KB that become 20 MB: no piece is large, and it is over when the limit is passed."""
    body = gzip.compress(IMAGE + bytes(20_000_000))
    pieces: list[int] = []
    feed = Download.feed
    monkeypatch.setattr(Download, "feed", lambda one, chunk: pieces.append(len(chunk)) or feed(one, chunk))
    monkeypatch.setattr(Fetching.__init__, "__kwdefaults__", {**KEYWORDS, "largest": 2_000_000})

    def packed(c: Connection) -> None:
        c.read()
        c.reply(status, body, headers={"Content-Encoding": "gzip"})

    with FaultServer(then=packed) as server, pytest.raises(DownloadError) as caught:
        read(flavour, server.origin + "/a.png", client={"base_url": server.origin})
    assert caught.value.reason == ("too_large" if status == 200 else "status")
    assert max(pieces) <= 1_048_576
    assert sum(pieces) < 5_000_000


@every_client
def test_a_long_refusal_is_not_read_to_its_end(flavour: str) -> None:
    """Of an error page the first 16 KiB are enough."""

    def page(c: Connection) -> None:
        c.read()
        c.reply(403, b"<html>" + b"x" * 3_000_000)

    with FaultServer(then=page) as server, pytest.raises(DownloadError, match="HTTP 403"):
        read(flavour, server.origin + "/a.png", client={"base_url": server.origin})


@every_client
def test_a_refusal_that_drips_ends_too(flavour: str) -> None:
    """The total time counts for the body of an error as well."""

    def dripping(c: Connection) -> None:
        c.read()
        c.reply(403, b"<Error>" + b"x" * 1000, upto=5)
        c.drip(b"x" * 1000)

    policy = RetryPolicy(deadline=0.3)
    with FaultServer(then=dripping) as server, pytest.raises(DownloadError) as caught:
        read(flavour, server.origin + "/a.png", client={"base_url": server.origin, "retry": policy})
    assert caught.value.reason == "timeout"


@every_client
@pytest.mark.parametrize(
    "dripped",
    [b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500, b"HTTP/1.1 102 Processing\r\n\r\n" * 500],
    ids=["head", "interim answers"],
)
@pytest.mark.parametrize("own", [True, False], ids=["our client", "the caller's"])
def test_the_deadline_bounds_what_comes_before_a_body(flavour: str, dripped: bytes, own: bool) -> None:
    """A head that drips, and answers before the answer, end with the time of the whole download."""

    def dripping(c: Connection) -> None:
        c.read()
        c.drip(dripped)

    settings = {"retry": RetryPolicy(deadline=0.4)}
    with FaultServer(then=dripping) as server, pytest.raises(DownloadError) as caught:
        settings["base_url"] = server.origin  # type: ignore[assignment]
        read(flavour, server.origin + "/a.png", client=settings, library=None if own else httpx)
    assert caught.value.reason == "timeout"


@every_client
def test_the_clock_of_the_server_decides(flavour: str) -> None:
    """An hour passes on the emulator only: its `Date` corrects ours, and nothing is sent for a dead URL."""
    emulator = Emulator()
    with emulator.serve() as server:
        options = {"api_key": "sk-test", "base_url": server.base_url}
        if flavour == "sync":
            with dalle2.Client(**options) as client:
                image: Any = client.generate("a fox", size="256x256")[0]
                emulator.clock.advance(3700)
                assert not image.is_expired
                with pytest.raises(ImageExpiredError, match="expired at") as first:
                    image.read()
                client.list_models()
                assert image.is_expired
                with pytest.raises(ImageExpiredError) as second:
                    image.read()
        else:

            async def work() -> tuple[Any, Any, Any]:
                async with dalle2.AsyncClient(**options) as client:
                    image = (await client.generate("a fox", size="256x256"))[0]
                    emulator.clock.advance(3700)
                    with pytest.raises(ImageExpiredError) as first:
                        await image.read()
                    await client.list_models()
                    with pytest.raises(ImageExpiredError) as second:
                        await image.read()
                    return image, first, second

            image, first, second = anyio.run(work, backend=flavour)
        assert image.expires_in == 0.0
        assert "ago" not in str(first.value)  # our own clock does not say so
        assert (first.value.status_code, second.value.status_code) == (403, None)
        assert sum(one.path.startswith("/private/") for one in emulator.requests) == 1


@every_client
@pytest.mark.parametrize("more", [{}, {"Age": "86400"}], ids=["wrong clock", "out of a cache"])
@pytest.mark.parametrize("hours", [-30, 3, 30])
def test_a_far_off_date_costs_no_living_image(flavour: str, hours: int, more: dict[str, str]) -> None:
    """The host's `Date` is hours off, or that of a cached answer: the image is asked for, and comes."""
    now = datetime.now(UTC)
    date = format_datetime(now + timedelta(hours=hours), usegmt=True)

    def far_off(c: Connection) -> None:
        request = c.read()
        if request.method == "GET":
            c.reply(headers={"Content-Type": "image/png"})
            return
        url = f"{c.server.origin}/a.png?sig=x&se={now + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
        body = json.dumps({"created": int(now.timestamp()), "data": [{"url": url}]}).encode()
        c.reply(body=body, headers={"Date": date, **more})

    async def work() -> tuple[bool, bytes]:
        async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
            image = (await client.generate("a fox"))[0]
            return image.is_expired, await image.read()

    with FaultServer(then=far_off) as server:
        if flavour == "sync":
            with dalle2.Client("sk-secret", base_url=server.origin) as client:
                image = client.generate("a fox")[0]
                assert (image.is_expired, image.read()) == (False, IMAGE)
        else:
            assert anyio.run(work, backend=flavour) == (False, IMAGE)


def test_a_skew_under_two_seconds_is_none() -> None:
    """`Date` has whole seconds and travels: a small difference corrects nothing."""
    emulator = Emulator()
    emulator.clock.advance(1)
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        image = client.generate("a fox", size="256x256")[0]
        assert client._session.state.clock.offset == timedelta(0)
        assert image.read()[:4] == b"\x89PNG"


def seen_in(error: BaseException) -> str:
    """All that a crash reporter reads of an error: message, arguments, and the locals of our frames."""
    parts, todo, known = [], [error], set()
    while todo:
        one = todo.pop()
        known.add(id(one))
        parts += [str(one), repr(one), repr(one.args), *getattr(one, "__notes__", [])]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/dalle2/" in frame.f_code.co_filename:
                parts += [repr(value) for value in frame.f_locals.values() if not isinstance(value, bytes)]
        todo += [e for e in (one.__cause__, one.__context__) if e is not None and id(e) not in known]
    return "\n".join(parts)


def gone(c: Connection) -> None:
    """An object that is not there, its URL repeated in the refusal."""
    c.reply(404, f"<Error><Code>NoSuchKey</Code></Error> {c.read().target}".encode())


def quoted(c: Connection) -> None:
    """A refusal in plain words, with the URL."""
    c.reply(401, f"no: {c.read().target}".encode())


FAILURES: dict[str, tuple[Act, str]] = {
    "gone": (gone, "/a.png"),
    "quoted": (quoted, "/a.png"),
    "cut": (cut(1000), "/a.png"),
    "closed": (lambda c: c.close(), "/a.png"),
    "page": (lambda c: c.reply(body=b"<html>" * 200) if c.read() else None, "/a.png"),
    "too far": (lambda c: c.reply(302, headers={"Location": c.read().target}), "/a.png"),
    "expired": (good, "/a.png?se=2020-01-01T00:00:00Z"),
    "forbidden": (good, "http://images.example.com/a.png"),
}


@every_client
@pytest.mark.parametrize("failure", FAILURES)
def test_the_signature_of_a_url_is_a_secret(flavour: str, failure: str) -> None:
    """Not in the message, the arguments or the frames of an error: only in its attribute `url`."""
    act, path = FAILURES[failure]
    with FaultServer(then=act) as server:
        url = (path if "://" in path else server.origin + path) + ("&" if "?" in path else "?")
        url += "sig=TOP%2BSECRET"
        with pytest.raises(DownloadError) as caught:
            read(flavour, url, client={"base_url": server.origin})
    assert "SECRET" not in seen_in(caught.value).replace(repr(url), "")
    assert caught.value.url == url


# --- results ---


@every_client
def test_a_result_outlives_its_client_a_pickle_its_thread_and_its_loop(flavour: str) -> None:
    """After close, out of a pickle and a dictionary, in another thread or event loop: it fetches itself."""
    with FaultServer() as server:
        url = server.origin + "/a.png"
        if flavour == "sync":
            with dalle2.Client("sk-secret", base_url=server.origin) as client:
                image = client.image(url)
            assert image.read() == IMAGE
            packed = pickle.dumps(client.image(url))
            assert b"secret" not in packed
            assert pickle.loads(packed).read() == IMAGE
            again = dalle2.ImageResult.from_dict(client.image(url).to_dict())
            assert again.read() == IMAGE
            other = client.image(url)
            thread = threading.Thread(target=other.read)
            thread.start()
            thread.join()
            assert other.content == IMAGE
        else:

            async def first() -> dalle2.AsyncImageResult:
                async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
                    return client.image(url)

            result = anyio.run(first, backend=flavour)
            packed = pickle.dumps(result)
            assert b"secret" not in packed
            assert anyio.run(pickle.loads(packed).read, backend=flavour) == IMAGE
            data = result.to_dict()
            assert anyio.run(dalle2.AsyncImageResult.from_dict(data).read, backend=flavour) == IMAGE
            assert anyio.run(result.read, backend=flavour) == IMAGE
        assert all("authorization" not in one.headers for one in server.requests)


def test_a_result_from_a_dictionary_uses_the_client_it_is_given() -> None:
    """`from_dict(client=)` fetches over that client's connections."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        data = client.generate("a fox", size="256x256")[0].to_dict()
        assert dalle2.ImageResult.from_dict(data, client=client).read()[:4] == b"\x89PNG"
        asynchronous = dalle2.AsyncImageResult.from_dict(data)
        assert asynchronous.url == data["url"]
    assert "sk-test" not in repr(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "mapping"),
        ({}, "'created'"),
        ({"created": 1}, "'url' or 'b64_json'"),
        ({"created": 1, "url": "https://a.example/x", "api": 5}, "'api'"),
        ({"created": 1e300, "url": "https://a.example/x"}, "'created'"),
        ({"created": 1, "url": 5}, "'url' must be a text"),
        ({"created": 1, "url": "https://a.example/x", "expires_at": "soon"}, "'expires_at'"),
        (
            {"created": 1, "url": "https://a.example/x", "expires_at": "0001-01-01T00:00+23:00"},
            "'expires_at'",
        ),
        ({"created": 1, "b64_json": "?"}, "'b64_json'"),
    ],
)
def test_a_dictionary_that_is_none_of_ours_is_refused(data: Any, words: str) -> None:
    """`InvalidRequestError` says which key is wrong."""
    with pytest.raises(dalle2.InvalidRequestError, match=words):
        dalle2.ImageResult.from_dict(data)


def test_read_keeps_and_save_does_not(tmp_path: Path) -> None:
    """Held bytes are fetched once, never expire, and show in a short repr; saving streams."""
    with FaultServer() as server, dalle2.Client("sk-secret", base_url=server.origin) as client:
        image = client.image(server.origin + "/some/long/path/" + "x" * 100 + ".png?sig=TOPSECRET")
        before = repr(image)
        image.save(tmp_path / "a.png")
        assert image.content is None
        assert image.b64_json is None
        assert image.read() is image.read()
        assert len(server.requests) == 2
        assert image.b64_json == base64.b64encode(IMAGE).decode()
        assert image.save(tmp_path / "b.png").read_bytes() == IMAGE
        assert len(server.requests) == 2
        assert not image.is_expired
        for text in (before, repr(image)):
            assert len(text) < 200
            assert "TOPSECRET" not in text


def test_a_repr_says_what_is_known_and_asks_nobody() -> None:
    """Live, expired, held, or nothing known: no request is made for it."""
    with FaultServer() as server, dalle2.Client("sk-secret", base_url=server.origin) as client:
        moment = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
        live = client.image(f"{server.origin}/a.png?sig=x&se={moment}")
        dead = client.image(f"{server.origin}/a.png?sig=x&se=2020-01-01T00:00:00Z")
        unknown = client.image(f"{server.origin}/a.png")
        assert "expires_in=" in repr(live)
        assert "expired" in repr(dead)
        assert "expire" not in repr(unknown)
        assert (live.expiry_source, unknown.expiry_source, unknown.expires_in) == ("signature", None, None)
        assert dead.is_expired
        assert server.requests == []
        live.read()
        assert "bytes held" in repr(live)


def result_of(content: bytes | None, **more: Any) -> dalle2.ImageResult:
    """A result that holds these bytes."""
    return dalle2.ImageResult(ImageData(created=NOW, content=content, **more))


def test_a_stored_date_without_a_zone_is_utc() -> None:
    """Some stores of plain values drop it; the clock of this machine is no reason to lose an image."""
    result = result_of(None, url=URL, expiry=Expiry(NOW, "signature"))
    stored = result.to_dict()
    for text in ("2026-06-01T12:00:00", "2026-06-01T12:00:00Z", "2026-06-01T14:00:00+02:00"):
        assert dalle2.ImageResult.from_dict(stored | {"expires_at": text}) == result


def test_a_stored_result_of_yesterday_is_read() -> None:
    """The form of `to_dict` is promised: what was stored when it was first released comes back."""
    stored = json.loads(
        '{"created": 1780315200.0, "url": "https://images.example.com/private/img.png", "b64_json": null,'
        ' "revised_prompt": "a red fox", "prompt": "a fox", "model": "dall-e-2", "media_type": "image/png",'
        ' "expires_at": "2026-06-01T13:00:00+00:00", "expiry_source": "created", "extra": {"seed": 7},'
        ' "api": "https://api.openai.com:443"}'
    )
    result = dalle2.ImageResult.from_dict(stored)
    assert (result.url, result.created, result.expires_at) == (URL, NOW, NOW + timedelta(hours=1))
    assert (result.revised_prompt, result.model, result.expiry_source) == ("a red fox", "dall-e-2", "created")
    assert (result.media_type, result.extra) == ("image/png", {"seed": 7})
    again = dict(result.to_dict())
    assert again | {"api": None} == stored | {"api": None}


def test_results_compare_with_anything() -> None:
    """A foreign type may say that it is equal, as the standard library's `mock.ANY` does."""
    result = result_of(IMAGE)
    assert result == mock.ANY
    assert result == result_of(IMAGE)
    assert result != result_of(IMAGE, model="m")
    assert result != dalle2.AsyncImageResult(ImageData(created=NOW, content=IMAGE))
    assert result != "an image"
    assert result.__eq__("an image") is NotImplemented


def test_some_images_of_a_call_are_images_of_it() -> None:
    """A slice saves itself, and keeps what was said of the call: its request, usage and cost."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        images = client.generate("a fox", n=4, size="256x256")
    some = images[1:3]
    assert type(some) is dalle2.Images
    assert [image.url for image in some] == [image.url for image in images][1:3]
    assert some[0] is images[1]
    assert (some.cost, some.request, some.created) == (images.cost, images.request, images.created)
    assert pickle.loads(pickle.dumps(some)).cost == images.cost
    assert len(images[4:]) == 0 and len(images) == 4
    assert images == mock.ANY
    assert type(dalle2.AsyncImages.of(images._data, AsyncFetcher())[:1]) is dalle2.AsyncImages
    assert "2 image(s)" in repr(some)


def test_awaited_results_are_held_before_they_are_sent() -> None:
    """`held` fetches those among the inputs of an edit, one or several; what is none is left alone."""
    with FaultServer() as server:

        async def main() -> None:
            async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
                one, two, three = (client.image(f"{server.origin}/{number}.png") for number in range(3))
                await held(one, [two, "a path"], None, b"bytes")
                assert [image.content for image in (one, two, three)] == [IMAGE, IMAGE, None]

        anyio.run(main)


def test_what_the_answer_bore_is_there() -> None:
    """Its headers; and a size that a successor could not make is made of the image."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http, download="eager") as client:
        images = client.generate("a fox", n=2, size="512x512")
    images.fit()
    assert images[0].width == 512
    images._data = images._data._replace(headers={"x-request-id": "req_1"}, scale=(100, 100))
    images.fit()
    assert [(image.width, image.height) for image in images] == [(100, 100)] * 2
    assert images[0].read() == images[0].content
    assert images.headers == {"x-request-id": "req_1"}


def test_images_become_plain_values() -> None:
    """For any JSON encoder: what was said of the call, and each image as its own `to_dict`."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        images = client.generate("a fox", n=2, size="256x256")
    images._data = images._data._replace(
        usage={"total_tokens": 5}, adaptations=(dalle2.Adaptation("style", "vivid", None, "not taken"),)
    )
    plain = json.loads(json.dumps(images.to_dict()))
    assert [dalle2.ImageResult.from_dict(one) for one in plain["images"]] == list(images)
    assert (plain["model"], plain["request_id"], plain["cost"]) == (
        "dall-e-2",
        images.request_id,
        images.cost,
    )
    assert plain["created"] == images.created.timestamp()
    assert plain["usage"]["total_tokens"] == 5
    assert plain["adaptations"] == [{"field": "style", "asked": "vivid", "sent": None, "reason": "not taken"}]
    images._data = images._data._replace(usage=None)
    assert images.to_dict()["usage"] is None
    assert images.extra == {}


def test_what_a_result_knows_of_itself() -> None:
    """Facts of the answer are there under their names."""
    result = result_of(IMAGE, revised_prompt="a red fox", model="dall-e-2", extra={"seed": 7}, prompt="a fox")
    assert (result.url, result.revised_prompt, result.model) == (None, "a red fox", "dall-e-2")
    assert (result.created, result.media_type, result.extra) == (NOW, "image/png", {"seed": 7})
    assert result.expires_at is None
    assert result.to_dict()["api"] is None


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.7"])
def test_a_stored_text_cannot_open_a_private_network(host: str) -> None:
    """Whoever can edit it can name any API; only this machine is believed, unless a client says more."""
    stored = {"created": 1, "url": f"https://{host}/a.png", "api": f"https://{host}"}
    with pytest.raises(DownloadError) as caught:
        dalle2.ImageResult.from_dict(stored).read()
    assert caught.value.reason == "forbidden"


def test_read_and_save_agree_on_what_is_whole(tmp_path: Path) -> None:
    """Held bytes that are not one whole image are neither given nor saved as one; `content` has them."""
    for content, reason in ((b"{}", "not_an_image"), (IMAGE[:-10], "truncated"), (b"", "not_an_image")):
        result = result_of(content)
        asynchronous = dalle2.AsyncImageResult(ImageData(created=NOW, content=content))
        for attempt in (
            result.read,
            lambda: result.save(tmp_path / "x.png"),  # noqa: B023
            lambda: anyio.run(asynchronous.read),  # noqa: B023
            lambda: anyio.run(asynchronous.save, tmp_path / "x.png"),  # noqa: B023
        ):
            with pytest.raises(DownloadError, match=r"image\.content") as caught:
                attempt()
            assert caught.value.reason == reason
            assert caught.value.__context__ is None
        assert result.content == asynchronous.content == content
    assert list(tmp_path.iterdir()) == []


@every_client
def test_where_a_file_goes(flavour: str, tmp_path: Path) -> None:
    """A name, a name without suffix, a directory, a taken name: each as it says."""

    def save(path: Path | str, **options: Any) -> Path:
        data = ImageData(created=NOW, content=IMAGE, prompt="A fox, at night!")
        if flavour == "sync":
            return dalle2.ImageResult(data).save(path, **options)
        return anyio.run(lambda: dalle2.AsyncImageResult(data).save(path, **options), backend=flavour)

    assert save(tmp_path / "fox.png") == tmp_path / "fox.png"
    assert save(tmp_path / "bare") == tmp_path / "bare.png"
    assert save(tmp_path / "v1.2") == tmp_path / "v1.2.png"
    assert save(tmp_path) == tmp_path / "A-fox-at-night.png"
    assert save(str(tmp_path) + "/") == tmp_path / "A-fox-at-night-2.png"
    assert save(tmp_path, overwrite=True) == tmp_path / "A-fox-at-night.png"
    for taken in ("fox.png", "bare"):
        with pytest.raises(FileExistsError, match="overwrite=True"):
            save(tmp_path / taken)
    assert save(tmp_path / "fox.png", overwrite=True) == tmp_path / "fox.png"
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "missing" / "fox.png")
    assert len(list(tmp_path.iterdir())) == 5


@every_client
def test_a_missing_directory_is_known_before_anything_is_fetched(flavour: str, tmp_path: Path) -> None:
    """The disk is asked first: nothing was sent."""
    with FaultServer() as server:
        with pytest.raises(FileNotFoundError):
            save_image(flavour, server, tmp_path / "missing" / "a.png")
        assert server.requests == []


def save_image(flavour: str, server: FaultServer, path: Path) -> Path:
    """Save one image of the server."""
    if flavour == "sync":
        with dalle2.Client("sk-secret", base_url=server.origin) as client:
            return client.image(server.origin + "/a.png").save(path)

    async def work() -> Path:
        async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
            return await client.image(server.origin + "/a.png").save(path)

    return anyio.run(work, backend=flavour)


@every_client
def test_large_images_stream_in_batches(flavour: str, tmp_path: Path) -> None:
    """More than one batch, broken off on the way and fetched anew, is still the image."""
    from ..faults.server import png

    with FaultServer() as server:
        server.image = png(400, 400)

        def broken(c: Connection) -> None:
            c.read()
            c.reply(headers={"Content-Type": "image/png"}, upto=400_000)
            c.close()

        server.then(broken, forever=good)
        path = save_image(flavour, server, tmp_path / "a.png")
        assert path.read_bytes() == server.image
        assert len(server.image) > 400_000


def three(c: Connection) -> None:
    """Of three images the second is not there."""
    request = c.read()
    if request.method == "POST":
        origin = c.server.origin
        body = ",".join(f'{{"url": "{origin}/{number}.png"}}' for number in range(3))
        c.reply(body=f'{{"created": 1, "data": [{body}]}}'.encode())
    elif request.target == "/1.png":
        c.reply(404, b"gone")
    else:
        c.reply(headers={"Content-Type": "image/png"})


@every_client
def test_saving_some_of_several_says_which(flavour: str, tmp_path: Path) -> None:
    """All are tried; the error holds the paths, the errors by index, and the images that are still
    to save.
    """
    with FaultServer(then=three) as server, pytest.raises(DownloadError, match="1 of 3") as caught:
        origin = server.origin
        options = {"api_key": "sk-secret", "base_url": server.origin, "retry": QUICK}
        if flavour == "sync":
            with dalle2.Client(**options) as client:  # type: ignore[arg-type]
                client.generate("a fox", n=3).save(tmp_path / "new" / "folder")
        else:

            async def work() -> None:
                async with dalle2.AsyncClient(**options) as client:  # type: ignore[arg-type]
                    await (await client.generate("a fox", n=3)).save(tmp_path / "new" / "folder")

            anyio.run(work, backend=flavour)
    error = caught.value
    assert error.reason == "partial"
    assert [path.name for path in error.saved] == ["a-fox-1.png", "a-fox-3.png"]
    assert all(path.read_bytes() == IMAGE for path in error.saved)
    assert list(error.failed) == [1]
    assert isinstance(error.failed[1], DownloadError)
    assert [image.url for image in error.images] == [f"{origin}/1.png"]
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 2


@every_client
def test_saving_all_gives_the_paths_in_order(flavour: str, tmp_path: Path) -> None:
    """One image is named after the prompt, several are numbered."""
    emulator = Emulator()
    with emulator.serve() as server:

        def names(count: int) -> list[str]:
            if flavour == "sync":
                with dalle2.Client("sk-test", base_url=server.base_url) as client:
                    paths = client.generate("a fox", n=count, size="256x256").save(tmp_path)
            else:

                async def work() -> list[Path]:
                    async with dalle2.AsyncClient("sk-test", base_url=server.base_url) as client:
                        return await (await client.generate("a fox", n=count, size="256x256")).save(tmp_path)

                paths = anyio.run(work, backend=flavour)
            return [path.name for path in paths]

        assert names(1) == ["a-fox.png"]
        assert names(3) == ["a-fox-1.png", "a-fox-2.png", "a-fox-3.png"]


def test_an_interrupt_says_what_was_saved(tmp_path: Path) -> None:
    """Ctrl-C in the middle of `images.save`: a note names the files that are there."""

    def interrupt(event: object) -> None:
        if isinstance(event, dalle2.events.ImageFetched) and len(list(tmp_path.glob("*.png"))) == 1:
            raise KeyboardInterrupt

    emulator = Emulator()
    with (
        emulator.client() as http,
        dalle2.Client("sk-test", http_client=http, on_event=interrupt) as client,
        pytest.raises(KeyboardInterrupt) as caught,
    ):
        client.generate("a fox", n=3, size="256x256").save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a-fox-1.png"]
    assert "a-fox-1.png" in caught.value.__notes__[0]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_save_leaves_no_half_file(backend: str, tmp_path: Path) -> None:
    """Cancelling `images.save` while an image is on its way ends at once; what was saved stays."""

    def slow(c: Connection) -> None:
        request = c.read()
        if request.method == "POST":
            origin = c.server.origin
            c.reply(
                body=f'{{"created": 1, "data": [{{"url": "{origin}/0"}}, {{"url": "{origin}/1"}}]}}'.encode()
            )
        elif request.target == "/1":
            c.reply(headers={"Content-Type": "image/png"}, upto=1000)
            c.hold()
        else:
            c.reply(headers={"Content-Type": "image/png"})

    async def work() -> None:
        async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
            images = await client.generate("a fox", n=2)
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(images.save, tmp_path)
                    while not list(tmp_path.glob("*.png")):
                        await anyio.sleep(0.005)
                    scope.cancel()

    with FaultServer(then=slow) as server:
        anyio.run(work, backend=backend)
    assert [path.name for path in tmp_path.iterdir()] == ["a-fox-1.png"]


@every_client
def test_eager_images_are_there_before_they_can_expire(flavour: str) -> None:
    """`download="eager"` fetches each image as soon as it is made."""
    emulator = Emulator()
    with emulator.serve() as server:
        images = eager(flavour, server.base_url, n=2)
    assert all(image.content is not None and image.content[:4] == b"\x89PNG" for image in images)


@every_client
def test_an_eager_download_that_fails_warns_and_keeps_the_url(flavour: str) -> None:
    """What was paid for is not lost by it: the URL result is there, and works later."""
    emulator = Emulator()
    emulator.fail_next(404, on="image")
    with emulator.serve() as server:
        with pytest.warns(UserWarning, match="its URL is kept"):
            images = eager(flavour, server.base_url, n=2)
        assert [image.content is None for image in images] == [True, False]
        again = images[0].read()
        assert (again if isinstance(again, bytes) else anyio.run(images[0].read, backend=flavour))[
            :4
        ] == b"\x89PNG"
        if not isinstance(again, bytes):
            again.close()


@every_client
def test_a_warning_made_an_error_costs_no_image(flavour: str) -> None:
    """With `-W error`, an eager download that fails still gives what was paid for."""
    emulator = Emulator()
    emulator.fail_next(404, on="image")
    with emulator.serve() as server, warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        images = eager(flavour, server.base_url, n=2)
    assert [image.content is None for image in images] == [True, False]


def test_an_interrupted_eager_download_tells_the_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URLs are all that is left of what was paid for: they stand in a note of the interrupt."""

    def interrupt(self: object) -> bytes:
        raise KeyboardInterrupt

    emulator = Emulator()
    monkeypatch.setattr(dalle2.ImageResult, "read", interrupt)
    with emulator.serve() as server, pytest.raises(KeyboardInterrupt) as caught:
        eager("sync", server.base_url, n=2)
    (note,) = caught.value.__notes__
    assert note.count("/private/") == 2 and "sig=" in note


def eager(flavour: str, base_url: str, *, n: int) -> Any:
    """Images of an eager client."""
    options: dict[str, Any] = {
        "api_key": "sk-test",
        "base_url": base_url,
        "download": "eager",
        "retry": QUICK,
    }
    if flavour == "sync":
        with dalle2.Client(**options) as client:
            return client.generate("a fox", n=n, size="256x256")

    async def work() -> Any:
        async with dalle2.AsyncClient(**options) as client:
            return await client.generate("a fox", n=n, size="256x256")

    return anyio.run(work, backend=flavour)


def test_a_lost_image_is_reported_whatever_the_reason() -> None:
    """Also one that was refused before anything was sent; a fetched one says how large it was."""
    seen: list[object] = []
    with (
        FaultServer() as server,
        dalle2.Client("k" * 9, base_url=server.origin, on_event=seen.append) as client,
    ):
        client.image(server.origin + "/a.png").read()
        with pytest.raises(DownloadError):
            client.image("https://user:pass@images.example.com/a.png").read()
        with pytest.raises(ImageExpiredError):
            client.image("https://images.example.com/a.png?sig=x&se=2020-01-01").read()
    fetched, forbidden, dead = seen
    assert isinstance(fetched, dalle2.events.ImageFetched)
    assert (fetched.size, fetched.attempts) == (len(IMAGE), 1)
    assert isinstance(forbidden, dalle2.events.ImageLost)
    assert isinstance(dead, dalle2.events.ImageLost)
    assert (forbidden.host, dead.host) == ("images.example.com", "images.example.com")


def test_a_truncation_by_a_library_without_checks_is_found() -> None:
    """A transport that hands over fewer or more bytes than announced, as some libraries do, is no
    way around.
    """

    def cheat(request: httpx.Request) -> httpx.Response:
        class Body(httpx.SyncByteStream):
            def __iter__(self) -> Any:
                yield IMAGE[:100]

        return httpx.Response(200, headers={"content-length": str(len(IMAGE))}, stream=Body())

    with (
        httpx.Client(transport=httpx.MockTransport(cheat)) as http,
        dalle2.Client("sk-secret", http_client=http, retry=QUICK) as client,
        pytest.raises(DownloadError, match="100 of") as caught,
    ):
        client.image(URL).read()
    assert caught.value.reason == "truncated"


def test_no_warning_is_left_behind() -> None:
    """A plain download warns of nothing."""
    with warnings.catch_warnings(), FaultServer() as server:
        warnings.simplefilter("error")
        assert read("sync", server.origin + "/a.png", client={"base_url": server.origin}) == IMAGE
