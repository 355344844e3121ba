"""What an answer, or the lack of one, means for a call: the value, or the one true error. No I/O.

The rule: after a paid call nothing readable is thrown away, and no error claims more than is known: an
exchange without a readable answer may have been billed unless the request certainly did not leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import catalog
from .. import errors as e
from .._http import Failure
from .._requests._draft import value_of
from .._secrets import one_line, redact
from .._wire._answer import Asked, reports_failure, request_id

if TYPE_CHECKING:
    from .._http import Call, HttpResponse
    from .._image._data import ImagesData
    from .._state import KnownModels
    from .._wire._images import Unreadable
    from ..errors import SavableImage
    from ..settings import Settings

S = TypeVar("S", bound="Sequence[SavableImage]")


POLLS = 120
"""How often a task is asked after: ten minutes at the longest waits."""


class Pending(Generic[S]):
    """A paid call whose images are still being made: ask again with `call`."""

    __slots__ = ("call", "task")

    def __init__(self, task: str, call: Call[S | Pending[S]]) -> None:
        self.task = task
        self.call = call


def asked_of(
    settings: Settings, model: str, prompt: str | None, request: object, key: str | None, *,
    today: date, known: KnownModels, paid: bool = True,
) -> Asked:  # fmt: skip
    """The context in which an error of this call is told."""
    return Asked(
        key=settings.key,
        prompt=prompt,
        model=model,
        host=settings.host,
        key_names=settings.provider.key_variables,
        request=request,
        idempotency_key=key,
        retired=catalog.retired(model, today, models=known.models),
        successor=catalog.successor_of(model, today, models=known.models),
        paid=paid,
    )


def accept(response: HttpResponse, asked: Asked) -> object:
    """The document of an answer that says yes. Raises the error of any other answer."""
    if not 200 <= response.status < 300:
        from .._wire._errors import error_of

        raise error_of(response, asked)
    try:
        document = response.body.document()
    except ValueError:
        raise lost_error(
            Failure("unreadable", True, "the answer is not one complete JSON document"), asked, response
        ) from None
    if reports_failure(document):
        from .._wire._errors import problem_error
        from .._wire._problem import read_problem

        raise problem_error(read_problem(document, ""), response, asked, document)
    return document


def finish(data: ImagesData, problem: Unreadable | None, asked: Asked, make: Callable[[ImagesData], S]) -> S:
    """What the caller gets for the images of an answer. Raises `DecodeError` that keeps them if one is
    missing.
    """
    images = make(data)
    if problem is None:
        return images
    kept = f"; {len(data.images)} readable image(s) are in error.images" if data.images else ""
    raise e.DecodeError(
        f"{asked.host} answered, most likely billed, but not with images: "
        f"{problem.path + ': ' if problem.path else ''}{problem.problem} "
        f"(request id {data.request_id or 'none'}){kept}",
        path=problem.path,
        request_id=data.request_id,
        idempotency_key=asked.idempotency_key,
        images=images if data.images else (),
    )


def lost_error(failure: Failure, asked: Asked, response: HttpResponse | None = None) -> e.APIError:
    """The error for an exchange without a readable answer."""
    detail = one_line(redact(failure.detail, key=asked.key.reveal(), prompt=asked.prompt), 200)
    key = asked.idempotency_key
    if not failure.sent:
        if failure.kind == "connect_timeout":
            return e.ConnectTimeoutError(
                f"No connection to {asked.host} in time; nothing was sent, trying again is safe: {detail}",
                idempotency_key=key,
            )
        return e.APIConnectionError(
            f"{asked.host} was not reached; nothing was carried out, trying again is safe: {detail}",
            idempotency_key=key,
        )
    reason = failure.kind if failure.kind in ("timeout", "disconnected", "unreadable") else "disconnected"
    way_on = (
        "It may have been carried out and billed. If a second bill is acceptable: "
        "client.send(e.request, idempotency_key=e.idempotency_key)"
        if asked.paid
        else "It costs nothing: try again"
    )
    return e.OutcomeUnknownError(
        f"The request reached {asked.host} and no readable answer came ({reason}: {detail}). {way_on}",
        reason=reason,
        request=value_of(asked.request),
        idempotency_key=key,
        request_id=None if response is None else request_id(response.headers),
        status_code=None if response is None else response.status,
        maybe_billed=asked.paid,
    )
