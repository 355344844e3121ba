"""Tools that patch httpx's own transports (respx, pytest-httpx and the like) see whatever a client sends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import dalle2
from dalle2.testing import Emulator

Seen = list[tuple[str, str]]
POST = ("POST", "/v1/images/generations")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What went through httpx's transports, which an emulator answers."""
    emulator, requests = Emulator(), Seen()
    blocking, awaited = emulator.client()._transport, emulator.async_client()._transport

    def handle(self: object, request: httpx.Request) -> httpx.Response:
        requests.append((request.method, request.url.path))
        return blocking.handle_request(request)

    async def handle_awaited(self: object, request: httpx.Request) -> httpx.Response:
        requests.append((request.method, request.url.path))
        return await awaited.handle_async_request(request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_awaited)
    return requests


def kept(*images: Any) -> Seen:
    """The downloads of these images."""
    return [("GET", httpx.URL(image.url).path) for image in images]


def test_a_blocking_client_hides_nothing(seen: Seen) -> None:
    """Paid calls, free ones, downloads by the client and after it was closed."""
    with dalle2.Client("sk-test") as client:
        first, second = client.generate("a fox", n=2, size="256x256")
        first.read()
        client.moderate("a fox")
        client.list_models()
        list(client.stream("a fox", model="gpt-image-2", size="816x816"))
    second.read()
    free = [("POST", "/v1/moderations"), ("GET", "/v1/models")]
    assert seen == [POST, *kept(first), *free, POST, *kept(second)]


@pytest.mark.anyio
async def test_an_awaited_client_hides_nothing(seen: Seen) -> None:
    """The same, under asyncio and trio."""
    async with dalle2.AsyncClient("sk-test") as client:
        first, second = await client.generate("a fox", n=2, size="256x256")
        await first.read()
        await client.list_models()
    await second.read()
    assert seen == [POST, *kept(first), ("GET", "/v1/models"), *kept(second)]
