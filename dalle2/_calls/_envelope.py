"""One request to the API, whole: its URL, its headers, its idempotency key. No I/O.

The rule: the API key is put on each API request here, and never on an HTTP client, so that a request to
another host cannot carry it. Of two headers of one name the more special wins.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from .. import __version__
from .. import errors as e
from .._http import HttpRequest
from .._secrets import Secret
from .._texts import checked_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._http import Form
    from .._requests._draft import Draft
    from ..settings import Settings

USER_AGENT = f"dalle2/{__version__} (python {sys.version_info.major}.{sys.version_info.minor})"


class Options(NamedTuple):
    """What a caller may say about one call besides the request itself."""

    extra_headers: Mapping[str, str] | None = None
    idempotency_key: str | None = None
    again: Draft | None = None  # what the caller sends after a lost answer, if it is not the request itself
    falls_back: bool = False  # whether a successor is asked if the host has no such model


def new_key() -> str:
    """A new idempotency key: one a logical call, the same on each of its attempts."""
    return f"dalle2-{os.urandom(16).hex()}"


def key_of(settings: Settings, options: Options) -> str:
    """The idempotency key of a call: the argument, else a header that the caller set, else a new one."""
    if options.idempotency_key is not None:
        return checked_key(options.idempotency_key)
    wanted = (settings.provider.idempotency_header or "").lower()
    for headers in (options.extra_headers, settings.headers, settings.provider.headers):
        for name, value in (headers or {}).items():
            if isinstance(name, str) and name.lower() == wanted:
                return checked_key(value)
    return new_key()


def checked_key(key: str) -> str:
    """A caller's idempotency key. Raises `InvalidRequestError` for one that cannot be a header."""
    if not isinstance(key, str) or not 0 < len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise e.InvalidRequestError(
            "idempotency_key must be 1 to 255 printable ASCII characters, with the number that split_n "
            "puts behind it",
            field="idempotency_key",
        )
    return key


def api_request(
    settings: Settings,
    route: str,
    body: bytes | Form | None,
    *,
    key: str | None = None,
    extra: Mapping[str, str] | None = None,
    method: str = "POST",
    tail: str = "",
    accept: str = "application/json",
    address: str | None = None,
) -> HttpRequest:
    """One request to the API with all its headers; of two headers of one name the more special wins.

    `address` is a whole URL of the API's own origin, in the place of base URL, path and query.
    """
    provider = settings.provider
    url = address or settings.base_url + provider.paths[route] + tail
    if provider.query and not address:
        from urllib.parse import urlencode

        url += ("&" if "?" in tail else "?") + urlencode(provider.query)
    headers: dict[str, tuple[str, str | Secret]] = {
        provider.auth_header.lower(): settings.credential,
        "accept": ("Accept", accept),
        "user-agent": ("User-Agent", USER_AGENT),
    }
    if isinstance(body, bytes):
        headers["content-type"] = "Content-Type", "application/json"
    if settings.organization:
        headers["openai-organization"] = "OpenAI-Organization", settings.organization
    if settings.project:
        headers["openai-project"] = "OpenAI-Project", settings.project
    for more in (provider.headers, settings.headers, extra_headers(extra) if extra is not None else {}):
        for name, value in more.items():
            headers[name.lower()] = name, Secret(value)
    if key is not None and provider.idempotency_header:
        headers[provider.idempotency_header.lower()] = provider.idempotency_header, key
    content, form = (body, None) if isinstance(body, bytes) else (None, body)
    return HttpRequest(method, url, tuple(headers.values()), content, form)


def extra_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of one call. Raises `InvalidRequestError` for one that cannot be sent."""
    try:
        return checked_headers(headers)
    except e.ConfigurationError as problem:
        raise e.InvalidRequestError(f"extra_headers: {problem}", field="extra_headers") from None
