"""What may be shown of a text that came from outside.

The rule: a message is shown to people and kept in logs, so it holds no key (nor a part of one, as vendors
like to repeat), no signature of a signed URL, and no full prompt. It is short, on one line, and printable on
any terminal.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn
from urllib.parse import quote, quote_plus

_KEYS = "(?i)" r"\b(?:sk|pk|rk)-[\w\-*.…]{3,}|\bBearer\s+\S+|(?<![\w\-])[\w\-]*\*{3,}[\w\-*]*"
_MASKED = r"(?<![\w\-])([\w\-]*)(?:\.{2,}|…+|\*+)([\w\-]*)"
_SIGNATURES = (
    "(?i)"
    r"((?:(?<![a-z_-])|(?<=%3f))(?:sig|signature|x-(?:amz|goog|oss|tos)-signature|"
    r"x-(?:amz|oss)-security-token|q-signature)(?:=|%3d))[^&\s\"'<>\\]+"
)
_LIMIT = 300


_SHORTEST_KEY = 4
"""Characters: a shorter key is none, and its letters are in every word."""


class Secret:
    """A text that never shows itself; `reveal()` is called where the request is put on the wire."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


def redact(text: str, *, key: str | None = None, prompt: str | None = None) -> str:
    """`text` with every trace of the key and the prompt, and every URL signature, replaced."""
    if key and len(key) >= _SHORTEST_KEY:
        text = text.replace(key, "***")
        for part in {token for token in re.findall(r"[\w\-]{6,}", text) if token in key}:
            text = text.replace(part, "***")
        text = re.sub(_MASKED, lambda found: "***" if _ends_of(key, found[1], found[2]) else found[0], text)
    if prompt:
        for form in _spellings(prompt):  # as words of their own: one letter is in every message
            text = re.sub(rf"(?<![a-zA-Z0-9]){re.escape(form)}(?![a-zA-Z0-9])", "‹prompt›", text)
    return re.sub(_SIGNATURES, r"\1***", re.sub(_KEYS, "***", text))


def _ends_of(key: str, head: str, tail: str) -> bool:
    return len(head + tail) > 3 and key.startswith(head) and key.endswith(tail)


def _spellings(prompt: str) -> list[str]:
    """How a prompt may be written in an answer, the longest first: JSON, Python, HTML, URLs or as it is."""
    import html

    forms = {prompt, " ".join(prompt.split()), repr(prompt)[1:-1], html.escape(prompt)}
    for ascii_only in (True, False):
        encoded = json.dumps(prompt, ensure_ascii=ascii_only)[1:-1]
        forms |= {encoded, json.dumps(encoded, ensure_ascii=ascii_only)[1:-1]}
    forms |= {quote(prompt, safe="", errors="replace"), quote_plus(prompt, errors="replace")}
    return sorted({form for text in forms for form in (text, text.strip()) if form}, key=len, reverse=True)


def one_line(text: str, limit: int = _LIMIT) -> str:
    """`text` on one line of at most `limit` characters, without control characters or lone surrogates."""
    if not text.isprintable():
        text = " ".join(text.encode("utf-8", "replace").decode().split())
        text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def redact_tree(value: object, *, key: str | None) -> object:
    """A decoded JSON value with `redact` applied to every string in it."""
    if isinstance(value, str):
        return redact(value, key=key)
    if isinstance(value, list):
        return [redact_tree(item, key=key) for item in value]
    if isinstance(value, dict):
        return {redact(str(name), key=key): redact_tree(item, key=key) for name, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def shown_url(url: str, limit: int = 120) -> str:
    """A URL for a message: without its query, in which the signature is, and without a name and password."""
    scheme, mark, rest = url.partition("?")[0].partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return one_line(scheme + mark + host.rpartition("@")[2] + slash + path, limit)
