"""The place where finished images lie: signed URLs that really expire, and the answers of the blob store
behind them.

The rule: an image is kept as a recipe and painted when it is first fetched. A signed URL is good between
its `st` and `se` by the emulator's clock, and only unaltered; a request that brings an API key along is
refused and remembered, because a real store would refuse it too and a key must not travel there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

import attrs

from ._clock import Clock
from ._exchange import EmulatedRequest, EmulatedResponse

Picture = Callable[[], bytes]
Lane = Literal["sas", "cdn", "local"]

_SIGNED = ("st", "se", "sp", "sv", "sr", "rscd", "rsct", "skoid", "sktid", "skt", "ske", "sks", "skv")
_PATHS = re.compile(r"/(private|cdn|generated-images)/")


@attrs.frozen
class Blob:
    """One image in the store."""

    picture: Picture
    media_type: str
    made: float


def is_image_path(path: str) -> bool:
    """Whether a path belongs to the store."""
    return _PATHS.match(path) is not None


class Store:
    """Images by path. `keep` bounds how many; the oldest go first. `None` keeps all."""

    def __init__(self, clock: Clock, *, keep: int | None = None) -> None:
        self.leaks: list[EmulatedRequest] = []
        self._clock = clock
        self._keep = keep
        self._secret = secrets.token_bytes(32)
        self._blobs: OrderedDict[str, Blob] = OrderedDict()
        self._lock = threading.Lock()

    def put(
        self, picture: Picture, *, media_type: str, created: int, origin: str, lane: Lane, lifetime: int
    ) -> str:
        """Keep an image and give the URL under which it can be fetched for `lifetime` seconds."""
        suffix = media_type.rpartition("/")[2]
        name = secrets.token_hex(12)
        if lane == "cdn":
            path = f"/cdn/{datetime.fromtimestamp(created, UTC):%Y%m%d}/{name}.{suffix}"
        elif lane == "local":
            path = f"/generated-images/{name}.{suffix}"
        else:
            path = f"/private/org-emulator/user-{name}/img-{secrets.token_hex(12)}.{suffix}"
        with self._lock:
            self._blobs[path] = Blob(picture, media_type, created)
            while self._keep is not None and len(self._blobs) > self._keep:
                self._blobs.popitem(last=False)
        url = origin + path
        return url if lane != "sas" else f"{url}?{self._sign(path, media_type, created, lifetime)}"

    def clear(self) -> None:
        """Delete every image: their URLs answer 404 from now on."""
        with self._lock:
            self._blobs.clear()

    def answer(self, request: EmulatedRequest, *, api_key: str) -> EmulatedResponse:
        """What the store says to a request for one of its images."""
        if request.method not in ("GET", "HEAD"):
            return self._xml(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
        key_sent = request.headers.get("authorization") or request.headers.get("api-key")
        if request.path.startswith("/generated-images/"):
            if key_sent != f"Bearer {api_key}":
                text = b'{"error":{"code":403,"message":"missing or malformed API Key","type":""}}'
                return EmulatedResponse(403, {"Content-Type": "application/json"}, text)
        elif key_sent:
            with self._lock:
                self.leaks.append(request)
            return self._denied(
                "The Authorization header is not allowed together with a shared access signature."
                if request.path.startswith("/private/")
                else "The Authorization header is not allowed here."
            )
        if request.path.startswith("/private/"):
            problem = self._check_signature(request)
            if problem is not None:
                return problem
        with self._lock:
            blob = self._blobs.get(request.path)
        if blob is None:
            return self._xml(404, "BlobNotFound", "The specified blob does not exist.")
        return self._serve(request, blob)

    def _sign(self, path: str, media_type: str, created: int, lifetime: int) -> str:
        start = created - 3600
        fields = {
            "st": _iso(start),
            "se": _iso(created + lifetime),
            "sp": "r",
            "sv": "2024-08-04",
            "sr": "b",
            "rscd": "inline",
            "rsct": media_type,
            "skoid": str(uuid.uuid5(uuid.NAMESPACE_URL, "skoid")),
            "sktid": str(uuid.uuid5(uuid.NAMESPACE_URL, "sktid")),
            "skt": _iso(start),
            "ske": _iso(start + max(86400, 3600 + lifetime)),
            "sks": "b",
            "skv": "2024-08-04",
        }
        fields["sig"] = self._signature(path, fields)
        return "&".join(f"{name}={quote(value, safe='/')}" for name, value in fields.items())

    def _signature(self, path: str, fields: dict[str, str]) -> str:
        text = "\n".join([path, *(fields.get(name, "") for name in _SIGNED)])
        return base64.b64encode(hmac.digest(self._secret, text.encode(), "sha256")).decode()

    def _check_signature(self, request: EmulatedRequest) -> EmulatedResponse | None:
        fields = dict(parse_qsl(request.query, keep_blank_values=True))
        if "sig" not in fields:
            return self._xml(404, "ResourceNotFound", "The specified resource does not exist.")
        if not hmac.compare_digest(self._signature(request.path, fields).encode(), fields["sig"].encode()):
            return self._denied("Signature did not match. String to sign used was r")
        start, expiry = (datetime.fromisoformat(fields[name]) for name in ("st", "se"))
        now = self._clock.now()
        if start <= now <= expiry:
            return None
        times = " - ".join(
            f"{name} [{format_datetime(when, usegmt=True)}]"
            for name, when in (("Start", start), ("Expiry", expiry), ("Current", now))
        )
        return self._denied(f"Signature not valid in the specified time frame: {times}")

    def _serve(self, request: EmulatedRequest, blob: Blob) -> EmulatedResponse:
        data = blob.picture()
        digest = hashlib.md5(data, usedforsecurity=False)
        checksum = base64.b64encode(digest.digest()).decode()
        etag = f'"0x8D{digest.hexdigest()[:13].upper()}"'
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted not in (etag, "*"):
            return self._xml(
                412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
            )
        made = datetime.fromtimestamp(blob.made, UTC)
        headers = {
            "Content-Type": blob.media_type,
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Last-Modified": format_datetime(made, usegmt=True),
            **self._headers(),
        }
        if request.path.startswith("/private/"):
            headers["Content-Disposition"] = "inline"
            headers["x-ms-blob-type"] = "BlockBlob"
        span = re.fullmatch(
            r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range") or request.headers.get("range", "")
        )
        status, part = 200, data
        if span is None:
            headers["Content-MD5"] = checksum
        else:
            first = int(span[1])
            last = min(int(span[2] or len(data) - 1), len(data) - 1)
            if first >= len(data) or last < first:
                answer = self._xml(
                    416,
                    "InvalidRange",
                    "The range specified is invalid for the current size of the resource.",
                )
                return attrs.evolve(
                    answer, headers={**answer.headers, "Content-Range": f"bytes */{len(data)}"}
                )
            status, part = 206, data[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            headers["x-ms-blob-content-md5"] = checksum
        headers["Content-Length"] = str(len(part))
        return EmulatedResponse(status, headers, part)

    def _denied(self, detail: str) -> EmulatedResponse:
        return self._xml(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is "
            "formed correctly including the signature.",
            detail,
        )

    def _xml(self, status: int, code: str, message: str, detail: str | None = None) -> EmulatedResponse:
        headers = self._headers()
        time = f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%f}0Z"
        told = f"{message}\nRequestId:{headers['x-ms-request-id']}\nTime:{time}"
        more = (
            ""
            if detail is None
            else f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>"
        )
        # The byte order mark is real: the vendor's store sends one.
        text = (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
            f"<Message>{escape(told)}</Message>{more}</Error>"
        )
        headers |= {"Content-Type": "application/xml", "x-ms-error-code": code}
        return EmulatedResponse(status, headers, text.encode())

    def _headers(self) -> dict[str, str]:
        return {
            "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-version": "2024-08-04",
        }


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
