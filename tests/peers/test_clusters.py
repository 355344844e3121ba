"""Runs whose calls a real Dask cluster or loky makes, while workers and the scheduler are killed.

`nox -s scale` does the same by the dozen.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from loky.process_executor import ProcessPoolExecutor as LokyExecutor
from loky.process_executor import TerminatedWorkerError

import dalle2
from dalle2 import bulk
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

JOBS, CONCURRENCY = 12, 4

# Of Dask's own making: it forks beside threads, and leaves sockets to the collector when it is killed.
pytestmark = pytest.mark.filterwarnings("ignore")


class Slow(Emulator):
    """An emulator that holds each paid answer for a moment, and does something once it was asked thrice."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], object] | None = None

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        answer = super().handle(request)
        if request.method == "POST":
            if len(self.billed) >= 3 and self.act is not None:
                act, self.act = self.act, None
                act()
            threading.Event().wait(0.2)
        return answer


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, and the key in the environment of workers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


@pytest.fixture
def emulator() -> Slow:
    """A host."""
    return Slow()


@pytest.fixture
def client(emulator: Slow) -> Iterator[dalle2.Client]:
    """A client of it, over a socket that workers reach, too."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        yield client


def run(client: dalle2.Client, executor: Any) -> bulk.Report:
    """The run, in a journal of its own."""
    return bulk.run(
        client,
        [f"picture {number}" for number in range(JOBS)],
        journal="run.db",
        out="out",
        concurrency=CONCURRENCY,
        executor=executor,
    )


def kill(number: int) -> None:
    """A process, at once."""
    os.kill(number, signal.SIGKILL)


def paid_once(emulator: Emulator) -> bool:
    """Whether no prompt was billed twice."""
    return len({entry.prompt for entry in emulator.billed}) == len(emulator.billed)


def test_dask_workers_that_are_killed_cost_nothing_twice(emulator: Slow, client: dalle2.Client) -> None:
    """Dask starts others and runs their tasks again, which find that they were granted before."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as dask,
    ):
        executor = bulk.dask_executor(dask)
        workers = list(dask.run(os.getpid).values())
        emulator.act = lambda: list(map(kill, workers))
        report = run(client, executor)
        assert 1 <= report.held <= CONCURRENCY
        assert report.done + report.held == JOBS
    assert paid_once(emulator)


@contextmanager
def dask(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's command line."""
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def connected(port: int) -> Iterator[Client]:
    """A worker, and a client that waited for it."""
    address = f"tcp://127.0.0.1:{port}"
    with dask("worker", address, "--no-nanny", "--nthreads", "4"), Client(address, timeout=30) as found:
        found.wait_for_workers(1, timeout=30)
        yield found


def test_a_scheduler_that_is_started_again_gets_no_more(emulator: Slow, client: dalle2.Client) -> None:
    """All that was under way is held; the next run, with an executor of the new scheduler, does the rest."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = "scheduler", "--host", "127.0.0.1", "--port", str(port)
    with dask(*words) as first, connected(port) as found:
        executor = bulk.dask_executor(found)
        emulator.act = first.kill
        with pytest.raises(dalle2.ConfigurationError, match="scheduler was lost") as caught:
            run(client, executor)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.done, report.held, report.remaining) == (0, CONCURRENCY, JOBS - CONCURRENCY)
    with dask(*words), connected(port) as found:
        report = run(client, bulk.dask_executor(found))
    assert (report.done, report.held) == (JOBS - CONCURRENCY, CONCURRENCY)
    assert paid_once(emulator)


def test_a_worker_without_a_key_is_told(client: dalle2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key does not travel, and where there is none nothing was sent."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as dask,
        pytest.raises(dalle2.ConfigurationError, match="no API key") as caught,
    ):
        run(client, bulk.dask_executor(dask))
    assert caught.value.report.remaining == JOBS  # type: ignore[attr-defined]


def test_a_client_of_dask_that_is_closed_in_the_middle(emulator: Slow, client: dalle2.Client) -> None:
    """Ends the run, which does not wait for ever; what was under way is held."""
    with LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address=None) as cluster:
        dask = Client(cluster)
        executor = bulk.dask_executor(dask)
        emulator.act = lambda: threading.Thread(target=dask.close).start()
        with pytest.raises(dalle2.ConfigurationError, match="no more calls") as caught:
            run(client, executor)
        assert caught.value.report.held <= CONCURRENCY  # type: ignore[attr-defined]
    assert paid_once(emulator)


def test_a_worker_of_loky_that_is_killed_costs_nothing_twice(emulator: Slow, client: dalle2.Client) -> None:
    """What was under way is held, and a new pool does the rest."""
    pool = LokyExecutor(2)
    emulator.act = lambda: kill(next(iter(pool._processes)))
    with pytest.raises(TerminatedWorkerError) as caught:
        run(client, pool)
    held = caught.value.report.held  # type: ignore[attr-defined]
    assert 1 <= held <= CONCURRENCY
    pool = LokyExecutor(2)
    report = run(client, pool)
    pool.shutdown()
    assert (report.done, report.held) == (JOBS - held, held)
    assert paid_once(emulator)
