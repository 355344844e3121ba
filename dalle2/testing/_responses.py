"""Answers that come by another way: the `/v1/responses` wire of an image model at CometAPI, in every shape
that it was seen or feared to answer in, and pictures that are made in the background.

The rule: the shape is chosen by the test, never by chance. A task is pending for a set number of polls, and
its picture is the one that the first request paid for.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Literal

import attrs

from . import _refusals as refuse
from ._delivery import Put, encoded, images_body
from ._exchange import EmulatedResponse, json_response
from ._forms import Form
from ._order import Order

ResponsesShape = Literal[
    "call",
    "message_url",
    "message_markdown",
    "message_data",
    "images",
    "task",
    "task_nested",
    "failed",
    "incomplete",
    "refusal",
]
SHAPES: tuple[str, ...] = (
    "call",
    "message_url",
    "message_markdown",
    "message_data",
    "images",
    "task",
    "task_nested",
    "failed",
    "incomplete",
    "refusal",
)


@attrs.define
class Task:
    """A picture that is still being made."""

    order: Order
    created: int
    polls_left: int


class Tasks:
    """Tasks by id, each pending for so many polls. `keep` bounds how many; the oldest go first."""

    def __init__(self, polls: int, *, keep: int | None) -> None:
        self._polls = polls
        self._keep = keep
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, order: Order, created: int) -> str:
        """Begin a task and give its id."""
        name = f"task_{secrets.token_hex(12)}"
        with self._lock:
            self._tasks[name] = Task(order, created, self._polls)
            if self._keep is not None and len(self._tasks) > self._keep:
                self._tasks.popitem(last=False)
        return name

    def poll(self, name: str) -> tuple[Task, bool]:
        """The task, and whether it is done; each poll brings it nearer to its end."""
        with self._lock:
            task = self._tasks.get(name)
            if task is None:
                raise refuse.Refusal(f"task {name} not exist", 404, code="task_not_exist")
            if task.polls_left > 0:
                task.polls_left -= 1
                return task, False
            return task, True


def read_prompt(form: Form) -> str:
    """The prompt out of `input`: a text, or messages with text parts."""
    given = form.values.get("input")
    if isinstance(given, str):
        return given
    found: list[str] = []
    for message in given if isinstance(given, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                found.append(text)
    if not found:
        raise refuse.missing_parameter("input")
    return "\n".join(found)


def response_body(order: Order, created: int, put: Put, shape: str, tasks: Tasks) -> dict[str, object]:
    """The answer to `POST /v1/responses` in the chosen shape."""
    if shape == "images":
        return images_body(order, created, put, "cometapi")
    if shape == "task":
        return {"task_id": tasks.start(order, created), "status": "queued", "created_at": created}
    if shape == "task_nested":
        return started(order, created, tasks)
    if shape == "failed":
        error = {"code": "server_error", "message": "The model could not finish the picture."}
        return _response(order, created, [], status="failed", error=error)
    if shape == "incomplete":
        details = {"reason": "content_filter"}
        return _response(order, created, [], status="incomplete", incomplete_details=details)
    if shape == "refusal":
        part: dict[str, object] = {"type": "refusal", "refusal": "I'm sorry, but I cannot draw that."}
        return _response(order, created, [_message(part)])
    if shape == "call":
        return _finished(order, created)
    if shape == "message_data":
        text = f"data:image/png;base64,{encoded(order, 0)}"
    else:
        url = put(order, 0)
        text = url if shape == "message_url" else f"Here is your picture:\n\n![{order.prompt[:40]}]({url})"
    return _response(order, created, [_message({"type": "output_text", "annotations": [], "text": text})])


def started(order: Order, created: int, tasks: Tasks) -> dict[str, object]:
    """The answer to a request that goes on in the background: the id of its task, one level down."""
    return {"code": "success", "message": "", "data": {"task_id": tasks.start(order, created)}}


def polled_response(name: str, tasks: Tasks) -> dict[str, object]:
    """The answer to `GET /v1/responses/{id}`."""
    task, done = tasks.poll(name)
    if done:
        return _finished(task.order, task.created)
    return {"task_id": name, "status": "in_progress", "created_at": task.created}


def polled_images(name: str, put: Put, tasks: Tasks) -> dict[str, object]:
    """The answer to `GET /v1/images/generations/{task_id}`."""
    task, done = tasks.poll(name)
    data: dict[str, object] = {"task_id": name, "status": "success" if done else "in_progress"}
    data["progress"] = "100%" if done else "50%"
    if done:
        data["data"] = images_body(task.order, task.created, put, "cometapi")
    return {"code": "success", "message": "", "data": data}


def submitted(order: Order, created: int, origin: str, query: str, tasks: Tasks) -> EmulatedResponse:
    """Azure's answer to a request of 2023: where the images can be asked for."""
    name = tasks.start(order, created)
    headers = {
        "Operation-Location": f"{origin}/openai/operations/images/{name}?{query}",
        "Retry-After": "0",
    }
    return json_response({"id": name, "status": "notRunning"}, status=202, headers=headers)


def polled_operation(name: str, put: Put, tasks: Tasks) -> dict[str, object]:
    """The answer to `GET /openai/operations/images/{id}`."""
    task, done = tasks.poll(name)
    if not done:
        return {"created": task.created, "id": name, "status": "running"}
    result = images_body(task.order, task.created, put, "azure")
    expires = task.created + 86400
    return {
        "created": task.created,
        "expires": expires,
        "id": name,
        "result": result,
        "status": "succeeded",
    }


def _finished(order: Order, created: int) -> dict[str, object]:
    call = {"id": f"ig_{secrets.token_hex(16)}", "type": "image_generation_call", "status": "completed"}
    return _response(order, created, [{**call, "result": encoded(order, 0)}])


def _message(part: dict[str, object]) -> dict[str, object]:
    name = f"msg_{secrets.token_hex(16)}"
    return {"id": name, "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _response(
    order: Order,
    created: int,
    output: list[dict[str, object]],
    *,
    status: str = "completed",
    error: dict[str, str] | None = None,
    incomplete_details: dict[str, str] | None = None,
) -> dict[str, object]:
    return {
        "id": f"resp_{secrets.token_hex(16)}",
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "completed_at": created if status == "completed" else None,
        "error": error,
        "incomplete_details": incomplete_details,
        "instructions": None,
        "model": order.model.id,
        "output": output,
        "usage": {
            "input_tokens": max(1, len(order.prompt) // 4),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": max(1, len(order.prompt) // 4),
        },
    }
