"""Fetching one image: what to ask next, and whether what came is the whole image. No I/O.

The rule: the bytes are handed on as an image only if they begin like one, end like one, and are as many as
was said. Fetching costs nothing, so everything that can pass is tried again: from where it broke off if the
store allows it (`Range` with `If-Match`), else from the start. What a refusal means is told in `_refusal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .._dates import parse_retry_after
from .._http import HttpRequest, Timeouts, TransportError, keeps_bytes, origin_of
from .._image._media import ImageCheck, ImageError
from .._secrets import one_line
from ..errors import DownloadError
from ..settings import policy_of
from ._origins import FETCH_TIMEOUTS, MAX_REDIRECTS, not_over_tls

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Mapping

    from .._http import Failure
    from .._image._data import ImageData
    from .._secrets import Secret
    from ._origins import Fetching

_REFUSAL = 16_384
"""Bytes of a refusal that are read: what the store says of it is in the first few hundred."""

_ENCODINGS = ("gzip", "x-gzip", "deflate")
"""What may be around an image although it was asked for bare. One layer of these cannot swell without bound.
"""


class Setback(Exception):
    """Why an attempt did not bring the whole image; another may. `wait`: what the host asked for (s)."""

    def __init__(
        self, reason: str, detail: str = "", wait: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.wait = wait
        self.status = status

    @classmethod
    def of(cls, failure: Failure, size: int | None) -> Setback:
        """What a failure of the exchange means after `size` bytes of an image, `None`: before any answer."""
        if failure.kind in ("timeout", "connect_timeout"):
            return cls("timeout", failure.detail)
        if failure.kind == "refused_address":
            return cls("forbidden", failure.detail)
        if failure.kind == "unreadable" and not size:
            return cls("not_an_image", failure.detail)
        return cls("unreachable" if size is None else "truncated", failure.detail)


class _Refusal:
    """An answer that is no image, its body still to come."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.body = bytearray()


class Download:
    """One image on its way: `request`, `begin`, `feed`, `finish`; `after` what of `AGAIN` was `judged`.

    Raises `DownloadError` at once if the image must not be fetched, and later as soon as it cannot come.
    """

    AGAIN = (TransportError, Setback)

    def __init__(self, image: ImageData, how: Fetching, peer: str | None = None) -> None:
        assert image.url is not None
        self.image = image
        self.how = how
        self.origins = how.origins.with_peer(peer)
        self.attempt = 0
        self.size = 0
        self._begun = False  # some clients hand on nothing of a body that breaks off
        limit = None if how.policy is None else how.policy.deadline
        self.deadline = how.shared.monotonic() + (how.longest if limit is None else limit)
        self._url = self._named = image.url  # what is asked, and what it was before it became https
        self._redirects = 0
        self._at_home = True
        self._etag: str | None = None
        self._ranges = False
        self._expected: int | None = None
        self._digest: bytes | None = None
        self._refusal: _Refusal | None = None
        self._restart()
        expires, now = image.expiry.at, how.earliest()
        if expires is not None and expires <= now:
            from ._refusal import expired_error

            raise expired_error(image, now, expires, None)
        self._url = self.origins.check(self._named)

    @property
    def host(self) -> str:
        """The host that is asked now."""
        return origin_of(self._url)[1]

    def _restart(self) -> None:
        """Begin anew. The image's own checksums are needed only where nothing else vouches for its bytes."""
        self.size = 0
        self._check = ImageCheck(sums=self._expected is None or not keeps_bytes(self._url))
        self._md5 = None if self._digest is None else _new_md5()

    def request(self) -> HttpRequest:
        """The next request: the URL byte for byte, no credentials, no referrer."""
        self._begun = self.size > 0
        headers: list[tuple[str, str | Secret]] = [
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", self.how.user_agent),
        ]
        self._at_home = self._at_home and origin_of(self._url) == self.origins.origin
        if self.how.key is not None and self._at_home:  # a foreign host cannot send us back with the key
            headers.append(self.how.key)
        if self.size and self._etag is not None:
            headers += [("Range", f"bytes={self.size}-"), ("If-Match", self._etag)]
        return HttpRequest("GET", self._url, tuple(headers))

    def limits(self, theirs: Timeouts | None) -> Timeouts:
        """The timeouts of the next request."""
        chosen = self.how.timeouts or theirs or FETCH_TIMEOUTS
        return chosen.within(self.deadline - self.how.shared.monotonic())

    def refuse_address(self, address: str) -> str | None:
        """The reason not to talk to the address that the host's name turned out to be."""
        if origin_of(self._url) == self.origins.origin:
            return None
        return self.origins.refuse(self.host, address, origin_of(self._url)[2])

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Take an answer's first lines; whether what was written before is to be forgotten.

        Raises `DownloadError` for a redirect that is not followed, `Setback` for one that is.
        """
        self._refusal = None
        if status in (301, 302, 303, 307, 308) and headers.get("location"):
            readable, headers = self._moved(headers["location"]), {}  # no frame shows a signature
            self._redirect(readable)
        encoding = headers.get("content-encoding", "").strip().lower()
        plain = encoding in ("", "identity")
        if plain and status == 206 and self.size and self._continued_by(headers):
            return False
        if status != 200:
            self._refusal = _Refusal(status, headers)
            return False
        if not plain and encoding not in _ENCODINGS:
            raise self._error("not_an_image", f"it came encoded as {one_line(encoding, 40)!r}, unasked")
        self._expect(headers, plain)
        self._restart()
        self._begun = True
        if self._expected is not None and self._expected > self.how.largest:
            raise self._too_large()
        return True

    def _expect(self, headers: Mapping[str, str], plain: bool) -> None:
        """Keep what a whole answer says of its bytes.

        If they are encoded, length, checksum and places are those of the encoded bytes: the image's own
        end decides.
        """
        length, etag = headers.get("content-length", ""), headers.get("etag", "")
        told = plain and length.isascii() and length.isdigit() and len(length) < 16
        self._expected = int(length) if told else None
        self._etag = etag if plain and etag and not etag.startswith("W/") else None
        self._ranges = self._etag is not None and headers.get("accept-ranges", "bytes").lower() != "none"
        self._digest = _md5_of(headers.get("content-md5", "")) if plain else None

    def _continued_by(self, headers: Mapping[str, str]) -> bool:
        """Whether a part is the rest that was asked for, of the very object that was begun."""
        from ._rest import total_of_rest

        total = total_of_rest(headers, self._etag, self.size)
        if self._expected is None:
            self._expected = total
        return total is not None and total == self._expected

    def _moved(self, location: str) -> bool:
        """Go there next; whether that is a URL at all."""
        from urllib.parse import urljoin

        try:
            self._url = urljoin(self._url, location)
        except ValueError:
            return False
        return True

    def _redirect(self, readable: bool) -> NoReturn:
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise self._error("forbidden", f"more than {MAX_REDIRECTS} redirects")
        if not readable:
            raise self._error("forbidden", "it redirects to what is no URL")
        self._named, self._url = self._url, self.origins.check(self._url)
        self._etag, self._ranges = None, False
        self._restart()
        raise Setback("redirect")

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; gives those to write. Raises `DownloadError` as soon as they cannot become an
        image, `Setback` when enough of a refusal was read.
        """
        if self._refusal is not None:
            self._refusal.body.extend(chunk[: _REFUSAL + 1])
            if len(self._refusal.body) > _REFUSAL:
                self._refused(self._refusal)
            return b""
        self.size += len(chunk)
        if self.size > self.how.largest:
            raise self._too_large()
        if self._md5 is not None:
            self._md5.update(chunk)
        try:
            self._check.feed(chunk)
        except ImageError as problem:
            raise self._error("not_an_image", str(problem)) from None
        return chunk

    def finish(self) -> None:
        """After the last byte. Raises `Setback` if the image is not whole, `DownloadError` if it will
        not be.
        """
        if self._refusal is not None:
            self._refused(self._refusal)
        if self._expected is not None and self.size < self._expected:
            raise Setback("truncated", f"{self.size} of {self._expected} bytes came")
        if self._expected is not None and self.size > self._expected:
            raise self._error("truncated", f"{self.size} bytes came where {self._expected} were announced")
        try:
            self._check.finish()
        except ImageError as problem:
            if problem.reason != "truncated":
                raise self._error("not_an_image", str(problem)) from None
            self._ranges = False  # the store thinks that this was all: there is nothing to continue
            raise Setback("truncated", str(problem)) from None
        if self._md5 is not None and self._md5.digest() != self._digest:
            self._ranges = False
            raise Setback("truncated", "the bytes do not match the Content-MD5 of the store")

    def judged(self, failure: TransportError | Setback) -> Setback:
        """Why an attempt ended, without its frames."""
        if isinstance(failure, Setback):
            return failure.with_traceback(None)
        setback = Setback.of(failure.failure, self.size if self._begun else None)
        if self._url != self._named and not self._begun and setback.reason in ("unreachable", "timeout"):
            return Setback("forbidden", not_over_tls(self._named, one_line(setback.detail, 80)))
        return setback

    def after(self, setback: Setback) -> float:
        """Seconds until the next attempt. Raises `DownloadError` if there is none."""
        if setback.reason == "redirect":
            return 0.0
        policy, left = policy_of(self.how.policy), self.deadline - self.how.shared.monotonic()
        self.attempt += 1
        wait = setback.wait or policy.backoff(self.attempt)
        over = setback.reason == "forbidden" or self.attempt >= policy.max_attempts
        if over or wait > policy.max_retry_after or wait >= left:
            raise self._error(setback.reason, setback.detail, setback.status)
        if not self._ranges:
            self._restart()
        return wait

    def fetched(self) -> str:
        """Report the success; gives the media type."""
        shared, attempts = self.how.shared, self.attempt + 1
        shared.report("ImageFetched", host=self.host, size=self.size, attempts=attempts, at=shared.now())
        return self._check.media_type or "application/octet-stream"

    def _refused(self, answer: _Refusal) -> NoReturn:
        """Raises what the answer means: `Setback` if it can pass or the image can begin anew."""
        status = answer.status
        if status == 416 or (status in (206, 412) and self.size):
            self._ranges, self._etag = False, None
            detail = "the store cannot continue where the download broke off"
            raise Setback("truncated", detail, 0.001, status)
        if status in (408, 425, 429) or status >= 500:
            wait = parse_retry_after(answer.headers, self.how.now())
            raise Setback("status", f"the host answered HTTP {status}", wait, status)
        from ._refusal import refusal

        raise refusal(self.image, self._named, status, answer.headers, answer.body[:_REFUSAL], self.how)

    def _too_large(self) -> DownloadError:
        return self._error("too_large", f"it is larger than {self.how.largest} bytes")

    def _error(self, reason: str, detail: str, status: int | None = None) -> DownloadError:
        from ._refusal import not_fetched

        return not_fetched(self.image, self._url, reason, detail, status)


def _md5_of(header: str) -> bytes | None:
    import base64

    try:
        digest = base64.b64decode(header, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == 16 else None


def _new_md5() -> hashlib._Hash:
    import hashlib

    return hashlib.md5(usedforsecurity=False)
