"""Decides why an image does not come: expired, altered on its way, or plainly refused; and how that is told.

The rule: a message says where the image was looked for and never shows a signature. It is loaded only when
an image is lost.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .._dates import parse_http_date
from .._http import origin_of
from .._secrets import one_line, redact, shown_url
from ..errors import DownloadError, ImageExpiredError
from ._store_verdict import store_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .._image._data import ImageData
    from ._origins import Fetching

NEARLY = timedelta(seconds=2)
_SHOWN = 2_000
"""Characters of a refusal that are looked at for its first line."""


def not_fetched(
    image: ImageData, url: str, reason: str, detail: str, status: int | None = None
) -> DownloadError:
    """The error for an image that was looked for at `url` and is not fetched."""
    return DownloadError(
        f"The image was not fetched: {redact(one_line(detail, 400))} ({shown_url(url)})",
        reason=reason,
        status_code=status,
        url=image.url,
    )


def refusal(
    image: ImageData,
    url: str,
    status: int,
    headers: Mapping[str, str],
    content: bytes | bytearray,
    how: Fetching,
) -> DownloadError:
    """What an answer of `url` that will not become an image means; `content` is how its body begins.

    A store checks its signatures by its own clock. The image's expiry speaks for its own URL only, not for
    one that it was sent on to. A host that was given the key may repeat it.
    """
    body = content.decode("utf-8", "replace")
    now, there = how.now(), parse_http_date(headers.get("date")) or how.earliest()
    key = None if how.key is None else how.key[1].reveal().removeprefix("Bearer ")
    verdict = store_verdict(status, body)
    expires = image.expiry.at if url == image.url else None
    late = expires is not None and image.expiry.source == "signature" and expires - NEARLY < there
    if status in (403, 404, 410) and (verdict.kind == "expired" or (late and verdict.kind != "altered")):
        return expired_error(image, now, verdict.at or expires, status)
    if verdict.kind == "altered" or (verdict.kind == "rejected" and expires is not None):
        detail = (
            "the store does not accept its signature, which has not expired: the URL was changed on its "
            "way (often by decoding or re-encoding it); use it byte for byte"
        )
        return not_fetched(image, url, "forged", detail, status)
    said = one_line(redact(body[:_SHOWN], key=key), 80) if "<" not in body else "an HTML or XML page"
    detail = f"the host answered HTTP {status}" + (f" ({said})" if said else "")
    if status in (401, 403) and key is None and origin_of(url) == how.origins.origin:
        detail += "; if the API wants its key for images, too: Provider.localai(base_url), or images_need_key"
    return not_fetched(image, url, "status", detail, status)


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
