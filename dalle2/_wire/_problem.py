"""The body of an answer that says no, whatever its envelope, flattened into one `Problem`.

Vendors and gateways wrap the same meaning in many ways: `{"error": {...}}`, a plain string, FastAPI's
`detail`, Cloudflare's problem document, HTML. The rule: reading one never raises, and nothing is decided
here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ._body import plain


class Problem(NamedTuple):
    """An error body, whatever its envelope, flattened. `enveloped` tells that the API itself wrote it."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    details: Mapping[str, object] = {}
    enveloped: bool = False


def _word(value: object) -> str | None:
    """A code, type or param: gateways write numbers, `""` and `"None"` there."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    return None if text in ("", "None", "null", "<nil>") else text


def text_of(value: object) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def read_problem(document: object, text: str) -> Problem:
    """The problem that an error body reports; `document` is `None` where the body is no JSON."""
    document = plain(document)
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, Mapping):
        error = document.get("error")
        if isinstance(error, Mapping):
            details = error.get("moderation_details") or error.get("innererror") or error.get("inner_error")
            return Problem(
                message=text_of(error.get("message"))
                or text_of(error.get("msg"))
                or text_of(error.get("error")),
                code=_word(error.get("code")),
                type=_word(error.get("type")),
                param=_word(error.get("param")),
                details=details if isinstance(details, Mapping) else {},
                enveloped=True,
            )
        if isinstance(error, str) and error:
            return Problem(message=error, code=_word(document.get("code")), enveloped=True)
        if document.get("cloudflare_error"):
            return Problem(message=text_of(document.get("title")) or text_of(document.get("detail")))
        detail = document.get("detail")
        if isinstance(detail, Mapping):
            return read_problem({"error": detail.get("error") or detail}, "")
        if isinstance(detail, list):
            first = detail[0] if detail and isinstance(detail[0], Mapping) else {}
            place = first.get("loc")
            field = ".".join(map(str, place)) if isinstance(place, list) else None
            return Problem(message=text_of(first.get("msg")), param=field, enveloped=True)
        message = text_of(detail) or text_of(document.get("message")) or text_of(document.get("msg"))
        return Problem(message=message, code=_word(document.get("code")), enveloped=bool(message))
    if isinstance(document, str):
        return Problem(message=document)
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return Problem(message="an HTML or XML page" + (f": {title[1].strip()}" if title else ""))
    return Problem(message=text.strip())
