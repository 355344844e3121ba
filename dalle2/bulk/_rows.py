"""Rows become jobs: `read_jobs`.

The rule: rows are read one at a time and never held, and a row that cannot be used is refused by number,
column and value before anything is spent. The whole row stays in `Job.meta`; only what a template names
is sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike

import attrs

from .._requests._rules import WHOLE
from .._requests._values import GenerateRequest
from ..errors import InvalidRequestError
from ._jobs import Job, RowError
from ._table import open_table
from ._template import CellError, Maker, Row, Template, cell_text


@attrs.frozen
class Jobs(Iterable[Job]):
    """Jobs that stream from rows. From a file they can be iterated any number of times.

    `sent` are the columns that leave the machine, or `None` where a function makes the prompt; `columns` are
    all of the source's, where they are known beforehand.
    """

    __module__ = "dalle2.bulk"

    _rows: Callable[[], Iterable[Row]]
    _makers: Mapping[str, Template | Callable[[Row], object]]
    _fixed: Mapping[str, object]
    _id: str | None
    columns: tuple[str, ...] | None

    @property
    def sent(self) -> tuple[str, ...] | None:
        """The columns that leave the machine; `None` where a function decides."""
        if not all(isinstance(maker, Template) for maker in self._makers.values()):
            return None
        return tuple(dict.fromkeys(name for field in self._makers for name in self.columns_of(field)))

    def columns_of(self, field: str | None) -> tuple[str, ...]:
        """The columns from which a field of the request is made."""
        maker = self._makers.get(field or "")
        return maker.columns if isinstance(maker, Template) else ()

    def __iter__(self) -> Iterator[Job]:
        for number, row in enumerate(self._rows(), 1):
            if not isinstance(row, Mapping):
                raise RowError(
                    f"row {number} must be a mapping of columns; it is a {type(row).__name__}", row=number
                )
            yield self._job(number, row)

    def _job(self, number: int, row: Row) -> Job:
        fields: dict[str, object] = dict(self._fixed)
        field = "id"
        try:
            name = str(number) if self._id is None else cell_text(row, self._id).strip()
            for field, maker in self._makers.items():
                value = maker.fill(row) if isinstance(maker, Template) else _called(maker, row, field)
                fields[field] = _whole(value, field, self.columns_of(field)) if field in WHOLE else value
            return Job(name, GenerateRequest(**fields), dict(row))  # type: ignore[arg-type]
        except CellError as problem:
            raise RowError(
                f"row {number}, column {problem.column!r:.60}: {problem}",
                row=number,
                column=problem.column,
                field=field,
            ) from None
        except InvalidRequestError as error:
            columns = (self._id,) if error.field == "id" and self._id else self.columns_of(error.field)
            at = f", column {columns[0]!r:.60}" if columns else ""
            raise RowError(
                f"row {number}{at}: {error}",
                row=number,
                column=columns[0] if columns else None,
                field=error.field,
                allowed=error.allowed,
            ) from None


def _called(maker: Callable[[Row], object], row: Row, field: str) -> object:
    try:
        return maker(row)
    except Exception as problem:
        raise InvalidRequestError(
            f"the function for {field} failed: {type(problem).__name__}: {problem!s:.200}", field=field
        ) from problem


def _whole(value: object, field: str, columns: tuple[str, ...]) -> object:
    """A whole number from a text; anything else is left to the check of the request."""
    if not isinstance(value, str):
        return value
    text = value.strip().removesuffix(".0")  # a data frame with a gap makes floats of whole numbers
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise InvalidRequestError(f"{field} must be a whole number; it is {value!r:.40}", field=field)


def read_jobs(
    source: str | PathLike[str] | Iterable[Mapping[str, object]],
    *,
    prompt: Maker,
    id: str | None = None,
    n: int | Maker | None = None,
    size: Maker | None = None,
    response_format: Maker | None = None,
    model: Maker | None = None,
    user: Maker | None = None,
    quality: Maker | None = None,
    style: Maker | None = None,
    background: Maker | None = None,
    moderation: Maker | None = None,
    output_format: Maker | None = None,
    output_compression: int | Maker | None = None,
    extra_body: Mapping[str, object] | None = None,
    encoding: str | None = None,
) -> Jobs:
    """Jobs from rows: a `.csv`, `.tsv` or `.jsonl` file, or an iterable of mappings.

    `prompt` is a template of plain column names (`"Photo of {title}"`; `{{` for a brace) or a function of
    the row, and so may be the other fields of a request. `id` names the column whose value names the job;
    without it that is the row's number from 1. A data frame is `df.to_dict("records")`. Files are UTF-8
    (or UTF-16 with its mark) unless `encoding` says otherwise.

    The result streams: nothing is read but the head of a file before it is iterated. Only the columns that
    a template names are sent; each `Job.meta` keeps the whole row. Raises `InvalidRequestError` (for a bad
    row one with `.row`, the data row counted from 1, and `.column`), the built-in `OSError`s for a file.
    """
    given: dict[str, object] = {
        "prompt": prompt,
        "n": n,
        "size": size,
        "response_format": response_format,
        "model": model,
        "user": user,
        "quality": quality,
        "style": style,
        "background": background,
        "moderation": moderation,
        "output_format": output_format,
        "output_compression": output_compression,
    }
    makers: dict[str, Template | Callable[[Row], object]] = {}
    fixed: dict[str, object] = {} if extra_body is None else {"extra_body": extra_body}
    for field, value in given.items():
        if isinstance(value, str):
            makers[field] = Template.parse(value, field)
        elif callable(value):
            makers[field] = value
        elif value is not None or field == "prompt":
            fixed[field] = value
    if "prompt" in fixed:
        raise InvalidRequestError(
            f"prompt must be a template or a function of the row; it is a {type(prompt).__name__}",
            field="prompt",
        )
    if id is not None and not isinstance(id, str):
        raise InvalidRequestError(f"id must be the name of a column; it is {id!r:.40}", field="id")
    if isinstance(source, (str, os.PathLike)):
        table = open_table(source, encoding)
        jobs = Jobs(table.rows, makers, fixed, id, table.columns)
    elif isinstance(source, Iterable) and not isinstance(source, (Mapping, bytes)):
        rows: Iterable[Row] = source
        jobs = Jobs(lambda: rows, makers, fixed, id, None)
    else:
        hint = " (a data frame: df.to_dict('records'))" if hasattr(source, "to_dict") else ""
        raise InvalidRequestError(
            f"source must be a path or an iterable of mappings; it is a {type(source).__name__}{hint}",
            field="source",
        )
    _check_columns(jobs, makers, id)
    return jobs


def _check_columns(jobs: Jobs, makers: Iterable[str], id: str | None) -> None:
    """That the columns named are there, where that is known before the first row."""
    if jobs.columns is None:
        return
    named = [(field, column) for field in makers for column in jobs.columns_of(field)]
    for field, column in [*named, *([("id", id)] if id is not None else [])]:
        if column not in jobs.columns:
            listed = ", ".join(repr(known) for known in jobs.columns[:20])
            raise InvalidRequestError(
                f"{field}: there is no column {column!r:.60}; the columns are {listed:.400}",
                field=field,
                allowed=jobs.columns,
            )
