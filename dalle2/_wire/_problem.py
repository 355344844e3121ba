"""The body of an answer that says no, whatever its envelope, flattened into one `Problem`.

Vendors and gateways wrap the same meaning in many ways: `{"error": {...}}`, a plain string, FastAPI's
`detail`, Cloudflare's problem document, HTML. The rule: reading one never raises, and nothing is
decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ._body import plain


class Problem(NamedTuple):
    """An error body, whatever its envelope, flattened.

    `enveloped`: the API's own envelope, an error object. `page`: HTML or XML, which no API writes. A bare
    `message`, `msg` or `detail` is neither: gateways and load balancers write that, too.
    """

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    details: Mapping[str, object] = {}
    enveloped: bool = False
    page: bool = False


BLANK = "\ufeff \t\r\n"
"""What may stand before a body begins."""

_MESSAGES = (
    "message",
    "msg",
    "error_msg",
    "errmsg",
    "error_message",
    "status_msg",
    "fail_reason",
    "reason",
    "detail",
)
_CODES = ("code", "error_code", "errcode", "status_code")
# Where error objects lie besides `error`: JSON:API, Tencent Cloud, Volcengine, MiniMax.
_HOMES = (("errors",), ("response", "error"), ("responsemetadata", "error"), ("base_resp",))


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
        return _of_mapping(document)
    if isinstance(document, str):
        return Problem(message=document)
    if text.lstrip(BLANK).startswith("<"):
        title = re.search(r"<title[^>]{0,200}>([^<]{0,300})</title>", text, re.IGNORECASE)
        return Problem("an HTML or XML page" + (f": {title[1].strip()}" if title else ""), page=True)
    return Problem(message=text.strip())


def _of_mapping(document: Mapping[str, object]) -> Problem:
    error = document.get("error")
    if isinstance(error, Mapping):
        return _of_error(error)
    if isinstance(error, str) and error:
        return Problem(message=error, code=_first_word(document, _CODES), type=_word(document.get("type")))
    if document.get("cloudflare_error"):
        return Problem(message=text_of(document.get("title")) or text_of(document.get("detail")))
    detail = document.get("detail")
    if isinstance(detail, Mapping):
        inner = detail.get("error")
        return _of_mapping({"error": inner}) if inner else _of_error(detail)
    if isinstance(detail, list):
        first = detail[0] if detail and isinstance(detail[0], Mapping) else {}
        place = first.get("loc")
        field = ".".join(map(str, place)) if isinstance(place, list) else None
        return Problem(message=text_of(first.get("msg")), param=field, enveloped=True)
    for home in _HOMES:
        found = _at(document, home)
        if found is not None:
            return _of_error(found)
    return Problem(
        message=_first_text(document, _MESSAGES),
        code=_first_word(document, _CODES),
        type=_word(document.get("type")),
    )


def _at(document: Mapping[str, object], path: tuple[str, ...]) -> Mapping[str, object] | None:
    """The error object at a path, whose names may be written in any case."""
    value: object = document
    for name in path:
        value = _lower(value).get(name) if isinstance(value, Mapping) else None
        value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, Mapping) else None


def _of_error(error: Mapping[str, object]) -> Problem:
    """The problem of an error object."""
    fields = _lower(error)
    details = error.get("moderation_details") or error.get("innererror") or error.get("inner_error")
    return Problem(
        message=_first_text(fields, (*_MESSAGES, "error")),
        code=_first_word(fields, _CODES),
        type=_word(fields.get("type")),
        param=_word(fields.get("param")),
        details=details if isinstance(details, Mapping) else {},
        enveloped=True,
    )


def _lower(fields: Mapping[str, object]) -> dict[str, object]:
    return {str(name).lower(): value for name, value in fields.items()}


def _first_text(fields: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := text_of(fields.get(name)))), "")


def _first_word(fields: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    return next((word for name in names if (word := _word(fields.get(name))) is not None), None)
