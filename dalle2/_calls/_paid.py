"""Settings and a request become a `Call`: what is sent, and what each answer to it means. No I/O.

The rule: a request is checked (`check_request`) before a plan holds it, and only what a plan holds becomes a
`Call`, so whoever holds one may send it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeVar

from .. import catalog
from .. import errors as e
from .._http import Call
from .._wire._images import Reading, encode_json, is_plain_answer, read_images
from ._envelope import api_request, key_of
from ._outcome import Pending, accept, asked_of, finish, lost_error

if TYPE_CHECKING:
    from .._http import Failure, Form, HttpResponse
    from .._image._data import ImagesData
    from .._requests._draft import Draft
    from .._state import KnownModels
    from .._wire._answer import Asked
    from .._wire._responses import Task
    from ..errors import SavableImage
    from ..settings import Settings
    from ._envelope import Options

S = TypeVar("S", bound="Sequence[SavableImage]")


def check_request(request: Draft, model: str, *, stream: bool = False) -> None:
    """What is known of the model against what is asked of it. Raises `InvalidRequestError`."""
    known = catalog.find(model)
    if known is None:
        return
    values = dict(request.parameters)
    values.pop("model", None)
    if stream:
        values["stream"] = True
    catalog.check(request.operation, model, values)
    if request.images:
        from .._requests._inputs import check_inputs

        check_inputs(known, request.images, request.mask)


def images_call(
    settings: Settings,
    request: Draft,
    options: Options,
    make: Callable[[ImagesData], S],
    *,
    today: date,
    known: KnownModels,
    stream: bool = False,
    priced: bool = False,
) -> Call[S | Pending[S]]:
    """The paid call for a request as a plan holds it. `make` turns the images of its answer into what the
    caller gets.

    Raises `InvalidRequestError`; the call's errors hold what `make` made of the readable images.
    """
    model = request.model or settings.model
    key = key_of(settings, options)
    values = {"model": model, **request.parameters}
    if stream:
        values["stream"] = True
    if request.extra_body:
        values.update(request.extra_body)
    model = _text(values, "model") or model  # extra_body wins, and what is sent is what counts
    count = values.get("n")
    count = count if isinstance(count, int) and count > 0 else 1
    asked, reading = context_of(
        settings, request, key, model=model, today=today, known=known, again=options.again
    )
    route: Literal["responses", "generate"] = "generate"
    if settings.provider.wire == "responses":
        route = "responses"
        body: bytes | Form = encode_json(responses_values(request, values))
    elif request.operation == "generate":
        body = encode_json(values)
    else:
        from .._wire._forms import encode_form

        body = encode_form(values, request.images, request.mask)

    def decode(response: HttpResponse) -> S | Pending[S]:
        document = accept(response, asked)
        if not is_plain_answer(document):
            from .._wire._errors import problem_error
            from .._wire._problem import Problem
            from .._wire._responses import Task, reduce_answer

            document = reduce_answer(document, route)
            if isinstance(document, Problem):
                raise problem_error(document, response, asked, None)
            if isinstance(document, Task):
                return Pending(document.id, poll_call(settings, call, document, asked))
        data, problem = read_images(document, response, reading)
        return finish(data, problem, asked, make)

    call = Call(
        request=api_request(
            settings,
            "responses" if route == "responses" else request.operation,
            body,
            key=key,
            extra=options.extra_headers,
            accept="text/event-stream" if stream else "application/json",
        ),
        decode=decode,
        lost=lambda failure, response=None: lost_error(failure, asked, response),
        paid=True,
        lane=f"{settings.base_url} {model}",
        idempotency_key=key,
        operation=request.operation,
        model=model,
        host=settings.host,
        images=count,
        usd=_estimate(settings, request, model, count, values) if priced else None,
    )
    return call


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _estimate(
    settings: Settings, request: Draft, model: str, count: int, values: Mapping[str, object]
) -> float | None:
    """What the call will cost, by what is sent."""
    from .._money import PRICES, estimate

    return estimate(
        request.operation,
        model,
        n=count,
        size=_text(values, "size"),
        quality=_text(values, "quality"),
        prices=settings.prices or PRICES,
    )


def context_of(
    settings: Settings,
    request: Draft,
    key: str | None,
    *,
    model: str,
    today: date,
    known: KnownModels,
    again: Draft | None = None,
) -> tuple[Asked, Reading]:
    """What must be known to tell the errors of a call, and to read its answer."""
    prompt = request.prompt
    reading = Reading(
        base_url=settings.base_url,
        openai_like=settings.openai_like,
        model=model,
        prompt=prompt,
        request=request,
    )
    return asked_of(settings, model, prompt, again or request, key, today=today, known=known), reading


def responses_values(request: Draft, values: Mapping[str, object]) -> dict[str, object]:
    """The body of `POST /responses`: model and prompt are all that this wire is known to carry.

    Raises `InvalidRequestError` naming the first option that would be lost.
    """
    if request.operation != "generate":
        raise e.InvalidRequestError(
            f"{request.operation} does not exist on the /responses wire: use provider='cometapi'",
            field="provider",
        )
    extra = request.extra_body or {}
    for name in request.parameters:
        if name not in ("model", "prompt") and name not in extra and (name, request.n) != ("n", 1):
            way = " or Client(split_n=True) to send several calls" if name == "n" else ""
            raise e.InvalidRequestError(
                f"{name} cannot be carried by the /responses wire: leave it out, "
                f"use provider='cometapi'{way}",
                field=name,
            )
    return {"model": values["model"], "input": request.prompt} | dict(extra)


def poll_call(
    settings: Settings, first: Call[S | Pending[S]], task: Task, asked: Asked
) -> Call[S | Pending[S]]:
    """The free question after a paid task. That it could not be asked says nothing of the task, which was
    started.
    """
    from urllib.parse import quote

    def lost(failure: Failure, response: HttpResponse | None = None) -> e.Dalle2Error:
        return lost_error(failure._replace(sent=True), asked, response)

    return Call(
        request=api_request(settings, task.route, None, method="GET", tail="/" + quote(task.id, safe="")),
        decode=first.decode,
        lost=lost,
        paid=False,
        lane=first.lane,
        idempotency_key=first.idempotency_key,
        operation=first.operation,
        model=first.model,
        host=first.host,
        images=first.images,
    )
