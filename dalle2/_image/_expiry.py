"""Decides when an image URL dies.

The rule: only facts. A time comes from a signature's own fields, from a published lifetime, or it is `None`;
a lone `Expires` without the key that marks its scheme proves nothing. What hosts send is read without ever
raising, and the clock is an argument.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

from .._dates import COUNT, after, iso_time, unix_time

if TYPE_CHECKING:
    from collections.abc import Iterable

DALLE_LIFETIME = timedelta(seconds=3600)
"""How long OpenAI keeps a DALL·E image after `created`: documented, and so measured on public answers."""

_LONGEST_URL = 65_536  # characters; no host takes more, and reading a hostile one must not take seconds
# (key that marks the scheme, start, seconds of life): S3 and its kin, Google V4, Volcengine TOS.
_START_AND_SECONDS = (
    ("x-amz-signature", "x-amz-date", "x-amz-expires"),
    ("x-goog-signature", "x-goog-date", "x-goog-expires"),
    ("x-tos-signature", "x-tos-date", "x-tos-expires"),
)
# Beside `signature`, each of these makes `expires` a Unix time: S3 V2, Google V2, Aliyun OSS V1, CloudFront.
_SIGNED_EXPIRES = ("awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id")


class Expiry(NamedTuple):
    """When a URL dies (`at`, aware, UTC) and how that is known; both `None` if it is not known."""

    at: datetime | None = None
    source: Literal["signature", "created"] | None = None


def expiry_of(url: str | None, *, created: datetime | None, model: str | None, openai_like: bool) -> Expiry:
    """When this image URL dies: by its signature, else by OpenAI's hour for DALL·E images, else unknown.

    `openai_like` says that the host serves images as OpenAI does; elsewhere `created` tells nothing.
    """
    if url is None or _is_data(url):
        return Expiry()
    at = signed_expiry(url)
    if at is not None:
        return Expiry(at, "signature")
    if openai_like and created is not None and model in ("dall-e-2", "dall-e-3"):
        try:
            return Expiry(created.astimezone(UTC) + DALLE_LIFETIME, "created")
        except OverflowError:
            return Expiry()
    return Expiry()


def signed_expiry(url: str) -> datetime | None:
    """The expiry (aware, UTC) that a signed URL carries, or `None`. Of several, the earliest; never raises.

    Knows Azure SAS, S3 (V4, V2) and its kin, CloudFront, Google Cloud Storage (V4, V2), Aliyun OSS (V1, V2,
    V4), Tencent COS and Volcengine TOS. Keys are matched without regard to case.
    """
    if len(url) > _LONGEST_URL or _is_data(url):
        return None
    query = _Query(url)
    found: list[datetime | None] = []
    if query.has("sig"):
        found += map(iso_time, query.values("se"))
    for mark, start, seconds in _START_AND_SECONDS:
        if query.has(mark):
            found.append(_start_and_seconds(query.values(start), query.values(seconds)))
    if query.has("signature"):
        if any(query.has(mark) for mark in _SIGNED_EXPIRES):
            found += map(unix_time, query.values("expires"))
        if query.has("key-pair-id"):
            found += map(_policy, query.values("policy"))
    if query.has("q-signature"):
        for window in (*query.values("q-sign-time"), *query.values("q-key-time")):
            found.append(unix_time(window.partition(";")[2]))
    # Aliyun gives one key two meanings: seconds of life in its V4, a Unix time in its V2.
    versions = {version.upper() for version in query.values("x-oss-signature-version")}
    if "OSS4-HMAC-SHA256" in versions:
        found.append(_start_and_seconds(query.values("x-oss-date"), query.values("x-oss-expires")))
    elif "OSS2" in versions and not query.has("x-oss-date"):
        found += map(unix_time, query.values("x-oss-expires"))
    return min((at for at in found if at is not None), default=None)


class _Query:
    """The query of a URL with lower-case keys; every value of a repeated key is kept, blank ones are not."""

    def __init__(self, url: str) -> None:
        self._fields: dict[str, list[str]] = {}
        for pair in url.partition("#")[0].partition("?")[2].split("&"):
            key, _, value = pair.partition("=")
            # `unquote`, not `unquote_plus`: a bare plus sign in a time zone is a plus sign.
            if value := (unquote(value) if "%" in value else value).strip():
                key = (unquote(key) if "%" in key else key).strip().lower()
                self._fields.setdefault(key, []).append(value)

    def has(self, key: str) -> bool:
        return key in self._fields

    def values(self, key: str) -> list[str]:
        return self._fields.get(key, [])


def _is_data(url: str) -> bool:
    return url.lstrip()[:5].lower() == "data:"


def _start_and_seconds(starts: Iterable[str], seconds: Iterable[str]) -> datetime | None:
    times = [at for at in map(iso_time, starts) if at is not None]
    spans = [int(text) for text in seconds if re.fullmatch(COUNT, text)]
    return after(min(times), min(spans)) if times and spans else None


def _policy(text: str) -> datetime | None:
    """The `DateLessThan` of a CloudFront policy: base64 JSON with `+=/` written as `-_~`."""
    import base64
    import json

    try:
        raw = base64.b64decode(text[:8192].translate(str.maketrans("-_~", "+=/")))
        policy = json.loads(raw)
        statements = policy["Statement"]
        statement = statements[0] if isinstance(statements, list) else statements
        epoch = statement["Condition"]["DateLessThan"]["AWS:EpochTime"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return unix_time(str(epoch)) if type(epoch) is int else None
