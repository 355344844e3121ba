"""A multipart form as plain values: what travels with an edit or a variation.

Apart from `_http`, because a generation needs none of it.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class FilePart:
    """One file of a multipart form. Its bytes are held, so that a repeated attempt sends the same ones."""

    name: str
    filename: str
    content_type: str
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")


@attrs.frozen
class Form:
    """A multipart form: text fields in order, then files in order."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[FilePart, ...]
