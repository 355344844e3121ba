"""One call or one download through a client of each kind, as a plain value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import anyio
import attrs
import httpx
import httpx2
import uvloop
from httpx_aiohttp import HttpxAiohttpClient
from httpx_aiohttp.httpx2 import Httpx2AiohttpClient

import dalle2

from .catalogue import FINE, Fault, Fetch, Post, lost
from .server import FaultServer, good

T = TypeVar("T")
FLAVOURS = ("sync", "asyncio", "trio")


async def _aread(response: Any) -> None:
    await response.aread()


async def _alook(request: Any) -> None:
    assert request.content == await request.aread()


def _look(request: Any) -> None:
    assert request.content == request.read()


HOOKS: dict[str, list[Any]] = {"request": [_look], "response": [lambda response: response.read()]}
AHOOKS: dict[str, list[Any]] = {"request": [_alook], "response": [_aread]}
STACKS: dict[str, tuple[str, Callable[[], Any] | None]] = {
    "sync": ("sync", None),
    "asyncio": ("asyncio", None),
    "trio": ("trio", None),
    "uvloop": ("uvloop", None),
    "httpx with hooks": ("sync", lambda: httpx.Client(event_hooks=HOOKS)),
    "httpx with hooks, asyncio": ("asyncio", lambda: httpx.AsyncClient(event_hooks=AHOOKS)),
    "httpx2": ("sync", httpx2.Client),
    "httpx2, trio": ("trio", httpx2.AsyncClient),
    "httpx over aiohttp": ("asyncio", HttpxAiohttpClient),
    "httpx2 over aiohttp": ("asyncio", Httpx2AiohttpClient),
}
"""On what a call is carried: our own connections, or a caller's client."""
WITHOUT_EVENTS = ("httpx over aiohttp", "httpx2 over aiohttp")
"""Their transport tells nothing of what it does."""


def run(loop: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run this on an event loop of this kind."""
    if loop == "uvloop":
        return uvloop.run(work())
    return anyio.run(work, backend=loop)


def patience(fault: Fault) -> float:
    """Seconds for each phase of an exchange: short only where a timeout is the point."""
    return 0.2 if fault.slow else 10.0


PADDING = "x" * 12_000_000


@attrs.frozen
class Outcome:
    """How it ended: the error, or `None`; and what was seen on the server."""

    error: Exception | None
    tries: int
    billed: int
    keys: frozenset[str | None]
    data: bytes | None = None

    @property
    def kind(self) -> str:
        """The name of the error's class, or nothing."""
        return "" if self.error is None else type(self.error).__name__

    @property
    def reason(self) -> str | None:
        """The error's reason, if it has one."""
        return getattr(self.error, "reason", None)

    @property
    def maybe_billed(self) -> bool:
        """What the error says of the bill."""
        return bool(getattr(self.error, "maybe_billed", False))


def policy(fault: Fault, stack: str) -> dalle2.RetryPolicy:
    """The default policy without its waits; short where only the deadline ends what nobody can attend to."""
    deadline = 0.4 if fault.deadline and stack in WITHOUT_EVENTS else fault.deadline
    return dalle2.RetryPolicy(initial=0.0, deadline=deadline)


@contextlib.contextmanager
def scene(fault: Fault, *, once: bool = False) -> Iterator[tuple[FaultServer, str]]:
    """A server with this fault, for ever or once, and its origin."""
    with FaultServer() as server, (fault.place or _at_home)(server) as origin:
        if not fault.warm:
            arm(server, fault, once=once)
        yield server, origin


def arm(server: FaultServer, fault: Fault, *, once: bool) -> None:
    """From now on, the fault."""
    if once:
        server.then(fault.act, forever=good)
    else:
        server.then(forever=fault.act)


@contextlib.contextmanager
def _at_home(server: FaultServer) -> Iterator[str]:
    yield server.origin


PROVEN_WITHOUT_EVENTS = ("connection refused", "name does not resolve")

READ_WHOLE = {"packed twice": FINE, "429 without end": lost("gateway", billed=0)}
"""What differs where a hook of the caller's reads each answer whole: the library unpacks, and reads on."""


def expected(stack: str, fault: Fault) -> Post:
    """What a paid call comes to on this stack.

    A transport that tells no events leaves in doubt what only they could have proven.
    """
    unproven = fault.post.error in ("APIConnectionError", "ConnectTimeoutError")
    if "hooks" in stack and fault.name in READ_WHOLE:
        return READ_WHOLE[fault.name]
    if stack in WITHOUT_EVENTS and unproven and fault.name not in PROVEN_WITHOUT_EVENTS:
        return lost("disconnected", billed=0, tries=0)
    return fault.post


FETCHED_WITHOUT_EVENTS = {
    **dict.fromkeys(
        ("reset after the request was read", "closed after the request was read"),
        Fetch(reason="unreachable", tries=6),  # it repeats a GET by itself
    ),
    "length too small": Fetch(reason="unreachable"),  # it takes the surplus for another answer, and fails
    "interim answers without end": Fetch(reason="timeout", tries=1),
}
"""What differs where aiohttp fetches an image."""


def fetched(stack: str, fault: Fault) -> Fetch:
    """What fetching an image comes to on this stack."""
    return FETCHED_WITHOUT_EVENTS.get(fault.name, fault.fetch) if stack in WITHOUT_EVENTS else fault.fetch


def pay(stack: str, fault: Fault, *, once: bool = False) -> Outcome:
    """A paid call under a fault."""
    loop, make = STACKS[stack]
    with scene(fault, once=once) as (server, origin):
        options: dict[str, Any] = {
            "api_key": "sk-test",
            "base_url": origin,
            "timeout": patience(fault),
            "retry": policy(fault, stack),
        }
        extra = {"padding": PADDING} if fault.large else None
        error: Exception | None = None
        if loop == "sync":
            with contextlib.ExitStack() as stay:
                http = None if make is None else stay.enter_context(make())
                client = stay.enter_context(dalle2.Client(http_client=http, **options))
                if fault.warm:
                    warm(server, fault, once, client.generate("a fox"))
                try:
                    client.generate("a fox", extra_body=extra)
                except dalle2.Dalle2Error as caught:
                    error = caught
        else:

            async def work() -> Exception | None:
                async with contextlib.AsyncExitStack() as stay:
                    http = None if make is None else await stay.enter_async_context(make())
                    client = await stay.enter_async_context(dalle2.AsyncClient(http_client=http, **options))
                    if fault.warm:
                        warm(server, fault, once, await client.generate("a fox"))
                    try:
                        await client.generate("a fox", extra_body=extra)
                    except dalle2.Dalle2Error as caught:
                        return caught
                return None

            error = run(loop, work)
        posts = [one for one in server.requests if one.method == "POST"]
        return Outcome(error, len(posts), len(server.billed), frozenset(server.keys))


def warm(server: FaultServer, fault: Fault, once: bool, first: object) -> None:
    """The first call went well and left a connection: now the fault."""
    assert first
    arm(server, fault, once=once)


def fetch(stack: str, fault: Fault, folder: Path, *, once: bool = False) -> Outcome:
    """An image saved under a fault."""
    loop, make = STACKS[stack]
    with scene(fault, once=once) as (server, origin):
        options: dict[str, Any] = {
            "api_key": "sk-test",
            "base_url": origin,
            "timeout": patience(fault),
            "retry": policy(fault, stack),
        }
        url = f"{origin}/private/img.png"
        error: Exception | None = None
        if loop == "sync":
            with dalle2.Client(**options) as client:
                if fault.warm:
                    warm(server, fault, once, client.image(url).read())
                try:
                    client.image(url).save(folder / "image.png")
                except dalle2.Dalle2Error as caught:
                    error = caught
        else:

            async def work() -> Exception | None:
                async with contextlib.AsyncExitStack() as stay:
                    http = None if make is None else await stay.enter_async_context(make())
                    client = await stay.enter_async_context(dalle2.AsyncClient(http_client=http, **options))
                    if fault.warm:
                        warm(server, fault, once, await client.image(url).read())
                    try:
                        await client.image(url).save(folder / "image.png")
                    except dalle2.Dalle2Error as caught:
                        return caught
                return None

            error = run(loop, work)
        files = list(folder.iterdir())
        data = b"".join(file.read_bytes() for file in files) if files else None
        return Outcome(error, len(server.requests), len(server.billed), frozenset(), data)
