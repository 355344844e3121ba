"""The calls that cost nothing: moderation and the list of models. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from .. import errors as e
from .._http import Call, HttpResponse
from .._requests._rules import check_prompt
from .._state import KnownModels
from .._wire._images import Unreadable, encode_json
from .._wire._lists import read_models, read_moderation
from ._envelope import api_request
from ._outcome import accept, asked_of, lost_error

if TYPE_CHECKING:
    from .._wire._lists import ModelInfo, Moderation
    from ..settings import Settings

T = TypeVar("T")


def moderation_call(settings: Settings, known: KnownModels, prompt: str, today: date) -> Call[Moderation]:
    """The check of a prompt. Raises `InvalidRequestError`."""
    check_prompt(prompt)
    body = encode_json({"model": "omni-moderation-latest", "input": prompt})
    return _free(settings, known, "moderate", body, prompt, read_moderation, today)


def models_call(settings: Settings, known: KnownModels, today: date) -> Call[tuple[ModelInfo, ...]]:
    """The list of the host's models, from which the client also learns their ends."""

    def read(document: object, response: HttpResponse) -> tuple[ModelInfo, ...]:
        rows = read_models(document)
        known.learn({row.id: row.shutdown_date for row in rows if row.dated})
        return rows

    return _free(settings, known, "models", None, None, read, today)


def _free(
    settings: Settings,
    known: KnownModels,
    route: str,
    body: bytes | None,
    prompt: str | None,
    read: Callable[[object, HttpResponse], T],
    today: date,
) -> Call[T]:
    asked = asked_of(settings, settings.model, prompt, None, None, today=today, known=known, paid=False)

    def decode(response: HttpResponse) -> T:
        try:
            return read(accept(response, asked), response)
        except Unreadable as unreadable:
            raise e.DecodeError(
                f"{asked.host} answered something else than was asked for: "
                f"{unreadable.path}: {unreadable.problem}",
                path=unreadable.path,
                maybe_billed=False,
            ) from None

    return Call(
        request=api_request(settings, route, body, method="POST" if body is not None else "GET"),
        decode=decode,
        lost=lambda failure, response=None: lost_error(failure, asked, response),
        paid=False,
        lane=f"{settings.base_url} {route}",
        operation=route,
        model=settings.model,
        host=settings.host,
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
