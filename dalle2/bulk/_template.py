"""Templates over named columns: `Photo of {title}, {colour} background`.

The rule: a name in braces is the name of a column and nothing else, so `{Body (HTML)}` and `{a.b}` are
columns of these names. Nothing is ever formatted: no attribute of a value is looked up, no conversion is made
and no width is filled. Only what a template names can leave the machine.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from ..errors import InvalidRequestError

Row: TypeAlias = Mapping[str, object]
Maker: TypeAlias = str | Callable[[Row], object]
"""A template, or a function of the row."""

BLANK_WORDS = frozenset({"nan", "NaN", "null", "NULL", "<NA>", "NaT"})
"""What programs write for a value that is not there. `Nan`, the bread, is none of them."""


class CellError(ValueError):
    """A cell that cannot be used; `column` is the one."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(problem)
        self.column = column


@attrs.frozen
class Template:
    """A text with columns in it: alternating literals and column names."""

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str, field: str) -> Template:
        """Read a template. Raises `InvalidRequestError` naming the field."""
        parts = []
        try:
            for literal, name, spec, conversion in string.Formatter().parse(text):
                if name is not None:
                    _check_name(name, spec, conversion, field)
                parts.append((literal, name))
        except InvalidRequestError:
            raise
        except ValueError as problem:
            raise InvalidRequestError(
                f"{field}: the template cannot be read ({problem}): write {{column}} for a column and "
                "{{ or }} for a brace",
                field=field,
            ) from None
        return cls(tuple(parts))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, each once, in order."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))

    def fill(self, row: Row) -> str:
        """The text for one row. Raises `CellError`."""
        return "".join(
            literal if name is None else literal + cell_text(row, name) for literal, name in self.parts
        )


def _check_name(name: str, spec: str | None, conversion: str | None, field: str) -> None:
    if spec or conversion:
        raise InvalidRequestError(
            f"{field}: {{{name}...}} has a conversion or a width, and only plain column names can stand in "
            "braces: prepare the column beforehand, or give a function of the row; a brace itself is {{",
            field=field,
        )
    if not name.strip() or "{" in name or "}" in name:
        raise InvalidRequestError(
            f"{field}: between braces must stand a column's name, not {name!r:.40}; a brace itself is {{{{",
            field=field,
        )


def is_missing(value: object) -> bool:
    """Whether a cell says nothing: `None`, NaN and its kin, an empty text, or a word written for these."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip() or value in BLANK_WORDS
    if getattr(value, "ndim", 0):
        return False  # an array, which `cell_text` refuses
    try:
        return bool(value != value)
    except TypeError:  # the NA of pandas refuses to be compared
        return True


def cell_text(row: Row, column: str) -> str:
    """A cell as text. Raises `CellError` for one that is missing, or is no single value."""
    if column not in row:
        raise CellError(column, "is missing in this row")
    value = row[column]
    if is_missing(value):
        shown = "" if value is None or (isinstance(value, str) and not value.strip()) else f" ({value!s:.20})"
        raise CellError(column, f"is empty{shown}")
    if isinstance(value, (Mapping, list, tuple, set, bytes)) or getattr(value, "ndim", None):
        raise CellError(column, f"is no single value: it is a {type(value).__name__}")
    text = value if isinstance(value, str) else str(value)
    if "\0" in text:
        raise CellError(column, "holds a NUL character: was the file written in another encoding?")
    return text
