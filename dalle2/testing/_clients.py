"""The emulator as an HTTP client: httpx transports that call it without a socket.

The rule: a caller cannot tell it from a connection. Bodies are streamed, a lost answer raises what httpx
raises for one, and the awaited form keeps the event loop free, under asyncio and trio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx

from ._exchange import EmulatedRequest, EmulatedResponse, Loss
from ._server import cut

if TYPE_CHECKING:
    from ._exchange import Answers


def make_client(emulator: Answers) -> httpx.Client:
    """A blocking client on the emulator."""
    return httpx.Client(transport=_Transport(emulator))


def make_async_client(emulator: Answers) -> httpx.AsyncClient:
    """An awaited client on the emulator."""
    return httpx.AsyncClient(transport=_AsyncTransport(emulator))


class _Transport(httpx.BaseTransport):
    def __init__(self, emulator: Answers) -> None:
        self._emulator = emulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        answer = self._emulator.handle(_incoming(request, body))
        _raise_if_lost(answer.loss, request)
        return httpx.Response(answer.status, headers=_headers(answer), stream=_Stream(answer, request))


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, emulator: Answers) -> None:
        self._emulator = emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await anyio.to_thread.run_sync(self._emulator.handle, _incoming(request, body))
        _raise_if_lost(answer.loss, request)
        return httpx.Response(answer.status, headers=_headers(answer), stream=_AsyncStream(answer, request))


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: EmulatedResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        if self._request.method != "HEAD":
            yield from _pieces(self._answer)
            _raise_if_cut(self._answer, self._request)


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, answer: EmulatedResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._request.method == "HEAD":
            return
        pieces = _pieces(self._answer)
        while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
            yield piece
        _raise_if_cut(self._answer, self._request)


def _incoming(request: httpx.Request, body: bytes) -> EmulatedRequest:
    url = request.url
    return EmulatedRequest(
        method=request.method,
        origin=f"{url.scheme}://{url.netloc.decode()}",
        path=url.path,
        query=url.query.decode(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def _headers(answer: EmulatedResponse) -> dict[str, str]:
    headers = dict(answer.headers)
    if answer.chunks is None:
        headers.setdefault("Content-Length", str(len(answer.body)))
    return headers


def _pieces(answer: EmulatedResponse) -> Iterator[bytes]:
    """Pieces no larger than a socket would give."""
    for piece in cut(answer):
        for start in range(0, len(piece), 65536):
            yield piece[start : start + 65536]


def _raise_if_lost(loss: Loss | None, request: httpx.Request) -> None:
    if loss is not None and loss.after_bytes is None:
        if loss.cause == "timeout":
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)


def _raise_if_cut(answer: EmulatedResponse, request: httpx.Request) -> None:
    loss = answer.loss
    if loss is None or (answer.chunks is None and (loss.after_bytes or 0) >= len(answer.body)):
        return  # A body that arrived whole is whole, even if the connection breaks then.
    if loss.cause == "timeout":
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    raise httpx.RemoteProtocolError(
        "peer closed connection without sending complete message body", request=request
    )
