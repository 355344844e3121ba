"""A call that is stopped at every moment: what it tells, and that the next one works, on a clean pool."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import uvloop
from httpx_aiohttp import HttpxAiohttpClient

import dalle2
from dalle2 import RetryPolicy

from .interrupts import Stepping, Struck, struck_at
from .server import IMAGE, FaultServer, good, png
from .tls import CERTIFICATE, TlsFront

KEY = "sk-test"
LIMITS = httpx.Timeout(5.0, pool=0.05)
"""A jammed pool shows at once."""
ENDLESS = 400
RUNNERS: dict[str, Callable[[Callable[[], Awaitable[Any]]], Any]] = {
    "asyncio": lambda work: asyncio.run(work()),  # type: ignore[arg-type]
    "uvloop": lambda work: uvloop.run(work()),  # type: ignore[arg-type]
    "trio": lambda work: trio.run(work),
}
every_loop = pytest.mark.parametrize("loop", RUNNERS)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server without faults."""
    with FaultServer() as one:
        yield one


def descriptors() -> int:
    """How many sockets this process has open (uvloop's own pipes live as long as its loop's memory)."""
    gc.collect()
    folder = "/proc/self/fd"
    links = []
    for name in os.listdir(folder):
        with suppress(OSError):
            links.append(os.readlink(f"{folder}/{name}"))
    return sum(link.startswith("socket:") for link in links)


class Told:
    """What a call said of itself: exceptions with their notes, and events."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: BaseException | None = None

    def begin(self) -> None:
        """Forget what was, and its log records: a listener's failure in one holds the frames of its call."""
        self.events.clear()
        self.error = None
        for handler in logging.root.handlers:
            getattr(handler, "records", []).clear()

    def check(self, server: FaultServer) -> None:
        """Nothing but an interrupt was raised; one of a call that the server has says so, with its event."""
        keys = {getattr(event, "idempotency_key", None) for event in self.events} - {None}
        reached = any(one.headers.get("idempotency-key") in keys for one in server.billed)
        names = [type(event).__name__ for event in self.events]
        notes = "".join(getattr(self.error, "__notes__", ()))
        unknown = "may have been billed" in notes
        assert not isinstance(self.error, dalle2.Dalle2Error)
        assert unknown == ("OutcomeUnknown" in names)
        if reached and self.error is not None and "CallSucceeded" not in names:
            assert unknown or "paid for and not handed over" in notes


async def cancelled_at(loop: str, step: int, work: Awaitable[Any], told: Told) -> bool:
    """Do the work, and cancel it at this step; whether it lasted that long."""

    async def watched() -> None:
        try:
            await work
        except BaseException as error:
            told.error = error
            raise

    if loop == "trio":
        with trio.CancelScope() as scope:
            stepping = Stepping(watched(), step, scope.cancel)
            await stepping
    else:
        stepping = Stepping(watched(), step, lambda: task.cancel())

        async def awaited() -> None:
            await stepping

        task = asyncio.get_running_loop().create_task(awaited())
        with suppress(asyncio.CancelledError):
            await task
    return stepping.steps >= step


def unclean(client: Any) -> list[str]:
    """What is left in the slots of a client after all its calls have ended."""

    def found() -> list[str]:
        homes = [getattr(home, "slots", home) for home in client._transport._own.values()]
        return [
            f"{len(slots.all)} slots, {len(slots.free)} of them free"
            for slots in homes
            if len(slots.all) != len(slots.free) or any(slot.busy for slot in slots.free)
        ]

    if found():
        gc.collect()  # what only a circle holds is nobody's
    return found()


@asynccontextmanager
async def awaited_client(origin: str, told: Told, **options: Any) -> AsyncIterator[dalle2.AsyncClient]:
    """A client that repeats nothing."""
    async with dalle2.AsyncClient(
        KEY, base_url=origin, timeout=LIMITS, retry=RetryPolicy.none(), on_event=told.events.append, **options
    ) as client:
        yield client


Work = Callable[[dalle2.AsyncClient, str, Path], Awaitable[Any]]
WORKS: dict[str, Work] = {
    "generate": lambda client, origin, folder: client.generate("a fox"),
    "large": lambda client, origin, folder: client.generate("a fox", extra_body={"p": "x" * 3_000_000}),
    "read": lambda client, origin, folder: client.image(f"{origin}/private/img.png").read(),
    "save": lambda client, origin, folder: client.image(f"{origin}/private/img.png").save(folder / "i.png"),
}


@every_loop
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "fresh"])
@pytest.mark.parametrize("name", WORKS)
def test_a_cancel_at_any_step_leaves_a_client_that_works(
    name: str, kept: bool, loop: str, server: FaultServer, tmp_path: Path
) -> None:
    """Step by step until the work gets through: the next call at once, nothing left, and the truth told."""
    told = Told()
    before = 0

    async def until_done() -> int:
        async with awaited_client(server.origin, told) as client:
            for step in range(1, ENDLESS):
                if kept:
                    await client.generate("a fox")
                elif step > 1:
                    await client.aclose()
                    client = dalle2.AsyncClient(
                        KEY, base_url=server.origin, timeout=LIMITS, on_event=told.events.append
                    )
                server.then(forever=good)
                told.begin()
                lasted = await cancelled_at(loop, step, WORKS[name](client, server.origin, tmp_path), told)
                events, told.events[:] = list(told.events), []
                await client.generate("the next")
                told.events[:] = events
                told.check(server)
                assert unclean(client) == []
                for file in tmp_path.iterdir():
                    assert (file.name, file.read_bytes()) == ("i.png", IMAGE)
                    file.unlink()
                if not lasted:
                    await client.aclose()
                    return step
        return ENDLESS

    RUNNERS[loop](until_done)
    while server._open:
        time.sleep(0.001)
    before = descriptors()
    assert 3 < RUNNERS[loop](until_done) < ENDLESS
    while server._open:
        time.sleep(0.001)
    assert descriptors() <= before


@every_loop
def test_a_cancel_within_tls_leaves_a_client_that_works(
    loop: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the handshake too, where the library forgets the socket."""
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    told = Told()

    async def until_done() -> int:
        for step in range(1, ENDLESS):
            async with awaited_client(front.origin, told) as client:
                server.then(forever=good)
                told.begin()
                lasted = await cancelled_at(loop, step, client.generate("a fox"), told)
                events, told.events[:] = list(told.events), []
                await client.generate("the next")
                told.events[:] = events
                told.check(server)
                assert unclean(client) == []
                if not lasted:
                    return step
        return ENDLESS

    with TlsFront(server.port) as front:
        RUNNERS[loop](until_done)
        while server._open:
            time.sleep(0.001)
        before = descriptors()
        assert 3 < RUNNERS[loop](until_done) < ENDLESS
        while server._open:
            time.sleep(0.001)
        assert descriptors() <= before


@pytest.mark.parametrize(
    ("loop", "kind"),
    [*((loop, httpx.AsyncClient) for loop in RUNNERS), ("asyncio", HttpxAiohttpClient)],
)
def test_a_cancel_does_a_callers_pool_no_harm_of_ours(loop: str, kind: Any, server: FaultServer) -> None:
    """Theirs may be jammed by the library itself; with room in it the next call works."""
    told = Told()

    async def until_done() -> int:
        async with (
            kind() as http,
            awaited_client(server.origin, told, http_client=http) as client,
        ):
            for step in range(1, ENDLESS):
                server.then(forever=good)
                told.begin()
                lasted = await cancelled_at(loop, step, client.generate("a fox"), told)
                events, told.events[:] = list(told.events), []
                await client.generate("the next")
                told.events[:] = events
                told.check(server)
                if not lasted:
                    return step
        return ENDLESS

    assert 1 < RUNNERS[loop](until_done) < ENDLESS


@every_loop
def test_a_cancel_behind_the_last_byte_loses_no_image(loop: str) -> None:
    """At each step of a long answer that is here whole: it is given, or it is with the cancel."""
    image = png(700, 700)
    body = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(image).decode()}]}).encode()
    told, billed = Told(), [0]

    def answer(request: httpx.Request) -> httpx.Response:
        billed[0] += 1
        return httpx.Response(200, content=body)

    async def until_done() -> int:
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
            awaited_client("https://api.example", told, http_client=http) as client,
        ):
            for step in range(1, ENDLESS):
                told.begin()
                billed[0] = 0
                if not await cancelled_at(loop, step, client.generate("a fox"), told):
                    return step
                kept = [one.content for one in getattr(told.error, "images", ())]
                assert kept == [image] * billed[0] or told.error is None
        return ENDLESS

    assert len(body) > 4 << 18
    assert 4 < RUNNERS[loop](until_done) < ENDLESS


# --- blocking ---

BLOCKING: dict[str, Callable[[dalle2.Client, str, Path], Any]] = {
    "generate": lambda client, origin, folder: client.generate("a fox"),
    "save": lambda client, origin, folder: client.image(f"{origin}/private/img.png").save(folder / "i.png"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "fresh"])
@pytest.mark.parametrize("raised", [Struck, TimeoutError])
def test_a_signal_at_any_moment_leaves_a_client_that_works(
    raised: type[BaseException], kept: bool, server: FaultServer
) -> None:
    """A handler that raises, in steps of a few calls of functions: its exception goes on, and tells."""
    told = Told()

    def new() -> dalle2.Client:
        return dalle2.Client(
            KEY, base_url=server.origin, timeout=LIMITS, retry=RetryPolicy.none(), on_event=told.events.append
        )

    def strike(client: dalle2.Client, moment: int) -> bool:
        server.then(forever=good)
        told.begin()
        try:
            return struck_at(moment, lambda: client.generate("a fox"), raised)
        except raised as error:
            told.error = error
        return True

    client = new()
    client.generate("a fox")
    before = descriptors()
    moment, lasted = 1, True
    while lasted:
        if not kept:
            client.close()
            client = new()
        lasted = strike(client, moment)
        events, told.events[:] = list(told.events), []
        client.generate("the next")
        told.events[:] = events
        told.check(server)
        told.begin()
        assert unclean(client) == []
        moment += 13
    assert moment > 500
    client.close()
    gc.collect()
    while server._open:
        time.sleep(0.001)
    assert descriptors() < before
