"""A host that costs nothing, a client of it, and the way in which both kinds of run are tried."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

import dalle2
from dalle2 import bulk
from dalle2.bulk import _planner
from dalle2.bulk._signals import Stopper
from dalle2.testing import Emulator

Run = Callable[..., bulk.Report]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit through."""
    monkeypatch.setattr(_planner, "FIRST_WAIT", 0.02)


@pytest.fixture
def emulator() -> Emulator:
    """A host in this process."""
    return Emulator()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[dalle2.Client]:
    """A client of it."""
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        yield client


@pytest.fixture(params=["threads", "asyncio", "trio"])
def run(request: pytest.FixtureRequest, emulator: Emulator) -> Run:
    """`bulk.run`, or `bulk.arun` on an event loop of its own, with a client of the emulator."""

    def blocking(jobs: object, **more: object) -> bulk.Report:
        options = {"journal": "run.db", "out": "out", **more}
        settings = options.pop("client", {})
        with dalle2.Client("sk-test", http_client=emulator.client(), **settings) as client:  # type: ignore[arg-type]
            if jobs is None and "out" not in more:
                del options["out"]
            if jobs is None:
                return bulk.resume(client, **options)  # type: ignore[arg-type]
            return bulk.run(client, jobs, **options)  # type: ignore[arg-type]

    def awaited(jobs: object, **more: object) -> bulk.Report:
        options = {"journal": "run.db", "out": "out", **more}
        settings = options.pop("client", {})

        async def main() -> bulk.Report:
            http = emulator.async_client()
            async with dalle2.AsyncClient("sk-test", http_client=http, **settings) as client:  # type: ignore[arg-type]
                if jobs is None and "out" not in more:
                    del options["out"]
                if jobs is None:
                    return await bulk.aresume(client, **options)  # type: ignore[arg-type]
                return await bulk.arun(client, jobs, **options)  # type: ignore[arg-type]

        return asyncio.run(main()) if request.param == "asyncio" else trio.run(main)

    return blocking if request.param == "threads" else awaited


def job(id: str, prompt: str | None = None, **more: object) -> bulk.Job:
    """A small job."""
    fields = {"size": "256x256", **more}
    return bulk.Job(id, dalle2.GenerateRequest(prompt=prompt or f"picture {id}", **fields))  # type: ignore[arg-type]


# Signals that are sent one after the other, however slow the machine is

LONG = 20.0
"""Seconds after which a test gives up."""
_heard = [threading.Semaphore(0)]
"""Of this test: released each time a signal is heard. Who still waits from the test before has its own."""


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops says when it heard a signal."""
    now = _heard[0] = threading.Semaphore(0)
    hear = Stopper.__call__

    def heard(self: Stopper, *args: int) -> None:
        hear(self, *args)  # type: ignore[arg-type]
        now.release()

    monkeypatch.setattr(Stopper, "__call__", heard)


def signalled(times: int, number: int = signal.SIGTERM) -> Callable[[], None]:
    """Send this process a signal, the next one when it is heard: two at once would be one."""
    now = _heard[0]

    def act() -> None:
        for _ in range(times):
            os.kill(os.getpid(), number)
            now.acquire(timeout=LONG)

    return act
