"""What one event of a stream tells: images on their way, finished ones, a piece of text, a failure, the end.

The rule: images come before all else that an event says, by the same reader as those of whole answers; only
an event that says that it is about something unfinished holds none. What cannot be read is no end: the next
event may be good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .._image._data import ImageData
from ._addresses import words
from ._anywhere import words_of
from ._body import plain
from ._images import Unreadable, created_at, read_item, without_key
from ._loosely import deeper_than, read_loosely
from ._problem import BLANK, Problem, read_problem
from ._reading import read_any
from ._responses import failure_of, said_on_the_way, unfinished

if TYPE_CHECKING:
    from .._http import HttpResponse
    from ._context import Context
    from ._sse import Event

_BEGUN = words("queued created started added generating progress searching moderating ping heartbeat")
_FAILED = frozenset({"failed", "error", "incomplete", "cancelled", "canceled", "refusal"})
_KEPT = ("background", "quality", "size")


class Told(NamedTuple):
    """What an event tells.

    `again`: it sums up, and may repeat the images of events before it. `unread`: it may have held an image,
    and none could be made out.
    """

    finals: tuple[ImageData, ...] = ()
    partial: ImageData | None = None
    number: int | None = None
    usage: object = None
    again: bool = False
    text: str = ""
    failure: Problem | None = None
    document: object = None
    problem: Unreadable | None = None
    unread: bool = False
    end: bool = False


def told_by(event: Event, head: HttpResponse, context: Context) -> Told:
    """What an event tells. Never raises."""
    if event.data.text().lstrip(BLANK).startswith("[DONE]"):
        return Told(end=True)
    try:
        document = event.data.document()
    except ValueError:
        document = _loose(event)
    if event.data.holds(context.key.reveal().encode() or b"\0"):
        document = without_key(document, context)
    if isinstance(document, list):
        document = {"responses": document}
    if not isinstance(document, Mapping):
        return Told(unread=True)
    name = str(plain(document.get("type")) or event.name)[:200]
    kind = words_of(name.rpartition(".")[2])
    if "partial" in kind:
        return _partial(document, name, head, context)
    if document.get("error") or event.name == "error":
        return _failed(document, document if document.get("error") else {"error": document}, head, context)
    inner = document.get("response")
    level = inner if isinstance(inner, Mapping) else document
    if kind & _FAILED:
        return _failed(document, level, head, context, kind)
    piece = said_on_the_way(document)
    if piece or kind & _BEGUN or "in_progress" in name or unfinished(level):
        return Told(text=piece)
    return _final(document, level, name, head, context)


def _loose(event: Event) -> object:
    """The document of an event that is an odd one, if it is whole."""
    if event.data.text().lstrip(BLANK)[:1] not in ("{", "["):
        return None
    document, whole = read_loosely(event.data.raw())
    return document if whole and not deeper_than(document, 100) else None


def _item(document: Mapping[str, object]) -> dict[str, object]:
    """The image that an event of the Images or the Responses API holds, as an item of an Images document."""
    bytes_ = document.get("b64_json") or document.get("partial_image_b64")
    item = {"b64_json": bytes_, "url": document.get("url")}
    return item | {key: document[key] for key in _KEPT if key in document} if any(item.values()) else {}


def _partial(document: Mapping[str, object], name: str, head: HttpResponse, context: Context) -> Told:
    item, index = _item(document), document.get("partial_image_index")
    created = created_at(document.get("created_at"), head)
    try:
        image = read_item(item, name, created, context, document.get("output_format"))
    except Unreadable:
        return Told(unread=True)
    return Told(partial=image, number=index if isinstance(index, int) else None)


def _failed(
    document: Mapping[str, object],
    level: Mapping[str, object],
    head: HttpResponse,
    context: Context,
    kind: frozenset[str] = frozenset(),
) -> Told:
    """A failure, with the images that it says were made all the same."""
    without = {name: value for name, value in document.items() if name != "error"}
    finals = read_any(without, head, context).data.images
    problem = failure_of(level, "".join(kind & _FAILED)) if kind else read_problem(level, "")
    return Told(finals=finals, usage=level.get("usage"), again=True, failure=problem, document=level)


def _final(
    document: Mapping[str, object],
    level: Mapping[str, object],
    name: str,
    head: HttpResponse,
    context: Context,
) -> Told:
    item, usage = _item(document), level.get("usage")
    if item:
        created = created_at(document.get("created_at"), head)
        try:
            image = read_item(item, name, created, context, document.get("output_format"))
        except Unreadable as unreadable:
            return Told(problem=unreadable, unread=True)
        return Told(finals=(image,), usage=usage)
    reading = read_any(document, head, context)
    if not reading.data.images and isinstance(reading.problem, Problem):
        return Told(failure=reading.problem, document=document)
    images = reading.data.images
    return Told(finals=images, usage=usage, again=name.startswith("response."), unread=not images)
