"""The wire of the Batch API: the lines of its files, what it says of a batch, and its lists.

Sources: OpenAI's specification, `Batch`, `CreateBatchRequest` and `OpenAIFile`; the lines as in
https://developers.openai.com/api/docs/guides/batch.md. That guide does not show a line of images, so a line
is read by what is in it: wherever the answer stands, it is read like any other answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ._body import JsonBody, LongText, plain
from ._images import Unreadable
from ._problem import Problem, text_of

if TYPE_CHECKING:
    from .._http import HttpResponse

ENDPOINT = "/v1/images/generations"
MOST_LINES, MOST_BYTES = 50_000, 200 * 1000 * 1000
"""What an input file may hold. Source: `CreateBatchRequest` in the specification."""

PAGE = 100
"""Rows of a list that are asked for at once."""

_ENDS = ("completed", "failed", "expired", "cancelled")
_UNDONE = ("batch_expired", "batch_cancelled")
_LONGEST_LINE = 1 << 30


class BatchInfo(NamedTuple):
    """What a host says of a batch. `status` is one of `completed`, `failed`, `expired`, `cancelled` once it
    has ended. `problem` is why it failed, `completed` how many lines went well, if that is told.
    """

    id: str
    status: str
    files: tuple[str, ...] = ()
    metadata: Mapping[str, object] = {}
    problem: Problem | None = None
    completed: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDS

    @property
    def leaves_undone(self) -> bool:
        """Whether lines of it may not have been carried out, and are not billed then."""
        return self.status != "completed"


def encode_line(custom_id: str, body: bytes) -> bytes:
    """The line of one request. In ASCII: what else ends a line in Unicode would end it for some readers."""
    values = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": json.loads(body)}
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def read_id(document: object, response: HttpResponse | None = None) -> str:
    """The id of a file. Raises `Unreadable`."""
    name = document.get("id") if isinstance(document, Mapping) else None
    if not isinstance(name, str) or not name:
        raise Unreadable("id", "there is no id")
    return name


def read_batch(document: object, response: HttpResponse | None = None) -> BatchInfo:
    """A batch. Raises `Unreadable`."""
    name = read_id(document)
    assert isinstance(document, Mapping)
    status = text_of(document.get("status")).lower().replace("canceled", "cancelled")
    if status not in _ENDS:  # a word that is not known here, and a time that is
        status = next((end for end in _ENDS if document.get(f"{end}_at")), status)
    found = (document.get("output_file_id"), document.get("error_file_id"))
    metadata, counts = document.get("metadata"), document.get("request_counts")
    completed = counts.get("completed") if isinstance(counts, Mapping) else None
    return BatchInfo(
        name,
        status,
        tuple(file for file in found if isinstance(file, str) and file),
        {str(key): plain(value) for key, value in metadata.items()} if isinstance(metadata, Mapping) else {},
        _problem(plain(document.get("errors"))) if status == "failed" else None,
        completed if type(completed) is int else None,
    )


def _problem(errors: object) -> Problem:
    listed = errors.get("data") if isinstance(errors, Mapping) else errors
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], Mapping) else {}
    line, message = first.get("line"), text_of(first.get("message"))
    at = f" (line {line} of {len(listed)} with errors)" if isinstance(listed, list) and line else ""
    return Problem(message + at, text_of(first.get("code")) or None, enveloped=True)


class Page(NamedTuple):
    """A part of a list: its rows, and the id after which the next part begins."""

    rows: tuple[Mapping[str, object], ...]
    after: str | None


def read_page(document: object, response: HttpResponse | None = None) -> Page:
    """A part of a list. Raises `Unreadable`."""
    rows = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise Unreadable("data", "there is no list")
    assert isinstance(document, Mapping)
    kept = tuple(row for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), str))
    more = document.get("has_more", len(rows) >= PAGE)
    return Page(kept, text_of(kept[-1]["id"]) if kept and more is True else None)


class Lines:
    """Takes the bytes of a file as they come; gives each line once it is whole. Its pictures are decoded
    while they arrive, and no line is held but the one that is on its way.
    """

    def __init__(self) -> None:
        self._line = JsonBody(_LONGEST_LINE)

    def feed(self, chunk: bytes) -> Iterator[JsonBody]:
        """The lines that this chunk completes."""
        while (end := chunk.find(b"\n")) >= 0:
            self._line.feed(chunk[:end])
            chunk = chunk[end + 1 :]
            yield from self.finish()
        self._line.feed(chunk)

    def finish(self) -> Iterator[JsonBody]:
        """The line that is open, at the end of the file."""
        line, self._line = self._line, JsonBody(_LONGEST_LINE)
        if line.size > 64 or line.raw().strip():
            yield line


class Inner:
    """A part of a document, read like a body of its own."""

    __slots__ = ("_document", "_whole")

    def __init__(self, document: object, whole: JsonBody) -> None:
        self._document = document
        self._whole = whole

    def document(self) -> object:
        """The part; `ValueError` if it is a text and not one complete document."""
        if isinstance(self._document, (str, LongText)):  # JSON within JSON
            return self._inner().document()
        return self._document

    def text(self) -> str:
        """Its beginning as text."""
        if isinstance(self._document, (str, LongText)):
            return self._inner().text()
        return json.dumps(plain(self._document))[:8192]

    def raw(self) -> bytes:
        """The whole line, byte for byte."""
        return self._whole.raw()

    def holds(self, text: bytes) -> bool:
        """Whether the text stands somewhere in the line, outside the pictures."""
        return self._whole.holds(text)

    def _inner(self) -> JsonBody:
        body = JsonBody()
        body.feed(str(plain(self._document)).encode("utf-8", "surrogatepass"))
        return body


class Line(NamedTuple):
    """What one line says: of which request, under which status, and the answer. `undone`: it was not carried
    out before the batch ended.
    """

    custom_id: str
    status: int
    answer: Inner
    request_id: str | None = None
    undone: bool = False


def _plainly(part: object, body: JsonBody) -> object:
    """A part of a line, which some write as a text within the text."""
    try:
        return Inner(part, body).document()
    except ValueError:
        return part


def read_line(body: JsonBody) -> Line:
    """A line of an output or error file. Raises `Unreadable` for one that names no request."""
    try:
        document = body.document()
    except ValueError:
        raise Unreadable("", "it is not one complete JSON document") from None
    fields: Mapping[str, object] = document if isinstance(document, dict) else {}
    name = fields.get("custom_id")
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise Unreadable("custom_id", "there is none")
    response, error = _plainly(fields.get("response"), body), fields.get("error")
    inner: Mapping[str, object] = response if isinstance(response, dict) else {}
    code = error.get("code") if isinstance(error, dict) else None
    status = inner.get("status_code", inner.get("status"))
    if isinstance(status, str) and status.isdecimal() and len(status) == 3:
        status = int(status)
    known = status if type(status) is int and 100 <= status < 600 else 400 if error else 200
    answer = inner.get("body")
    if answer is None:
        answer = {"error": error} if error else inner or fields.get("body")
    identity = inner.get("request_id")
    return Line(
        str(name).strip(),
        known,
        Inner(answer, body),
        identity if isinstance(identity, str) and identity else None,
        not inner and code in _UNDONE,
    )
