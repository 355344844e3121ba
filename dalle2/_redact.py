"""What may be shown of a text that came from outside.

The rule: a message is shown to people and kept in logs, so it holds no key (nor a part of one, as vendors like to repeat),
no signature of a signed URL, and no full prompt. It is short, on one line, and printable on any terminal.
"""

from __future__ import annotations

import json
import re

_KEYS = re.compile(r"\b(?:sk|pk|rk)-[\w\-*.…]{3,}|\bBearer\s+\S+|[\w\-]*\*{3,}[\w\-*]*", re.IGNORECASE)
_SIGNATURES = re.compile(
    r"((?:^|[?&;\s])(?:sig|signature|x-(?:amz|goog|oss|tos)-signature|x-amz-security-token|q-signature)=)[^&\s\"']+",
    re.IGNORECASE,
)
_LIMIT = 300


def redact(text: str, *, key: str | None = None, prompt: str | None = None) -> str:
    """`text` with every trace of the key and the prompt, and every URL signature, replaced."""
    if key:
        text = text.replace(key, "***")
        for part in {token for token in re.findall(r"[\w\-]{6,}", text) if token in key}:
            text = text.replace(part, "***")
    if prompt:
        for form in {prompt, prompt.strip(), json.dumps(prompt)[1:-1], repr(prompt)[1:-1]}:
            if form:  # as words of their own: a prompt of one letter is in every message
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "‹prompt›", text)
    return _SIGNATURES.sub(r"\1***", _KEYS.sub("***", text))


def one_line(text: str, limit: int = _LIMIT) -> str:
    """`text` on one line of at most `limit` characters, without control characters or lone surrogates."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def redact_tree(value: object, *, key: str | None) -> object:
    """A decoded JSON value with `redact` applied to every string in it."""
    if isinstance(value, str):
        return redact(value, key=key)
    if isinstance(value, list):
        return [redact_tree(item, key=key) for item in value]
    if isinstance(value, dict):
        return {str(name): redact_tree(item, key=key) for name, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def shown_url(url: str, limit: int = 120) -> str:
    """A URL for a message: without its query, in which the signature is."""
    return one_line(url.partition("?")[0].partition("#")[0], limit)
