"""The emulator as an HTTP client: httpx transports that call it without a socket.

The rule: a caller cannot tell it from a connection. Bodies are streamed, a lost answer or one that takes too
long raises what httpx raises for it, and the awaited form keeps the event loop free, under asyncio and trio.
Only their `emulated_clock` tells the clients of this package what time it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx

from ._exchange import EmulatedRequest, EmulatedResponse, Loss
from ._server import cut

if TYPE_CHECKING:
    from ._clock import Clock
    from ._exchange import Answers


class _Client(httpx.Client):
    emulated_clock: Clock | None = None


class _AsyncClient(httpx.AsyncClient):
    emulated_clock: Clock | None = None


def make_client(emulator: Answers, clock: Clock | None = None) -> httpx.Client:
    """A blocking client on the emulator, whose images take their time from `clock`."""
    client = _Client(transport=_Transport(emulator))
    client.emulated_clock = clock
    return client


def make_async_client(emulator: Answers, clock: Clock | None = None) -> httpx.AsyncClient:
    """An awaited client on the emulator, whose images take their time from `clock`."""
    client = _AsyncClient(transport=_AsyncTransport(emulator))
    client.emulated_clock = clock
    return client


class _Transport(httpx.BaseTransport):
    def __init__(self, emulator: Answers) -> None:
        self._emulator = emulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        answer = self._emulator.handle(_incoming(request, body))
        _take(answer.delay, request)
        _raise_if_lost(answer.loss, request)
        return httpx.Response(answer.status, headers=_headers(answer), stream=_Stream(answer, request))


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, emulator: Answers) -> None:
        self._emulator = emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await anyio.to_thread.run_sync(self._emulator.handle, _incoming(request, body))
        await _take_awaited(answer.delay, request)
        _raise_if_lost(answer.loss, request)
        return httpx.Response(answer.status, headers=_headers(answer), stream=_AsyncStream(answer, request))


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: EmulatedResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        if self._request.method != "HEAD":
            for pause, piece in _pieces(self._answer):
                _take(pause, self._request)
                yield piece
            _raise_if_cut(self._answer, self._request)


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, answer: EmulatedResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._request.method == "HEAD":
            return
        pieces = _pieces(self._answer)
        while (found := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
            pause, piece = found
            await _take_awaited(pause, self._request)
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


def _pieces(answer: EmulatedResponse) -> Iterator[tuple[float, bytes]]:
    """Pieces no larger than a socket would give, and how long each one takes (s)."""
    for piece in cut(answer):
        for start in range(0, len(piece), 65536):
            yield 0.0 if start else answer.pause, piece[start : start + 65536]


def _take(seconds: float, request: httpx.Request) -> None:
    """Let so many seconds pass. Raises `httpx.ReadTimeout` once the caller has waited for long enough."""
    limit = _read_limit(request)
    if seconds:
        time.sleep(min(seconds, limit))
    _raise_if_late(seconds, limit, request)


async def _take_awaited(seconds: float, request: httpx.Request) -> None:
    """`_take`, awaited."""
    limit = _read_limit(request)
    if seconds:
        await anyio.sleep(min(seconds, limit))
    _raise_if_late(seconds, limit, request)


def _read_limit(request: httpx.Request) -> float:
    limit = request.extensions.get("timeout", {}).get("read")
    return math.inf if limit is None else float(limit)


def _raise_if_late(seconds: float, limit: float, request: httpx.Request) -> None:
    if seconds > limit:
        raise httpx.ReadTimeout("The read operation timed out", request=request)


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
