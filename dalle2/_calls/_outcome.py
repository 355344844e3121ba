"""What an answer, or the lack of one, means for a call: the value, or the one true error. No I/O.

The rule: after a paid call nothing readable is thrown away, and no error claims more than is known: an
exchange without a readable answer may have been billed unless the request certainly did not leave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import catalog
from .. import errors as e
from .._http import Failure, HttpResponse
from .._secrets import one_line, redact
from .._wire._body import JsonBody
from .._wire._context import Context, came, reports_failure, request_id

if TYPE_CHECKING:
    from .._http import HttpRequest
    from .._requests._draft import Draft
    from .._secrets import Secret
    from .._state import ClientState
    from ..settings import Settings

T = TypeVar("T")


LARGEST_REFUSAL = 1 << 20
"""Bytes that are read of an answer that says no: an endless one is told by its beginning."""


def limit_of(status: int) -> int | None:
    """Bytes that are read of an answer with this status, `None` for all of it."""
    return None if 200 <= status < 300 else LARGEST_REFUSAL


class Call(Generic[T]):
    """One logical call: its request, what is known of it, and how its answer is read.

    `decode` is pure: it gives the value of an answer, or raises the error that the answer stands for. `lane`
    names the host, key and model whose rate limit the call shares with others. `keys` is asked for the key of
    each attempt, where the caller gave a function, and `signed` gives the header that carries it.
    """

    __slots__ = ("context", "decode", "keys", "lane", "request", "signed")

    def __init__(
        self,
        request: HttpRequest,
        context: Context,
        decode: Callable[[HttpResponse, Context], T],
        lane: str,
        settings: Settings | None = None,
    ) -> None:
        self.request = request
        self.context = context
        self.decode = decode
        self.lane = lane
        self.keys = None if settings is None else settings.key_source
        self.signed = None if settings is None else settings.provider.signed

    def use_key(self, key: Secret) -> None:
        """Send the next attempt under this key, and know it in what the host says."""
        assert self.signed is not None  # a call that asks for its key has a host
        self.request = self.request.with_header(self.signed(key))
        self.context = self.context._replace(key=key)


def context_of(
    settings: Settings,
    state: ClientState,
    operation: str,
    model: str,
    request: Draft | None = None,
    *,
    again: Draft | None = None,
    prompt: str | None = None,
    idempotency_key: str | None = None,
    paid: bool = True,
) -> Context:
    """What is known of a call before it is made."""
    today, models = state.today(), state.known.models
    return Context(
        host=settings.host,
        operation=operation,
        model=model,
        base_url=settings.base_url,
        key=settings.key,
        key_names=settings.provider.key_variables,
        prompt=prompt if request is None else request.prompt,
        request=request,
        again=again,
        idempotency_key=idempotency_key,
        paid=paid,
        openai_like=settings.openai_like,
        retired=catalog.retired(model, today, models=models),
        successor=catalog.successor_of(model, today, models=models),
    )


def accept(response: HttpResponse, context: Context) -> object:
    """The document of an answer that says yes. Raises the error of any other answer."""
    if not 200 <= response.status < 300:
        from .._wire._errors import error_of

        raise error_of(response, context)
    try:
        document = response.body.document()
    except ValueError:
        raise lost_error(
            Failure("unreadable", True, "the answer is not one complete JSON document"), context, response
        ) from None
    if reports_failure(document):
        from .._wire._errors import problem_error
        from .._wire._problem import read_problem

        raise problem_error(read_problem(document, ""), response, context, document)
    return document


def lost_error(failure: Failure, context: Context, response: HttpResponse | None = None) -> e.APIError:
    """The error for an exchange without a readable answer; `response` is its head, if that had come."""
    detail = one_line(redact(failure.detail, key=context.key.reveal(), prompt=context.prompt), 200)
    key = context.idempotency_key
    if not (failure.sent or context.started):
        if failure.kind == "connect_timeout":
            return e.ConnectTimeoutError(
                f"No connection to {context.host} in time; nothing was sent, trying again is safe: {detail}",
                idempotency_key=key,
            )
        passing = failure.kind not in ("untrusted", "refused_address")
        again = ", trying again is safe" if passing else ""
        error = e.APIConnectionError(
            f"{context.host} was not reached; nothing was carried out{again}: {detail}", idempotency_key=key
        )
        error.passing = passing
        return error
    if response is None and failure.came:
        response = _headless(failure.came)
    kind = failure.kind
    reason = kind if kind in ("timeout", "unreadable", "cancelled") else "disconnected"
    way_on = "It may have been carried out and billed" if context.paid else "It costs nothing: try again"
    if context.paid and context.request is not None:
        way_on += (
            ". If a second bill is acceptable: client.send(e.request, idempotency_key=e.idempotency_key)"
        )
    return e.OutcomeUnknownError(
        f"The request reached {context.host} and no readable answer came ({reason}: {detail}). {way_on}",
        reason=reason,
        request=context.resent,
        idempotency_key=key,
        request_id=None if response is None else request_id(response.headers, key=context.key),
        status_code=None if response is None else response.status or None,
        maybe_billed=context.paid,
        body=None if response is None else came(response, context),
        images=() if response is None or not context.paid else _kept(response, context),
    )


def _headless(came: bytes) -> HttpResponse:
    """An answer whose head the library could not read, as far as it came: what stands behind the head.

    Its status is believed only to say no.
    """
    body = JsonBody()
    end = re.search(rb"\n\r?\n", came)
    if end is not None:
        body.feed(came[end.end() :])
    elif not came.startswith(b"HTTP/"):  # no head at all
        body.feed(came)
    status = re.match(rb"HTTP/\S{1,9} +([1-5][0-9][0-9])\b", came)
    return HttpResponse(int(status[1]) if status else 0, {}, body, datetime.now(UTC))


def _kept(response: HttpResponse, context: Context) -> Sequence[e.KeptImage]:
    """The images that came whole with an answer that says yes and broke off."""
    if not 200 <= response.status < 300:
        return ()
    from .._wire._reading import images_in

    return images_in(response, context)
