"""What may be shown of a text that came from outside.

The rule: a message is shown to people and kept in logs, so it holds no key (nor a part of one, as vendors
like to repeat), no signature of a signed URL, and no full prompt. It is short, on one line, and printable on
any terminal: what is shown passes `one_line`, which lets no text move a cursor, turn a line round or hide a
letter. The patterns here go over a text once, however it is made; all others look at its beginning only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote, quote_plus

_KEYS = "(?i)" r"\b(?:sk|pk|rk)-[\w\-*.…]{3,}|\bBearer\s+\S+|(?<![\w\-])[\w\-]*\*{3,}[\w\-*]*"
_MASKED = r"(?<![\w\-])([\w\-]*)(?:\.{2,}|…+|\*+)([\w\-]*)"
_SIGNATURES = (
    "(?i)"
    r"((?:(?<![a-z_-])|(?<=%3f))(?:sig|signature|x-(?:amz|goog|oss|tos)-signature|"
    r"x-(?:amz|oss)-security-token|q-signature)(?:=|%3d))[^&\s\"'<>\\]+"
)
_MARK = "\N{REPLACEMENT CHARACTER}"
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters by their kind, and nothing on a screen."""

_LIMIT = 300
AT_ONCE = 16_384
"""Characters of a host's text that decide what it means; what follows is kept, and not looked at."""

_COOKIES = ("set-cookie", "set-cookie2")
_SUSPICIOUS = ("sk-", "pk-", "rk-", "bearer", "***", "..", "…", "sig", "token")
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
        return other._text == self._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


def redact(text: str, *, key: str | None = None, prompt: str | None = None) -> str:
    """`text` with every trace of the key and the prompt, and every URL signature, replaced."""
    if key and len(key) >= _SHORTEST_KEY:
        for form in _forms_of(key):
            text = text.replace(form, "***")
    if prompt:
        for form in _spellings(prompt):  # as words of their own: one letter is in every message
            text = re.sub(rf"(?<![a-zA-Z0-9]){re.escape(form)}(?![a-zA-Z0-9])", "‹prompt›", text)
    if key and len(key) >= _SHORTEST_KEY:
        text = re.sub(r"[\w\-]{6,}", lambda found: "***" if found[0] in key else found[0], text)
        text = re.sub(_MASKED, lambda found: "***" if _ends_of(key, found[1], found[2]) else found[0], text)
    return re.sub(_SIGNATURES, r"\1***", re.sub(_KEYS, "***", text))


def _forms_of(key: str) -> list[str]:
    """How a key may be written in an answer: as it is, in JSON, in a URL, in HTML."""
    if key.replace("-", "").replace("_", "").isalnum():
        return [key]
    import html

    return [key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote(key, safe=""), html.escape(key)]


def redact_bytes(raw: bytes, *, key: str | None) -> bytes:
    """A body with the key taken out, and whole otherwise: a URL in it keeps the signature that it needs."""
    if not key or len(key) < _SHORTEST_KEY:
        return raw
    for form in _forms_of(key):
        raw = raw.replace(form.encode(), b"***")
    whole = key.encode()
    if whole[:_SHORTEST_KEY] in raw:  # part of a key, as vendors like to repeat it
        raw = re.sub(rb"[\w\-]{8,}", lambda found: b"***" if found[0] in whole else found[0], raw)
    return raw


def shown_headers(headers: Mapping[str, str], *, key: str | None) -> dict[str, str]:
    """The headers of an answer without cookies and without a trace of the key."""
    kept = {name: value for name, value in headers.items() if name not in _COOKIES}
    if not suspicious("\n".join((*kept, *kept.values())), key):
        return kept
    return {redact(name, key=key): redact(value, key=key) for name, value in kept.items()}


def suspicious(text: str, key: str | None) -> bool:
    """Whether a text may hold something to take out: told at once, since nearly every answer has nothing."""
    if key and (key[:6] in text or key[-6:] in text):
        return True
    low = text.lower()
    return any(mark in low for mark in _SUSPICIOUS)


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
    """`text` on one line of at most `limit` characters that writes nothing but itself on any terminal.

    What moves a cursor, turns the line round or cannot be seen shows as a replacement character: control and
    format characters, lone surrogates.
    """
    cut = len(text) > AT_ONCE
    text = text[:AT_ONCE]
    if not text.isprintable() or any(char in text for char in _UNSEEN):
        text = " ".join(text.encode("utf-8", "replace").decode().split())
        shown = (
            char if char.isprintable() and char not in _UNSEEN else "\N{REPLACEMENT CHARACTER}"
            for char in text
        )
        text = "".join(shown)
    line = " ".join(text.split())
    return line if len(line) <= limit and not cut else line[: limit - 1] + "…"


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
    return one_line(redact(scheme + mark + host.rpartition("@")[2] + slash + path), limit)


_KEY_LIKE = r"(?=[0-9A-Za-z]{0,40}[0-9])[0-9A-Za-z]{16}"
"""No name of a model or a host has as long a part with a digit in it."""


def quoted(value: object) -> str:
    """A value that was given, for a message about it: short, harmless, and never an error of its own.

    What may be a key in the wrong place is not repeated.
    """
    if isinstance(value, str) and (len(value) > 40 or redact(value) != value or re.search(_KEY_LIKE, value)):
        return f"a text of {len(value)} characters"
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"<integer of about {value.bit_length() * 30103 // 100000 + 1} digits>"
    try:
        text = repr(value)
    except Exception:  # whatever the caller's own `repr` does
        return f"a {type(value).__name__}"
    return one_line(text, 40)
