"""How long the event loop may stand still, counted: in bytes between two of its turns, never in seconds."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

import dalle2
from dalle2._image._data import ImageData
from dalle2._image._media import ImageCheck
from dalle2._wire._body import JsonBody

from ..faults.server import IMAGE, Connection, FaultServer

AT_ONCE = 1 << 19
"""Bytes: two pieces, since trio shuffles its tasks."""
SIZE = 6 << 20
BACKENDS = ("asyncio", "trio")


def picture() -> bytes:
    """A black PNG of `SIZE` bytes: packed, all of it is one chunk."""
    data = b"IDAT" + bytes(SIZE)
    return IMAGE[:33] + SIZE.to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big") + IMAGE[-12:]


LARGE = picture()
ANSWER = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(LARGE).decode()}]}).encode()


class Turns:
    """Counts what is done between two turns of the event loop, on its own thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turn = 0
        self.done: Counter[int] = Counter()
        self.elsewhere = 0
        self._monkeypatch = monkeypatch
        self._thread = threading.get_ident()

    def count(self, owner: Any, name: str) -> None:
        """From now on, the bytes that this function is given (in its last argument)."""
        real = getattr(owner, name)

        def counted(*args: Any) -> Any:
            if threading.get_ident() == self._thread:
                self.done[self.turn] += len(args[-1])
            else:
                self.elsewhere += len(args[-1])
            return real(*args)

        self._monkeypatch.setattr(owner, name, counted)

    async def go_on(self) -> None:
        """Turn for turn, until it is cancelled."""
        while True:
            self.turn += 1
            await anyio.lowlevel.checkpoint()

    def run(self, backend: str, work: Callable[[], Any]) -> Any:
        """What the work gives, with the turns counted."""

        async def main() -> Any:
            async with anyio.create_task_group() as group:
                group.start_soon(self.go_on)
                value = await work()
                group.cancel_scope.cancel()
            return value

        return anyio.run(main, backend=backend)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Nothing counted yet."""
    return Turns(monkeypatch)


def answering(body: bytes, **headers: str) -> Callable[[Connection], None]:
    """The act of a host that sends this to a paid call."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}

    def act(c: Connection) -> None:
        c.read()
        c.reply(200, body, headers=fields)

    return act


async def _read(response: httpx.Response) -> None:
    await response.aread()


WAYS: dict[str, Callable[[], Any]] = {
    "our connections": lambda: None,
    "read by a hook": lambda: httpx.AsyncClient(event_hooks={"response": [_read]}),
    "held by a transport": lambda: httpx.AsyncClient(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, content=ANSWER))
    ),
    "aiohttp": HttpxAiohttpClient,
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize(("backend", "way"), [*((one, way) for one in BACKENDS for way in WAYS)])
def test_a_large_answer_is_decoded_piece_by_piece(backend: str, way: str, packed: bool, turns: Turns) -> None:
    """However it comes, at most half a MiB is decoded before the loop turns; and nothing at the end."""
    backend = "asyncio" if way == "aiohttp" else backend
    turns.count(JsonBody, "feed")

    async def work() -> bytes | None:
        async with AsyncExitStack() as stay:
            http = WAYS[way]()
            if http is not None:
                await stay.enter_async_context(http)
            client = dalle2.AsyncClient("sk-test", base_url=server.origin, http_client=http)
            await stay.enter_async_context(client)
            return (await client.generate("a fox"))[0].content

    with FaultServer() as server:
        body = gzip.compress(ANSWER) if packed else ANSWER
        server.then(forever=answering(body, **({"Content_Encoding": "gzip"} if packed else {})))
        assert turns.run(backend, work) == LARGE
    assert sum(turns.done.values()) == len(ANSWER)
    assert max(turns.done.values()) <= AT_ONCE


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fetched_image_is_looked_at_piece_by_piece(backend: str, turns: Turns) -> None:
    """At most half a MiB of it before the loop turns."""
    turns.count(ImageCheck, "feed")

    async def work() -> bytes:
        async with dalle2.AsyncClient("sk-test", base_url=server.origin) as client:
            return await client.image(f"{server.origin}/a.png").read()

    with FaultServer() as server:
        server.image = LARGE
        assert turns.run(backend, work) == LARGE
    assert sum(turns.done.values()) == len(LARGE)
    assert max(turns.done.values()) <= AT_ONCE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("way", ["read", "save", "images.save"])
def test_held_bytes_are_checked_and_written_in_a_thread(
    way: str, backend: str, turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large image keeps the loop from nothing; a second read has nothing left to check."""
    turns.count(ImageCheck, "feed")
    turns.count(os, "write")
    flushed: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(threading.get_ident()) or real(fd))
    images = dalle2.AsyncImages.of(
        _answer(ImageData(created=datetime(2026, 6, 1, tzinfo=UTC), content=LARGE)), None
    )

    async def work() -> None:
        if way == "read":
            assert await images[0].read() is await images[0].read() is LARGE
        elif way == "save":
            await images[0].save(tmp_path / "a.png")
        else:
            await images.save(tmp_path)

    turns.run(backend, work)
    assert max(turns.done.values(), default=0) < 64  # a loop wakes itself with a byte
    assert turns.elsewhere == len(LARGE) * (1 if way == "read" else 2)
    assert threading.get_ident() not in flushed


def _answer(image: ImageData) -> Any:
    from dalle2._image._data import ImagesData

    return ImagesData(
        images=(image,), created=image.created, model="dall-e-2", request_id=None, usage=None, request=None,
        extra={}, headers={},
    )  # fmt: skip
