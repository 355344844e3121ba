"""The paid call: what is sent for a request, and what each answer to it gives. No I/O.

The rule: a request is checked (`check_request`) before a plan holds it, and only what a plan holds becomes a
`Call`, so whoever holds one may send it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import catalog
from .. import errors as e
from .._http import Failure
from .._image._data import ImagesData
from .._wire._context import came
from .._wire._images import encode_json, is_plain_answer, read_images, without_key
from ._envelope import api_request, key_of
from ._outcome import Call, context_of, lost_error

if TYPE_CHECKING:
    from .._http import Form, HttpResponse
    from .._money import Charge
    from .._requests._draft import Draft
    from .._state import ClientState
    from .._wire._context import Context
    from .._wire._reading import Reading
    from .._wire._responses import Task
    from ..settings import Settings
    from ._envelope import Options


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

        check_inputs(known, request.images, request.mask, request.operation)


def paid_call(
    settings: Settings,
    state: ClientState,
    request: Draft,
    options: Options,
    *,
    stream: bool = False,
    priced: bool = False,
) -> Call[ImagesData | Task]:
    """The call for a request as a plan holds it. Raises `InvalidRequestError`."""
    values = {"model": settings.model, **request.parameters}
    if stream:
        values["stream"] = True
    if request.extra_body:
        values.update(request.extra_body)
    if values.get("stream") and not stream:
        raise e.InvalidRequestError(
            "stream in extra_body would bring events that generate() and edit() do not read: call "
            "client.stream(...)",
            field="stream",
        )
    model = _text(values, "model") or request.model or settings.model  # what is sent is what counts
    key = key_of(settings, options)
    if settings.provider.wire == "responses":
        route = "responses"
        body: bytes | Form = encode_json(responses_values(request, values))
    elif request.operation == "generate":
        route = "generate"
        body = encode_json(values)
    else:
        from .._wire._forms import encode_form

        route = request.operation
        body = encode_form(values, request.images, request.mask)
    context = context_of(
        settings, state, request.operation, model, request, again=options.again, idempotency_key=key
    )
    return Call(
        api_request(
            settings,
            route,
            body,
            key=key,
            extra=options.extra_headers,
            accept="text/event-stream" if stream else "application/json",
        ),
        context._replace(
            charge=_charge(settings, request, {**values, "model": model}) if priced else None,
            retired=context.retired or options.falls_back,
        ),
        decode_images,
        lane=f"{settings.base_url} {model}",
        settings=settings,
    )


def decode_images(response: HttpResponse, context: Context) -> ImagesData | Task:
    """The images of an answer, or the task that makes them. Raises the error of any other answer."""
    if not 200 <= response.status < 300:
        from .._wire._errors import error_of

        raise error_of(response, context)
    document: object = None
    try:
        document = response.body.document()
    except ValueError:
        whole = False
    else:
        whole = True
        if response.body.holds(context.key.reveal().encode() or b"\0"):
            document = without_key(document, context)
        if is_plain_answer(document):
            data, problem = read_images(document, response, context)
            if problem is None:
                return data
    from .._wire._reading import read_any, read_damaged

    reading = read_any(document, response, context) if whole else read_damaged(response, context)
    if reading.task is not None or response.status == 202:
        from ._tasks import task_of

        task = task_of(reading, response)
        if task is not None:
            return task
    if reading.problem is None and not reading.cut:
        return reading.data
    raise _error(reading, document, response, context)


def _error(reading: Reading, document: object, response: HttpResponse, context: Context) -> e.Dalle2Error:
    """The error of an answer that says yes, and does not hold all that it should. It keeps what came."""
    from .._wire._errors import problem_error
    from .._wire._problem import Problem

    data, problem = reading.data, reading.problem
    error: e.Dalle2Error
    if isinstance(problem, Problem):
        error = problem_error(problem, response, context, document)
    elif problem is None:
        return lost_error(
            Failure("unreadable", True, "the answer is not one complete JSON document"), context, response
        )
    else:
        kept = f"; {len(data.images)} readable image(s) are in error.images" if data.images else ""
        error = e.DecodeError(
            f"{context.host} answered, most likely billed, but not with images: "
            f"{problem.path + ': ' if problem.path else ''}{problem.problem} "
            f"(request id {data.request_id or 'none'}){kept}; error.body holds what came",
            path=problem.path,
            request_id=data.request_id,
            idempotency_key=context.idempotency_key,
            body=came(response, context),
        )
    error.images = data.images
    return error


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _charge(settings: Settings, request: Draft, values: Mapping[str, object]) -> Charge:
    """What the call is counted at, by what is sent."""
    from .._money import Charge

    return Charge.of(request.operation, values, settings.prices)


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
