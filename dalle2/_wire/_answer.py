"""What is known of every answer, good or bad: for whom it is, the host's name for it, and whether it failed.

Apart from `_errors`, so that a call that goes well loads nothing of what tells errors apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._secrets import one_line

if TYPE_CHECKING:
    from .._secrets import Secret

_ID_IN_MESSAGE = "(?i)" r"request[ _-]id[:=]?\s*((?=[\w-]*\d)[\w-]{8,})"
_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-oneapi-request-id",
    "x-litellm-call-id",
)


class Asked:
    """What the error of a call needs to know about the call: for redaction and for the way on."""

    __slots__ = (
        "host",
        "idempotency_key",
        "key",
        "key_names",
        "model",
        "paid",
        "prompt",
        "request",
        "retired",
        "successor",
    )

    def __init__(
        self,
        key: Secret,
        prompt: str | None,
        model: str,
        host: str,
        key_names: tuple[str, ...] = (),
        request: object = None,
        idempotency_key: str | None = None,
        retired: bool = False,
        successor: str | None = None,
        paid: bool = True,
    ) -> None:
        self.key = key
        self.prompt = prompt
        self.model = model
        self.host = host
        self.key_names = key_names
        self.request = request
        self.idempotency_key = idempotency_key
        self.retired = retired
        self.successor = successor
        self.paid = paid


def request_id(headers: Mapping[str, str], message: str = "") -> str | None:
    """The host's own name for the request: from a header, else the message, else the proxy's (Cloudflare)."""
    for name in _ID_HEADERS:
        if name in headers and (header := one_line(headers[name])):
            return header
    found = re.search(_ID_IN_MESSAGE, message)
    return found[1] if found else one_line(headers.get("cf-ray", "")) or None


def reports_failure(document: object) -> bool:
    """Whether a document of a 2xx answer says that the call failed after all."""
    return isinstance(document, dict) and bool(document.get("error")) and not document.get("data")
