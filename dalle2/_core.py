"""Settings and a request become a `Call`: what is sent, and what each answer to it means. No I/O.

The rule: everything about a request is checked before the `Call` exists, so whoever holds one may send it.
The API key is put on each API request here, and never on an HTTP client, so that a request to another host
cannot carry it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote, urlencode

import attrs

from . import catalog
from . import errors as e
from ._clean import checked_headers
from ._http import Call, Failure, Form, HttpRequest, HttpResponse, Secret
from ._images import ImagesData
from ._inputs import check_inputs
from ._outcome import Knowledge, Pending, accept, asked_of, finish, lost_error
from ._requests import (
    EditRequest,
    GenerateRequest,
    Request,
    VariationRequest,
    inputs_of,
    parameters,
    prompt_of,
)
from ._version import __version__
from ._wire._errors import Asked, Problem, problem_error
from ._wire._forms import encode_form
from ._wire._images import Reading, encode_json, read_images
from ._wire._responses import Task, reduce_answer
from .settings import Settings

if TYPE_CHECKING:
    from .errors import SavableImage

S = TypeVar("S", bound="Sequence[SavableImage]")

USER_AGENT = f"dalle2/{__version__} (python {sys.version_info.major}.{sys.version_info.minor})"


@attrs.frozen
class Options:
    """What a caller may say about one call besides the request itself."""

    extra_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    idempotency_key: str | None = None
    again: Request | None = None  # what the caller sends after a lost answer, if it is not the request itself


def with_model(request: Request, settings: Settings) -> Request:
    """The request with its model filled in, so that it means the same when it is sent again.

    Raises `InvalidRequestError` for what is no request.
    """
    if not isinstance(request, (GenerateRequest, EditRequest, VariationRequest)):
        raise e.InvalidRequestError(
            "request must be a GenerateRequest, EditRequest or VariationRequest; "
            f"it is a {type(request).__name__}",
            field="request",
        )
    return request if request.model is not None else attrs.evolve(request, model=settings.model)


def check_request(request: Request, model: str, *, stream: bool = False) -> None:
    """What is known of the model against what is asked of it. Raises `InvalidRequestError`."""
    values = parameters(request) | ({"stream": True} if stream else {})
    values.pop("model", None)
    catalog.check(request.operation, model, values)
    known = catalog.find(model)
    if known is not None:
        images, mask = inputs_of(request)
        check_inputs(known, images, mask)


def new_key() -> str:
    """A new idempotency key: one a logical call, the same on each of its attempts."""
    return f"dalle2-{os.urandom(16).hex()}"


def images_call(
    settings: Settings,
    request: Request,
    options: Options,
    make: Callable[[ImagesData], S],
    *,
    today: date,
    known: Knowledge,
    stream: bool = False,
    priced: bool = False,
) -> Call[S | Pending[S]]:
    """The paid call for a request. `make` turns the images of its answer into what the caller gets.

    Raises `InvalidRequestError`; the call's errors hold what `make` made of the readable images.
    """
    request = with_model(request, settings)
    model = request.model or settings.model
    check_request(request, model, stream=stream)
    key = key_of(settings, options)
    values = {"model": model} | parameters(request) | ({"stream": True} if stream else {})
    values |= dict(request.extra_body or {})
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
    elif isinstance(request, GenerateRequest):
        body = encode_json(values)
    else:
        images, mask = inputs_of(request)
        body = encode_form(values, images, mask)

    def decode(response: HttpResponse) -> S | Pending[S]:
        document = reduce_answer(accept(response, asked), route)
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
    settings: Settings, request: Request, model: str, count: int, values: Mapping[str, object]
) -> float | None:
    """What the call will cost, by what is sent."""
    from ._money import PRICES, estimate

    return estimate(
        request.operation,
        model,
        n=count,
        size=_text(values, "size"),
        quality=_text(values, "quality"),
        prices=settings.prices or PRICES,
    )


def key_of(settings: Settings, options: Options) -> str:
    """The idempotency key of a call: the argument, else a header that the caller set, else a new one."""
    if options.idempotency_key is not None:
        return checked_key(options.idempotency_key)
    wanted = (settings.provider.idempotency_header or "").lower()
    for headers in (options.extra_headers, settings.headers, settings.provider.headers):
        for name, value in (headers or {}).items():
            if isinstance(name, str) and name.lower() == wanted:
                return checked_key(value)
    return new_key()


def context_of(
    settings: Settings,
    request: Request,
    key: str | None,
    *,
    model: str,
    today: date,
    known: Knowledge,
    again: Request | None = None,
) -> tuple[Asked, Reading]:
    """What must be known to tell the errors of a call, and to read its answer."""
    prompt = prompt_of(request)
    reading = Reading(
        base_url=settings.base_url,
        openai_like=settings.openai_like,
        model=model,
        prompt=prompt,
        request=request,
    )
    return asked_of(settings, model, prompt, again or request, key, today=today, known=known), reading


def responses_values(request: Request, values: Mapping[str, object]) -> dict[str, object]:
    """The body of `POST /responses`: model and prompt are all that this wire is known to carry.

    Raises `InvalidRequestError` naming the first option that would be lost.
    """
    if not isinstance(request, GenerateRequest):
        raise e.InvalidRequestError(
            f"{request.operation} does not exist on the /responses wire: use provider='cometapi'",
            field="provider",
        )
    extra = request.extra_body or {}
    for name in parameters(request):
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

    def lost(failure: Failure, response: HttpResponse | None = None) -> e.Dalle2Error:
        return lost_error(attrs.evolve(failure, sent=True), asked, response)

    request = api_request(settings, task.route, None, method="GET", tail="/" + quote(task.id, safe=""))
    return attrs.evolve(first, request=request, lost=lost, paid=False, usd=None)


def checked_key(key: str) -> str:
    """A caller's idempotency key. Raises `InvalidRequestError` for one that cannot be a header."""
    if not isinstance(key, str) or not 0 < len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise e.InvalidRequestError(
            "idempotency_key must be 1 to 255 printable ASCII characters", field="idempotency_key"
        )
    return key


def api_request(
    settings: Settings,
    route: str,
    body: bytes | Form | None,
    *,
    key: str | None = None,
    extra: Mapping[str, str] | None = None,
    method: str = "POST",
    tail: str = "",
    accept: str = "application/json",
) -> HttpRequest:
    """One request to the API with all its headers; of two headers of one name the more special wins."""
    provider = settings.provider
    url = settings.base_url + provider.paths[route] + tail
    if provider.query:
        url += "?" + urlencode(provider.query)
    headers: dict[str, tuple[str, str | Secret]] = {}

    def put(name: str, value: str | Secret) -> None:
        headers[name.lower()] = name, value

    put(provider.auth_header, Secret(f"{provider.auth_scheme} {settings.key.reveal()}".strip()))
    put("Accept", accept)
    put("User-Agent", USER_AGENT)
    if isinstance(body, bytes):
        put("Content-Type", "application/json")
    if settings.organization:
        put("OpenAI-Organization", settings.organization)
    if settings.project:
        put("OpenAI-Project", settings.project)
    for name, value in {**provider.headers, **settings.headers}.items():
        put(name, Secret(value))
    for name, value in extra_headers(extra).items():
        put(name, Secret(value))
    if key is not None and provider.idempotency_header:
        put(provider.idempotency_header, key)
    content, form = (body, None) if isinstance(body, bytes) else (None, body)
    return HttpRequest(method, url, tuple(headers.values()), content, form)


def extra_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of one call. Raises `InvalidRequestError` for one that cannot be sent."""
    try:
        return checked_headers(headers)
    except e.ConfigurationError as problem:
        raise e.InvalidRequestError(f"extra_headers: {problem}", field="extra_headers") from None
