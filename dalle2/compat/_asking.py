"""One call of an official client, carried out by ours: the blocking way and the awaited one.

What is the same for the SDK's classes here, for those that are installed and for the objects of 2022 is done
once; a `Ways` says in which shapes answers and errors are given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar, cast

from .._calls._attempts import Attempts
from .._calls._free import document_call
from ..errors import DecodeError, InvalidRequestError
from ..settings import DEFAULT
from . import types
from ._arguments import given_of, order_of
from ._error_tree import SDK, Tree, make_official, officially
from ._shapes import Answered, RawResponse, answered
from ._streams import AsyncStream, Stream

if TYPE_CHECKING:
    from .._async_client import AsyncClient
    from .._client import Client
    from .._http import HttpResponse
    from .._session import Session
    from ..settings import TimeoutArgument
    from ._arguments import Operation
    from ._behind import Behind

T = TypeVar("T")
C = TypeVar("C")


class Ways(NamedTuple, Generic[T]):
    """The shapes in which a kind of script has its answers, its streamed events and its errors."""

    tree: Tree
    answer: Callable[[Answered], T]
    event: Callable[[dict[str, Any]], Any]


def images_response(answer: Answered) -> types.ImagesResponse:
    """The answer of an image call."""
    made = types.ImagesResponse(**answer.values)
    made._request_id = answer.headers.get("x-request-id")
    return made


def event_of(values: dict[str, Any]) -> types.ImagePartialEvent | types.ImageCompletedEvent:
    """An event of a stream."""
    partial = values["type"].endswith("partial_image")
    return types.ImagePartialEvent(**values) if partial else types.ImageCompletedEvent(**values)


OURS = Ways(SDK, images_response, event_of)


def ask(
    behind: Behind[Client],
    operation: Operation,
    official: Mapping[str, object],
    ways: Ways[T],
    *,
    raw: bool = False,
) -> Any:
    """An image call: its answer in the shape of `ways`, a `Stream` of events, or a `RawResponse`."""
    with officially(ways.tree, behind.url("/images")):
        order = order_of(operation, official, raw=raw)
        client, url = behind.of(order), behind.url(order.path)
        if order.method == "stream":
            return Stream(client.stream(**order.arguments), ways.event, ways.tree, url)
        began = time.monotonic()
        images = getattr(client, order.method)(**order.arguments)
        return _given(answered(images, order, url, time.monotonic() - began), ways, raw)


async def ask_async(
    behind: Behind[AsyncClient],
    operation: Operation,
    official: Mapping[str, object],
    ways: Ways[T],
    *,
    raw: bool = False,
) -> Any:
    """`ask`, awaited."""
    with officially(ways.tree, behind.url("/images")):
        order = order_of(operation, official, raw=raw)
        client, url = behind.of(order), behind.url(order.path)
        if order.method == "stream":
            return await AsyncStream(client.stream(**order.arguments), ways.event, ways.tree, url).begun()
        began = time.monotonic()
        images = await getattr(client, order.method)(**order.arguments)
        return _given(answered(images, order, url, time.monotonic() - began), ways, raw)


def _given(answer: Answered, ways: Ways[T], raw: bool) -> T | RawResponse[T]:
    return RawResponse(answer, ways.answer, ways.tree.library) if raw else ways.answer(answer)


def ask_free(
    behind: Behind[Client],
    route: str,
    body: Mapping[str, object] | None,
    official: Mapping[str, object],
    shape: Callable[[Answered], T],
    tail: str = "",
    tree: Tree = SDK,
) -> T:
    """A call that costs nothing."""
    with officially(tree, behind.url("/" + route)):
        client, call, timeout = _free(behind, route, body, official, tail)
        return shape(_document(*client._perform(call, timeout), behind.url("/" + route + tail)))


async def ask_free_async(
    behind: Behind[AsyncClient],
    route: str,
    body: Mapping[str, object] | None,
    official: Mapping[str, object],
    shape: Callable[[Answered], T],
    tail: str = "",
    tree: Tree = SDK,
) -> T:
    """`ask_free`, awaited."""
    with officially(tree, behind.url("/" + route)):
        client, call, timeout = _free(behind, route, body, official, tail)
        return shape(_document(*await client._perform(call, timeout), behind.url("/" + route + tail)))


def _free(
    behind: Behind[C],
    route: str,
    body: Mapping[str, object] | None,
    official: Mapping[str, object],
    tail: str,
) -> tuple[C, Attempts[tuple[object, HttpResponse]], TimeoutArgument]:
    given = given_of(official)
    client = behind.asked_with(given.get("extra_query", {}))
    sent = None if body is None else given_of(body) | dict(given.get("extra_body", {}))
    session: Session = cast("Any", client)._session
    settings, state, extra = session.settings, session.state, given.get("extra_headers")
    call = document_call(settings, state, route, sent, tail=tail, extra=extra)
    return client, Attempts(call, settings.retry, state), given.get("timeout", DEFAULT)


def _document(document: object, response: HttpResponse, url: str) -> Answered:
    if not isinstance(document, dict):
        raise DecodeError(f"{url} answered something else than an object", maybe_billed=False)
    return Answered(document, response.headers, url)


def refuse_streaming(tree: Tree = SDK) -> NoReturn:
    """Raises the error for `with_streaming_response`: nothing was sent."""
    refused = InvalidRequestError(
        "with_streaming_response is not supported here: call the method itself, or with_raw_response for "
        "the headers too",
        field="with_streaming_response",
    )
    make_official(refused, tree, "")
    raise refused
