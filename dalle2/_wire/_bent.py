"""Base64 and data URIs that somebody bent on the way.

The rule: each way in which relays bend them (`+` that became a space, percent signs, entities, escapes that
were escaped, a prefix without its comma, hexadecimal digits) is undone, and what comes out must be an image.
Of two readings the one wins that is a whole image.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from .._image._media import ImageCheck, ImageError, sniff
from ._body import decode_base64

_PREFIX = (
    "(?i)"
    r"\s{0,9}[\"'<(]?(?:b['\"])?\s{0,9}(?:data\s{0,9}[:;,]+\s{0,9})?(image/[\w.+-]{1,40})?"
    r"(?:\s{0,9};\s{0,9}[\w-]{1,20}=[\w.-]{1,40}){0,4}[\s;,]{0,9}(?:base64(?![\w+/]{0,3}=|$))?[\s,:;=]{0,9}"
)
_HEX = r"(?i)(?:89504e47|ffd8ff|47494638|52494646)[0-9a-f]+"
_JUNK = str.maketrans("", "", "\ufeff\u200b\u200c\u200d\u2060\xa0\"'`<>)\\")
_WORDS = rb"[\t\n\r -~]*"
_SMALLEST = 64
"""Bytes: what is less is no image, whatever it is called."""

_MOST_PREFIXES = 3
"""A relay may put a prefix before one that is there."""


def unbent(text: str) -> tuple[bytes, str | None] | None:
    """The image behind a text, and the type that its prefix names; `None` if there is none."""
    named, rest = _without_prefix(text)
    readings = [(content, named) for content in _readings(rest)]
    images = [one for one in readings if sniff(one[0][:512]) is not None]
    if not images and named is not None:  # of a kind that is not known here, by its own word
        images = [
            one for one in readings if len(one[0]) >= _SMALLEST and not re.fullmatch(_WORDS, one[0][:512])
        ]
    return next((one for one in images if is_whole(one[0])), images[0] if images else None)


def is_whole(content: bytes) -> bool:
    """Whether bytes are one whole image."""
    check = ImageCheck()
    try:
        check.feed(content)
        check.finish()
    except ImageError:
        return False
    return True


def _without_prefix(text: str) -> tuple[str | None, str]:
    """The type that stands before the base64, and the rest."""
    named = None
    if "%" in text[:400]:
        text = unquote(text[:400], errors="replace") + text[400:]
    for _ in range(_MOST_PREFIXES):
        found = re.match(_PREFIX, text[:400])
        if found is None or not found.end():
            break
        named = found[1] or named
        text = text[found.end() :]
    return named.lower() if named else None, text


def _readings(text: str) -> Iterator[bytes]:
    """What the text may stand for, the likeliest first."""
    if "%" in text:
        text = unquote(text, errors="replace")
    if "&" in text:
        import html

        text = html.unescape(text)
    if "\\" in text:
        text = re.sub(r"(?<!\\)\\++[rnt]", "", text).replace("\\", "")
    text = text.translate(_JUNK).strip()
    if re.fullmatch(_HEX, text) and not len(text) % 2:
        yield bytes.fromhex(text)
    spellings = [text]
    if " " in text:  # wrapped, or a plus sign that somebody took for a form's
        spellings.append(text.replace(" ", "+"))
    for spelling in spellings:
        try:
            content = decode_base64(_trimmed(spelling))
        except ValueError:
            continue
        yield content
        if content[:4] in (b"iVBO", b"/9j/", b"R0lG", b"UklG", b"data"):  # encoded twice
            try:
                yield decode_base64(content.decode("ascii").partition(",")[2] or content.decode("ascii"))
            except (ValueError, binascii.Error):
                continue


def _trimmed(text: str) -> str:
    """Without what follows the padding, and without padding that is too long."""
    body, equals, rest = text.partition("=")
    return body if equals and len(rest.strip("= \r\n\t")) < 4 else text
