"""The calls that cost nothing: moderation and the list of models. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from .. import errors as e
from .._requests._rules import check_prompt
from .._wire._body import plain
from .._wire._images import Unreadable, encode_json
from .._wire._lists import read_models, read_moderation
from ._envelope import api_request
from ._outcome import Call, accept, context_of

if TYPE_CHECKING:
    from .._http import Form, HttpResponse
    from .._state import ClientState
    from .._wire._context import Context
    from .._wire._lists import ModelInfo, Moderation
    from ..settings import Settings

T = TypeVar("T")


def moderation_call(settings: Settings, state: ClientState, prompt: str) -> Call[Moderation]:
    """The check of a prompt. Raises `InvalidRequestError`."""
    check_prompt(prompt)
    body = encode_json({"model": "omni-moderation-latest", "input": prompt})
    return free_call(settings, state, "moderate", read_moderation, body, prompt)


def models_call(settings: Settings, state: ClientState) -> Call[tuple[ModelInfo, ...]]:
    """The list of the host's models."""
    return free_call(settings, state, "models", lambda document, response: read_models(document))


def document_call(
    settings: Settings,
    state: ClientState,
    route: str,
    body: Mapping[str, object] | None = None,
    *,
    tail: str = "",
    extra: Mapping[str, str] | None = None,
) -> Call[tuple[object, HttpResponse]]:
    """A free call whose answer is wanted as it came: its JSON, and the response around it."""

    def read(document: object, response: HttpResponse) -> tuple[object, HttpResponse]:
        return plain(document), response

    content = None if body is None else encode_json(body)
    return free_call(settings, state, route, read, content, tail=tail, extra=extra)


def free_call(
    settings: Settings,
    state: ClientState,
    route: str,
    read: Callable[[object, HttpResponse], T],
    body: bytes | Form | None = None,
    prompt: str | None = None,
    *,
    tail: str = "",
    extra: Mapping[str, str] | None = None,
) -> Call[T]:
    """A free call: a POST if it has a body, else a GET."""

    def decode(response: HttpResponse, context: Context) -> T:
        try:
            return read(accept(response, context), response)
        except Unreadable as unreadable:
            raise e.DecodeError(
                f"{context.host} answered something else than was asked for: "
                f"{unreadable.path}: {unreadable.problem}",
                path=unreadable.path,
                maybe_billed=False,
            ) from None

    method = "POST" if body is not None else "GET"
    return Call(
        api_request(settings, route, body, method=method, tail=tail, extra=extra),
        context_of(settings, state, route, settings.model, prompt=prompt, paid=False),
        decode,
        lane=f"{settings.base_url} {route}",
        settings=settings,
    )


def refuse_flagged(moderation: Moderation) -> None:
    """The check before a paid call. Raises `ContentPolicyError` naming the categories."""
    if not moderation.flagged:
        return
    names = moderation.flagged_categories
    error = e.ContentPolicyError(
        "No image was paid for: the prompt was not sent, since moderation flagged it as "
        f"{', '.join(names) or 'unsafe'}. "
        "Change the prompt",
        request_id=moderation.request_id,
    )
    error.categories = names
    error.stage = "input"
    raise error
