"""An answer that says yes and is not plainly a list of images: what it holds, and what it is otherwise.

The rule: images come first, wherever they stand and whatever is wrong around them; then a task that is still
being made, then a reason that the host gives. What is cut short keeps what came whole. Nothing here raises,
and nothing is taken for an image that is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .._image._data import ImageData, ImagesData
from .._image._media import sniff
from .._secrets import one_line, redact
from ._anywhere import find, objects_of
from ._bent import is_whole
from ._body import LongText, plain
from ._images import Unreadable, answer_of, created_at, read_images, read_item, without_key
from ._loosely import deeper_than, read_loosely
from ._problem import BLANK, Problem, read_problem
from ._relays import meaning_of_code
from ._responses import Task, reduce_answer, said_on_the_way, unfinished

if TYPE_CHECKING:
    from .._http import HttpResponse
    from ._context import Context

_DEEPEST = 100
_MOST = 1 << 28
"""Bytes that are looked at: an answer of ten large images is half as long."""
_WELL = (None, "0", "200", "ok", "OK", "Success", "success", "succeeded", "completed")
_REASONS = ("finish_reason", "finishReason", "blockReason", "block_reason")


class Reading(NamedTuple):
    """What an answer holds. `cut`: it is no whole document, so that more may have been on its way."""

    data: ImagesData
    problem: Unreadable | Problem | None = None
    task: Task | None = None
    cut: bool = False


def read_any(document: object, response: HttpResponse, context: Context) -> Reading:
    """What a document holds that is not plainly a list of images. Never raises."""
    reduced = reduce_answer(document)
    problem: Unreadable | Problem | None
    data, problem = read_images(reduced if isinstance(reduced, Mapping) else document, response, context)
    if isinstance(reduced, Mapping) and problem is None:
        return Reading(data)
    if isinstance(reduced, Task) and unfinished(document):
        return Reading(data, task=reduced)
    found = _found(document, response, context)
    if len(found.images) > len(data.images):
        problem = problem if len(found.images) < _listed(document) else None
        data = found
    if isinstance(reduced, Problem):  # its own status is that it failed
        return Reading(data, reduced)
    if not data.images and isinstance(reduced, Task):
        return Reading(data, task=reduced)
    if not data.images:
        problem = _reason(document) or problem or Unreadable("data", "there is no list of images")
        if isinstance(problem, Unreadable) and (said := _said(document, context)):
            problem = Unreadable(problem.path, f"{problem.problem}; it said: {said}")
    return Reading(data, problem)


def read_damaged(response: HttpResponse, context: Context) -> Reading:
    """What a body holds that is no JSON document: an image, a text, events, JSON that is odd or cut."""
    raw, made = response.body.raw(), created_at(None, response)
    if sniff(raw[:512]) is not None:
        images = [_picture(raw, response, context)] if is_whole(raw) else []
        return Reading(answer_of({}, images, made, response, context), cut=not images)
    text = response.body.text().lstrip(BLANK)
    if text.startswith("<"):  # a page, whatever it shows
        return Reading(answer_of({}, [], made, response, context), cut=True)
    document, whole = _document(raw[:_MOST], text)
    if deeper_than(document, _DEEPEST):
        return Reading(_found(document, response, context), cut=not whole)
    document = without_key(document, context)
    if not whole:
        return Reading(_found(document, response, context), cut=True)
    reading = read_any(document, response, context)
    known = reading.data.images or reading.task or isinstance(reading.problem, Problem)
    return reading if known else reading._replace(problem=None, cut=True)


def images_in(response: HttpResponse, context: Context) -> tuple[ImageData, ...]:
    """The images that came whole with an answer that broke off."""
    try:
        document = response.body.document()
    except ValueError:
        return read_damaged(response, context).data.images
    return read_any(document, response, context).data.images


def _found(document: object, response: HttpResponse, context: Context) -> ImagesData:
    """The images of a document of any shape."""
    fields: Mapping[str, object] = document if isinstance(document, Mapping) else {}
    inner = fields.get("response")
    level = inner if isinstance(inner, Mapping) and "created_at" in inner else fields
    created = created_at(level.get("created") or level.get("created_at"), response)
    images, used = [], set()
    for one in find(document, context.base_url):
        path = one_line(redact(one.path, key=context.key.reveal()), 120)
        images.append(read_item(dict(one.item), path, created, context, fields.get("output_format")))
        used |= {id(text) for text in one.used}
    kept = {} if deeper_than(document, _DEEPEST) else _without(fields, used)
    assert isinstance(kept, dict)
    kept.pop("created", None)
    return answer_of(kept, images, created, response, context)


def _without(value: object, used: set[int]) -> object:
    """A document without the texts that are images, by their identity."""
    if isinstance(value, Mapping):
        return {str(name): _without(item, used) for name, item in value.items() if id(item) not in used}
    if isinstance(value, list):
        return [_without(item, used) for item in value if id(item) not in used]
    return value


def _picture(raw: bytes, response: HttpResponse, context: Context) -> ImageData:
    """The image that a body is."""
    import base64

    item = {"b64_json": base64.b64encode(raw).decode()}
    return read_item(item, "", created_at(None, response), context)


def _document(raw: bytes, text: str) -> tuple[object, bool]:
    """What a body that is no JSON may be read as, and whether it is whole."""
    if text[:1] in ("{", "["):
        document, whole = read_loosely(raw)
        return {"responses": document} if isinstance(document, list) and text[:1] == "{" else document, whole
    if text.startswith(("data: ", "data:{", "data:[", "event:", "id:", "retry:", ":")):
        return {"responses": _events(raw)}, True
    if text.startswith(")]}"):  # what keeps a browser from running it
        return read_loosely(raw.partition(b"\n")[2])
    try:
        return raw.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return None, False


def _events(raw: bytes) -> list[object]:
    """The documents of a stream that nobody asked for, and what its pieces say together."""
    from ._sse import EventParser

    documents: list[object] = []
    for event in EventParser().feed(raw + b"\n\n"):
        try:
            documents.append(event.data.document())
        except ValueError:
            continue
    pieces = "".join(map(said_on_the_way, documents))
    whole = [document for document in documents if not said_on_the_way(document)]
    return [*whole, {"content": pieces}]


def _listed(document: object) -> int:
    """How many items an answer lists in the place of images."""
    fields = document if isinstance(document, Mapping) else {"data": document}
    items = fields.get("data") or fields.get("images")
    return len(items) if isinstance(items, list) else 0


def _reason(document: object) -> Problem | None:
    """Why an answer holds no image, if the host says so."""
    for fields in objects_of(document):
        said = fields.get("refusal")
        if isinstance(said, (str, LongText)) and said:
            return Problem(str(plain(said)), "content_policy_violation", enveloped=True)
        for name in _REASONS:
            code = fields.get(name)
            if isinstance(code, str) and meaning_of_code(code) == "policy":
                return Problem(f"the reason is {code}", code, enveloped=True)
    if not isinstance(document, Mapping):
        return None
    problem = read_problem(document, "")
    inner = document.get("response")
    if document.get("error") or document.get("success") is False or problem.code not in _WELL:
        return problem if problem.message or problem.code else None
    return _reason(inner) if isinstance(inner, Mapping) else None


def _said(document: object, context: Context) -> str:
    """The beginning of what a model wrote in the place of an image."""
    for fields in objects_of(document):
        text = fields.get("content") or fields.get("text")
        if isinstance(text, str):
            return one_line(redact(text, key=context.key.reveal(), prompt=context.prompt), 120)
    return ""
