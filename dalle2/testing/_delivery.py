"""How finished pictures are handed over: the JSON of the images endpoints, the event stream, and what
they cost.

The rule: dall-e answers carry nothing but `created` and `data`; GPT image models answer base64 with `usage`
and say which settings they used. Amounts of tokens follow the vendor's published figures, scaled by area.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from . import _pictures
from ._faults import StreamFailure, server_error
from ._forms import dump
from ._order import Order
from ._personas import PersonaName

Put = Callable[[Order, int], str]
"""Puts picture number so-and-so of an order into the store, and gives its URL."""

_OUTPUT_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}


def images_body(order: Order, created: int, put: Put, persona: PersonaName) -> dict[str, object]:
    """The answer of the images endpoints."""
    body: dict[str, object] = {"created": created}
    if order.model.family == "gpt-image":
        body |= {
            "background": order.background,
            "output_format": order.output_format,
            "quality": order.quality,
        }
        body |= {"size": order.size}
    body["data"] = [_row(order, index, put, persona) for index in range(order.n)]
    if order.model.family == "gpt-image":
        body["usage"] = usage(order)
    return body


def _row(order: Order, index: int, put: Put, persona: PersonaName) -> dict[str, object]:
    row: dict[str, object] = {}
    if order.model.family == "dall-e-3":
        row["revised_prompt"] = f"{order.prompt}, painted with care and in detail"
    if order.response_format == "url":
        row["url"] = put(order, index)
    else:
        row["b64_json"] = encoded(order, index)
    if persona == "litellm":
        # The proxy sends every key that it knows, null where it has nothing.
        row = {"b64_json": None, "revised_prompt": None, "url": None} | row
    return row


def encoded(order: Order, index: int) -> str:
    """A finished picture as base64 text."""
    return base64.b64encode(_pictures.picture(order, index)).decode()


def usage(order: Order) -> dict[str, object]:
    """The tokens that a GPT image request used."""
    text, image = max(1, len(order.prompt) // 4), 323 * len(order.images)
    each = _OUTPUT_TOKENS[order.quality] * order.width * order.height / 1024**2
    output = round(each) * order.n
    return {
        "total_tokens": text + image + output,
        "input_tokens": text + image,
        "output_tokens": output,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
    }


def events(order: Order, created: int, failure: StreamFailure | None) -> Iterator[bytes]:
    """The lines of the event stream, one event a chunk; a failure ends it early."""
    for number, event in enumerate(_events(order, created)):
        if failure is not None and number >= failure.after_events:
            break
        yield b"event: " + str(event["type"]).encode() + b"\ndata: " + dump(event) + b"\n\n"
    if failure is not None:
        error = server_error().body()["error"]
        assert isinstance(error, dict)
        yield (
            b"event: error\ndata: "
            + dump({"type": "error", "error": error | {"code": failure.code}})
            + b"\n\n"
        )


def _events(order: Order, created: int) -> Iterator[dict[str, object]]:
    name = "image_edit" if order.operation == "edit" else "image_generation"
    shared = {
        "created_at": created,
        "size": order.size,
        "quality": order.quality,
        "background": order.background,
        "output_format": order.output_format,
    }
    for index in range(order.n):
        for step, data in enumerate(_pictures.partials(order, index)):
            text = base64.b64encode(data).decode()
            yield {"type": f"{name}.partial_image", "b64_json": text, **shared, "partial_image_index": step}
        yield {
            "type": f"{name}.completed",
            "b64_json": encoded(order, index),
            **shared,
            "usage": usage(order),
        }
