"""Files of rows: CSV, TSV and JSON lines, read one row at a time.

The rule: what spreadsheets and databases really write is read (a byte-order mark, other delimiters, quotes
across lines, cells of any length, one column only), and what cannot be read without guessing is refused with
the number of the row.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ..errors import InvalidRequestError
from ._jobs import RowError
from ._template import Row

if TYPE_CHECKING:
    from os import PathLike

_DELIMITERS = ",;\t|"
_NONE = "\x1f"  # a delimiter that no text holds: a single column keeps its commas
_LINES = (".jsonl", ".ndjson")


@attrs.frozen
class Table:
    """A file of rows: its columns, if they are known beforehand, and how to read it (again)."""

    columns: tuple[str, ...] | None
    rows: Callable[[], Iterator[Row]]


def open_table(source: str | PathLike[str], encoding: str | None = None) -> Table:
    """A table by its suffix. Raises `InvalidRequestError`, and the built-in `OSError`s."""
    path = Path(source)
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", *_LINES):
        raise InvalidRequestError(
            f"source must end in .csv, .tsv or .jsonl; {path.name!r:.60} does not (save it as CSV, or give "
            "an "
            "iterable of mappings)",
            field="source",
        )
    encoding = _encoding(path, encoding)
    if kind in _LINES:
        return Table(None, lambda: _json_rows(path, encoding))
    delimiter, header = _header(path, encoding, "\t" if kind == ".tsv" else None)
    return Table(tuple(dict.fromkeys(filter(None, header))), lambda: _csv_rows(path, encoding, delimiter))


def _encoding(path: Path, named: str | None) -> str:
    if named is not None:
        try:
            return codecs.lookup(named).name
        except (LookupError, TypeError):
            raise InvalidRequestError(
                f"encoding {named!r:.40} is not known: leave it out for UTF-8", field="encoding"
            ) from None
    with open(path, "rb") as file:
        start = file.read(4)
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    return "utf-8-sig"


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    with open(path, encoding=encoding, newline="") as file:
        yield file


def _undecodable(row: int, encoding: str, problem: UnicodeError) -> RowError:
    detail = (
        f"byte {problem.object[problem.start]:#04x}" if isinstance(problem, UnicodeDecodeError) else "a byte"
    )
    named = "UTF-8" if encoding == "utf-8-sig" else encoding
    return RowError(
        f"row {row}: the file is not {named} ({detail} near it cannot be read): save it as UTF-8, or say "
        "encoding=...",
        row=row,
        field="encoding",
    )


def _next_record(reader: Iterator[list[str]]) -> list[str]:
    """The next record, whatever the length of its cells: the limit is the process's, and is put back."""
    limit = csv.field_size_limit(sys.maxsize if sys.maxsize <= 2**31 - 1 or os.name != "nt" else 2**31 - 1)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(limit)


def _header(path: Path, encoding: str, only: str | None) -> tuple[str, list[str]]:
    """The delimiter and the names in the first record: the delimiter that makes the most of them."""
    best = _NONE, [""]
    for delimiter in only or _DELIMITERS:
        with _text(path, encoding) as file:
            try:
                record = _next_record(csv.reader(file, delimiter=delimiter))
            except StopIteration:
                raise InvalidRequestError(
                    f"{path.name} is empty: not even a header", field="source"
                ) from None
            except UnicodeError as problem:
                raise _undecodable(1, encoding, problem) from None
        if len(record) > len(best[1]) or best[1] == [""]:
            best = (delimiter if len(record) > 1 else _NONE), record
    names = [name.strip() for name in best[1]]
    if not any(names):
        raise InvalidRequestError(f"{path.name}: the first line must name the columns", field="source")
    return best[0], names


def _csv_rows(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    with _text(path, encoding) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        names: list[str] | None = None
        row = 0
        while True:
            try:
                record = _next_record(reader)
            except StopIteration:
                return
            except UnicodeError as problem:
                raise _undecodable(row + 1, encoding, problem) from None
            except csv.Error as problem:
                raise RowError(
                    f"row {row + 1}: {problem} (is a quote missing?)", row=row + 1, field="source"
                ) from None
            if names is None:
                names = [name.strip() for name in record]
                continue
            if not record:
                continue  # an empty line is no row
            row += 1
            if len(record) > len(names) and any(cell.strip() for cell in record[len(names) :]):
                raise RowError(
                    f"row {row} has {len(record)} cells and the header {len(names)}: is a cell with a "
                    "delimiter in it not quoted?",
                    row=row,
                    field="source",
                )
            yield _named(names, record)


def _named(names: list[str], record: list[str]) -> Row:
    """The cells by column; of two columns of one name the first counts, as in a spreadsheet's search."""
    cells: dict[str, object] = {}
    for name, cell in zip(names, record, strict=False):
        if name:
            cells.setdefault(name, cell)
    return cells


def _json_rows(path: Path, encoding: str) -> Iterator[Row]:
    with _text(path, encoding) as file:
        row = 0
        lines = iter(file)
        while True:
            try:
                line = next(lines, None)
            except UnicodeError as problem:
                raise _undecodable(row + 1, encoding, problem) from None
            if line is None:
                return
            if not line.strip():
                continue
            row += 1
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise RowError(
                    f"row {row} is not JSON: {problem!s:.120} (one object a line)", row=row, field="source"
                ) from None
            if not isinstance(value, dict):
                raise RowError(
                    f"row {row} must be a JSON object; it is a {type(value).__name__}",
                    row=row,
                    field="source",
                )
            yield value
