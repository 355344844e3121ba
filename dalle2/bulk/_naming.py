"""What the file of each image is called: `{id}-{index}`.

The rule: a name stays in its folder, is legal on every common system, and is known before anything is spent,
but for the suffix, which comes from the bytes. What a value may not say in a name becomes `-`; only the
template itself can make folders.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import attrs

from ..errors import InvalidRequestError
from ._template import CellError, Template, is_missing

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".avif", ".bin")
"""What images end in."""
_ILLEGAL = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(
    "(?i)" r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?= *(?:\.|\Z))"
)
_MOST_BYTES = 240  # of 255 on most systems: a suffix must fit


@attrs.frozen
class Naming:
    """A template for names. `whole` says that it ends in a suffix of its own."""

    template: Template
    whole: bool

    @classmethod
    def parse(cls, text: str) -> Naming:
        """Read a template. Raises `InvalidRequestError`."""
        if not isinstance(text, str) or not text:
            raise InvalidRequestError(
                f"name must be a template such as {{id}}-{{index}}; it is {text!r:.40}", field="name"
            )
        template = Template.parse(text, "name")
        literal, column = template.parts[-1]
        return cls(template, column is None and literal.lower().endswith(SUFFIXES))

    @property
    def has_folders(self) -> bool:
        """Whether the names lie in folders of their own."""
        return any("/" in literal for literal, _ in self.template.parts)

    def name(self, id: str, index: int, meta: Mapping[str, object]) -> str:
        """The name of one image, relative, with `/` between folders. Raises `InvalidRequestError`."""
        values = {**meta, "id": id, "index": str(index)}
        safe = {
            column: value if is_missing(value) else _ILLEGAL.sub("-", str(value))
            for column, value in values.items()
            if column in self.template.columns
        }
        try:
            text = self.template.fill(safe)
        except CellError as problem:
            raise InvalidRequestError(
                f"name: column {problem.column!r:.60} {problem}", field="name"
            ) from None
        return "/".join(_part(part, text) for part in text.split("/"))


def _part(part: str, whole: str) -> str:
    if part.strip(" .") == "":
        raise InvalidRequestError(
            f"name: {whole!r:.80} leaves the folder or names no file: change the template or the id",
            field="name",
        )
    part = unicodedata.normalize("NFC", _ILLEGAL.sub("-", part))
    part = re.sub(r"[ .]+\Z", lambda end: "-" * len(end[0]), part)  # Windows would cut them off
    part = _DEVICES.sub(lambda device: f"{device[0]}-", part) if _DEVICES.match(part) else part
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        raise InvalidRequestError("name: it holds half of a surrogate pair", field="name") from None
    if size > _MOST_BYTES:
        raise InvalidRequestError(
            f"name: {part[:40]!r}... has {size} bytes, a file name at most {_MOST_BYTES}: use a shorter id "
            "or template",
            field="name",
        )
    return part


def folded(name: str) -> str:
    """What two names share that are one file on some common system."""
    return unicodedata.normalize("NFC", name).casefold()


def stem(name: str) -> str:
    """A file's name without the suffix of an image."""
    low = name.lower()
    return next((name[: -len(suffix)] for suffix in SUFFIXES if low.endswith(suffix)), name)
