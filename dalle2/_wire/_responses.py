"""Answers that are not plainly a list of images: `POST /responses`, tasks in the background, refusals.

What an image model answers on `/responses` is documented nowhere and was seen in several shapes, so reading
is tolerant, in this order: an `image_generation_call`, a message with a data URI, a Markdown image or a URL,
an Images body from the wrong route, a task. Whatever it was becomes an Images document, a `Task` or a
`Problem`; there is one decoder of images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ._addresses import addresses
from ._body import LongText, plain
from ._problem import Problem

_DONE = frozenset(
    {"success", "succeeded", "succeed", "completed", "complete", "finished", "done", "ready", "ok", "200"}
)
_ADDRESSES = frozenset(
    {"pollingurl", "pollurl", "statusurl", "statusuri", "operationlocation", "operationurl", "taskurl"}
)
"""Names of what says where to ask, in lower case and without what joins their words."""
_FAILED = frozenset({"failure", "failed", "error", "cancelled", "canceled", "expired", "incomplete"})


class Task(NamedTuple):
    """An image that is still being made: by what name, where and when (s) it may be asked for."""

    id: str
    address: str | None = None
    wait: float | None = None


def reduce_answer(document: object) -> object | Task | Problem:
    """An Images document, a task to wait for, or a failure; anything else comes back as it is."""
    if not isinstance(document, Mapping):
        return document
    output = document.get("output")
    items = [*_called(output)] or [*_mentioned(output)]
    if items:
        fields = {name: value for name, value in document.items() if name != "output"}
        if not fields.get("error"):
            fields.pop("error", None)
        return {**fields, "created": document.get("created_at"), "data": items}
    data = document.get("data")
    if isinstance(data, list):
        return document
    if isinstance(data, Mapping) and data.get("data") and isinstance(data["data"], (Mapping, list)):
        inner = data["data"]
        return inner if isinstance(inner, Mapping) else {"data": inner}
    for level in (data, document):
        if isinstance(level, Mapping):
            found = _unfinished(level)
            if found is not None:
                return found
    return _refusal(output) or document


def unfinished(document: object) -> bool:
    """Whether an answer says in so many words that its images are still being made."""
    levels = (document, document.get("data")) if isinstance(document, Mapping) else ()
    return any(_underway(level) for level in levels if isinstance(level, Mapping))


def _underway(level: Mapping[str, object]) -> bool:
    word, progress = level.get("status"), level.get("progress")
    if isinstance(word, str) and word:
        return word.lower() not in _DONE | _FAILED
    if isinstance(progress, str) and progress[:3].rstrip("%").isdecimal():
        progress = int(progress[:3].rstrip("%"))
    return isinstance(progress, (int, float)) and 0 <= progress < 100 and progress != 1  # 1 may be all of it


def said_on_the_way(document: object) -> str:
    """The piece of a text that an event of a stream brings: of a chat, or of a response."""
    if not isinstance(document, Mapping):
        return ""
    piece = document.get("delta")
    choices = document.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        delta = choices[0].get("delta")
        piece = delta.get("content") if isinstance(delta, Mapping) else None
    text = plain(piece)
    return text if isinstance(text, str) else ""


def _unfinished(level: Mapping[str, object]) -> Task | Problem | None:
    status = str(level.get("status") or "").lower()
    if status in _FAILED:
        return failure_of(level, status)
    if status in _DONE:
        return None
    address = _address(level)
    name = level.get("task_id") or (level.get("id") or address if status else None)
    return Task(str(name), address) if isinstance(name, (str, int)) and name else None


def _address(level: Mapping[str, object]) -> str | None:
    for name, value in level.items():
        if name.lower().replace("_", "").replace("-", "") in _ADDRESSES:
            told = plain(value)
            if isinstance(told, str) and told:
                return told
    return None


def failure_of(level: Mapping[str, object], status: str) -> Problem:
    """Why something failed, by what it says itself."""
    error, details = level.get("error"), level.get("incomplete_details")
    if isinstance(error, Mapping):
        code, said = error.get("code"), error.get("message")
    else:
        code, said = None, error or level.get("fail_reason") or level.get("message")
    if isinstance(details, Mapping):
        code = code or details.get("reason")
        said = said or f"the answer is incomplete: {plain(details.get('reason'))}"
    text = plain(said)
    return Problem(
        message=text if isinstance(text, str) and text else f"the status is {status}",
        code=str(plain(code)) if code else None,
        enveloped=True,
    )


def _items(output: object) -> list[Mapping[str, object]]:
    return [item for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []


def _called(output: object) -> Iterator[Mapping[str, object]]:
    """The images of an `output` that say that they are some, as items of an Images document."""
    if isinstance(output, Mapping):
        address = output.get("url") or output.get("image_url")
        if address:
            yield {
                **{name: output[name] for name in output if name not in ("url", "image_url")},
                "url": address,
            }
    for item in _items(output):
        result = item.get("result")
        if item.get("type") == "image_generation_call" and result:
            kept = {name: item[name] for name in item if name not in ("type", "result", "status", "id")}
            yield {**kept, "b64_json": result[0] if isinstance(result, list) else result}


def _mentioned(output: object) -> Iterator[Mapping[str, object]]:
    """The images that the messages of an `output` speak of."""
    for item in _items(output):
        for part in _parts(item):
            text = part.get("text")
            if isinstance(text, LongText) and text.prefix:
                yield {"url": text}
            elif isinstance(text, (str, LongText)):
                yield from ({"url": address} for address in addresses(str(plain(text))))


def _parts(item: Mapping[str, object]) -> list[Mapping[str, object]]:
    content = item.get("content") if item.get("type") == "message" else None
    if isinstance(content, str):
        return [{"text": content}]
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _refusal(output: object) -> Problem | None:
    """Why an `output` holds no image, if it says so."""
    for item in _items(output):
        if item.get("type") == "image_generation_call" and str(item.get("status")).lower() in _FAILED:
            return failure_of(item, str(item["status"]))
        for part in _parts(item):
            if part.get("type") == "refusal":
                said = str(plain(part.get("refusal")) or "the model refused")
                return Problem(message=said, code="content_policy_violation", enveloped=True)
    return None
