"""One call or one download through a client of each kind, as a plain value."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import anyio
import attrs

import dalle2

from .catalogue import Fault
from .server import FaultServer, good

FLAVOURS = ("sync", "asyncio", "trio")


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


def policy(fault: Fault) -> dalle2.RetryPolicy:
    """The default policy without its waits."""
    return dalle2.RetryPolicy(initial=0.0, deadline=fault.deadline)


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


def pay(flavour: str, fault: Fault, *, once: bool = False) -> Outcome:
    """A paid call under a fault."""
    with scene(fault, once=once) as (server, origin):
        options = {
            "api_key": "sk-test",
            "base_url": origin,
            "timeout": patience(fault),
            "retry": policy(fault),
        }
        extra = {"padding": PADDING} if fault.large else None
        error: Exception | None = None
        if flavour == "sync":
            with dalle2.Client(**options) as client:  # type: ignore[arg-type]
                if fault.warm:
                    warm(server, fault, once, client.generate("a fox"))
                try:
                    client.generate("a fox", extra_body=extra)
                except dalle2.Dalle2Error as caught:
                    error = caught
        else:

            async def work() -> Exception | None:
                async with dalle2.AsyncClient(**options) as client:  # type: ignore[arg-type]
                    if fault.warm:
                        warm(server, fault, once, await client.generate("a fox"))
                    try:
                        await client.generate("a fox", extra_body=extra)
                    except dalle2.Dalle2Error as caught:
                        return caught
                return None

            error = anyio.run(work, backend=flavour)
        posts = [one for one in server.requests if one.method == "POST"]
        return Outcome(error, len(posts), len(server.billed), frozenset(server.keys))


def warm(server: FaultServer, fault: Fault, once: bool, first: object) -> None:
    """The first call went well and left a connection: now the fault."""
    assert first
    arm(server, fault, once=once)


def fetch(flavour: str, fault: Fault, folder: Path, *, once: bool = False) -> Outcome:
    """An image saved under a fault."""
    with scene(fault, once=once) as (server, origin):
        options = {
            "api_key": "sk-test",
            "base_url": origin,
            "timeout": patience(fault),
            "retry": policy(fault),
        }
        url = f"{origin}/private/img.png"
        error: Exception | None = None
        if flavour == "sync":
            with dalle2.Client(**options) as client:  # type: ignore[arg-type]
                if fault.warm:
                    warm(server, fault, once, client.image(url).read())
                try:
                    client.image(url).save(folder / "image.png")
                except dalle2.Dalle2Error as caught:
                    error = caught
        else:

            async def work() -> Exception | None:
                async with dalle2.AsyncClient(**options) as client:  # type: ignore[arg-type]
                    if fault.warm:
                        warm(server, fault, once, await client.image(url).read())
                    try:
                        await client.image(url).save(folder / "image.png")
                    except dalle2.Dalle2Error as caught:
                        return caught
                return None

            error = anyio.run(work, backend=flavour)
        files = list(folder.iterdir())
        data = b"".join(file.read_bytes() for file in files) if files else None
        return Outcome(error, len(server.requests), len(server.billed), frozenset(), data)
