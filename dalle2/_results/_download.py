"""Fetching one image: what to ask next, and whether what came is the whole image. No I/O.

The rule: the bytes are handed on as an image only if they begin like one, end like one, and are as many as
was said. Fetching costs nothing, so everything that can pass is tried again: from where it broke off if the
store allows it (`Range` with `If-Match`), else from the start. A refusal is told apart: expired, altered on
the way, or plainly refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._dates import parse_retry_after
from .._http import HttpRequest, keeps_bytes, origin_of
from .._image._media import ImageCheck, ImageError
from .._secrets import one_line, redact, shown_url
from ..errors import DownloadError, ImageExpiredError
from ..settings import policy_of
from ._origins import MAX_REDIRECTS

if TYPE_CHECKING:
    import hashlib

    from .._http import Failure
    from .._image._data import ImageData
    from .._secrets import Secret
    from ..retry import RetryPolicy
    from ._origins import Origins

LARGEST_IMAGE = 256 * 1024 * 1024
"""Bytes of one image; the largest known outputs are a tenth of it."""
LONGEST = 300.0
"""Seconds for one image, attempts and waits together, unless the retry policy has a deadline."""
NEARLY = timedelta(seconds=2)

_ENCODINGS = ("gzip", "x-gzip", "deflate")
"""What may be around an image although it was asked for bare. One layer of these cannot swell without
bound.
"""

Step = Literal["restart", "resume", "redirect", "refused"]


class Setback(NamedTuple):
    """Why an attempt did not bring the whole image, where another one may. `wait`: what the host asked for
    (s).
    """

    reason: str
    detail: str
    wait: float | None = None
    status: int | None = None

    @classmethod
    def of(cls, failure: Failure, size: int) -> Setback:
        """What a failure of the exchange means after `size` bytes."""
        if failure.kind in ("timeout", "connect_timeout"):
            return cls("timeout", failure.detail)
        if failure.kind == "refused_address":
            return cls("forbidden", failure.detail)
        if size:
            return cls("truncated", failure.detail)
        return cls("not_an_image" if failure.kind == "unreadable" else "unreachable", failure.detail)


class Rules(NamedTuple):
    """What one download keeps to. `key` goes only to the API's own origin, where the provider wants it."""

    policy: RetryPolicy | None
    site: Origins
    user_agent: str
    key: tuple[str, Secret] | None = None
    largest: int = LARGEST_IMAGE
    longest: float = LONGEST


class Download:
    """One image on its way. The shells ask it for requests, feed it answers and chunks, and do as it says."""

    def __init__(self, image: ImageData, rules: Rules, *, started: float) -> None:
        assert image.url is not None
        self.image = image
        self.rules = rules
        self.attempt = 0
        self.size = 0
        limit = None if rules.policy is None else rules.policy.deadline
        self.deadline = started + (rules.longest if limit is None else limit)
        self._url = image.url
        self._redirects = 0
        self._at_home = True
        self._etag: str | None = None
        self._ranges = False
        self._expected: int | None = None
        self._digest: bytes | None = None
        self._restart()
        rules.site.check(self._url)

    @property
    def host(self) -> str:
        """The host that is asked now."""
        return origin_of(self._url)[1]

    @property
    def media_type(self) -> str:
        """What the bytes are, once they were checked."""
        return self._check.media_type or "application/octet-stream"

    def _restart(self) -> None:
        """Begin anew. The image's own checksums are needed only where nothing else vouches for its bytes."""
        self.size = 0
        self._check = ImageCheck(sums=self._expected is None or not keeps_bytes(self._url))
        self._md5 = None if self._digest is None else _new_md5()

    def request(self) -> HttpRequest:
        """The next request: the URL byte for byte, no credentials, no referrer."""
        headers: list[tuple[str, str | Secret]] = [
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", self.rules.user_agent),
        ]
        self._at_home = self._at_home and origin_of(self._url) == self.rules.site.origin
        if self.rules.key is not None and self._at_home:  # a foreign host cannot send us back with the key
            headers.append(self.rules.key)
        if self.size and self._etag is not None:
            headers += [("Range", f"bytes={self.size}-"), ("If-Match", self._etag)]
        return HttpRequest("GET", self._url, tuple(headers))

    def refuse_address(self, address: str) -> str | None:
        """The reason not to talk to the address that the host's name turned out to be."""
        if origin_of(self._url) == self.rules.site.origin:
            return None
        return self.rules.site.refuse(self.host, address)

    def begin(self, status: int, headers: Mapping[str, str]) -> Step:
        """What an answer's first lines mean. Raises `DownloadError` for a redirect that is not followed."""
        if status in (301, 302, 303, 307, 308) and headers.get("location"):
            return self._redirect(headers["location"])
        encoding = headers.get("content-encoding", "").strip().lower()
        plain = encoding in ("", "identity")
        if plain and status == 206 and self.size:
            same = headers.get("etag", self._etag) == self._etag  # some stores ignore If-Match
            if same and headers.get("content-range", "").startswith(f"bytes {self.size}-"):
                return "resume"
        if status != 200:
            return "refused"
        if not plain and encoding not in _ENCODINGS:
            raise self._error("not_an_image", f"it came encoded as {one_line(encoding, 40)!r}, unasked")
        length = headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
        etag = headers.get("etag", "")
        if (
            not plain
        ):  # length, checksum and places are those of the encoded bytes; the image's own end decides
            announced = None
        self._expected = announced
        self._etag = etag if plain and etag and not etag.startswith("W/") else None
        self._ranges = self._etag is not None and headers.get("accept-ranges", "bytes").lower() != "none"
        self._digest = _md5_of(headers.get("content-md5")) if plain else None
        self._restart()
        if announced is not None and announced > self.rules.largest:
            raise self._too_large()
        return "restart"

    def _redirect(self, location: str) -> Step:
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise self._error("forbidden", f"more than {MAX_REDIRECTS} redirects")
        from urllib.parse import urljoin

        self._url = urljoin(self._url, location)
        self.rules.site.check(self._url)
        self._etag, self._ranges = None, False
        self._restart()
        return "redirect"

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises `DownloadError` as soon as they cannot become an image."""
        self.size += len(chunk)
        if self.size > self.rules.largest:
            raise self._too_large()
        if self._md5 is not None:
            self._md5.update(chunk)
        try:
            self._check.feed(chunk)
        except ImageError as problem:
            raise self._error("not_an_image", str(problem)) from None

    def finish(self) -> Setback | None:
        """After the last byte: `None` if the image is whole, else why not. Raises `DownloadError`."""
        if self._expected is not None and self.size < self._expected:
            return Setback("truncated", f"{self.size} of {self._expected} bytes came")
        if self._expected is not None and self.size > self._expected:
            raise self._error("truncated", f"{self.size} bytes came where {self._expected} were announced")
        try:
            self._check.finish()
        except ImageError as problem:
            if problem.reason != "truncated":
                raise self._error("not_an_image", str(problem)) from None
            self._ranges = False  # the store thinks that this was all: there is nothing to continue
            return Setback("truncated", str(problem))
        if self._md5 is not None and self._md5.digest() != self._digest:
            self._ranges = False
            return Setback("truncated", "the bytes do not match the Content-MD5 of the store")
        return None

    def after(self, setback: Setback, *, now: float) -> float:
        """Seconds until the next attempt. Raises `DownloadError` if there is none."""
        self.attempt += 1
        policy = policy_of(self.rules.policy)
        delay = setback.wait or policy.backoff(self.attempt)
        last = self.attempt >= policy.max_attempts or setback.reason == "forbidden"
        if last or delay > policy.max_retry_after or now + delay >= self.deadline:
            raise self._error(setback.reason, setback.detail, setback.status)
        if not self._ranges:
            self._restart()
        return delay

    def late(self, now: float) -> None:
        """Ends a download that drips. Raises `DownloadError` past its time."""
        if now > self.deadline:
            raise self._error("timeout", "it took too long")

    def refused(self, status: int, headers: Mapping[str, str], body: str, *, now: datetime) -> Setback:
        """What an answer that is no image means: a setback that can pass, or a `DownloadError` raised at
        once.

        `now` is the corrected clock (aware, UTC).
        """
        if status == 416 or (status in (206, 412) and self.size):
            self._ranges = False
            self._etag = None
            return Setback(
                "truncated", "the store cannot continue where the download broke off", 0.001, status
            )
        if status in (408, 425, 429) or status >= 500:
            wait = parse_retry_after(headers, now)
            return Setback("status", f"the host answered HTTP {status}", wait, status)
        from ._store_verdict import store_verdict

        verdict = store_verdict(status, body)
        expires = self.image.expiry.at if self._redirects == 0 else None
        late = expires is not None and self.image.expiry.source == "signature" and expires - NEARLY < now
        if status in (403, 404, 410) and (verdict.kind == "expired" or (late and verdict.kind != "altered")):
            raise expired_error(self.image, now, verdict.at or expires, status)
        if verdict.kind == "altered" or (verdict.kind == "rejected" and expires is not None):
            raise self._error(
                "forged",
                "the store does not accept its signature, which has not expired: the URL was changed on its "
                "way (often by decoding or re-encoding it); use it byte for byte",
                status,
            )
        said = one_line(redact(body, key=self._secret()), 80) if "<" not in body else "an HTML or XML page"
        raise self._error(
            "status", f"the host answered HTTP {status}" + (f" ({said})" if said else ""), status
        )

    def _secret(self) -> str | None:
        """The bare key, which a host may repeat."""
        return None if self.rules.key is None else self.rules.key[1].reveal().removeprefix("Bearer ")

    def _too_large(self) -> DownloadError:
        return self._error("too_large", f"it is larger than {self.rules.largest} bytes")

    def _error(self, reason: str, detail: str, status: int | None = None) -> DownloadError:
        return DownloadError(
            f"The image was not fetched: {one_line(detail, 200)} ({shown_url(self._url)})",
            reason=reason,
            status_code=status,
            url=self.image.url,
        )


def check_expired(image: ImageData, now: datetime) -> None:
    """Refuse an image whose expiry is past by the corrected clock. Raises `ImageExpiredError`."""
    if image.expiry.at is not None and image.expiry.at <= now:
        raise expired_error(image, now, image.expiry.at, None)


def expired_error(
    image: ImageData, now: datetime, at: datetime | None, status: int | None
) -> ImageExpiredError:
    """The error for a dead URL: when it died, and what to do about the next one."""
    when = "" if at is None else f" at {at:%Y-%m-%d %H:%M:%S} UTC{_ago(now - at)}"
    return ImageExpiredError(
        f"The image's URL expired{when}; it cannot be fetched any more. Save images when they are made: "
        "image.save(...), Client(download='eager') or response_format='b64_json' "
        f"({shown_url(image.url or '')})",
        expires_at=at,
        status_code=status,
        url=image.url,
    )


def _ago(passed: timedelta) -> str:
    """How long ago, where our clock agrees that it is past."""
    seconds = int(passed.total_seconds())
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f", {count} {name}{'s' if count > 1 else ''} ago"
    return ""


def _md5_of(header: str | None) -> bytes | None:
    if not header:
        return None
    import base64

    try:
        digest = base64.b64decode(header, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == 16 else None


def _new_md5() -> hashlib._Hash:
    import hashlib

    return hashlib.md5(usedforsecurity=False)
