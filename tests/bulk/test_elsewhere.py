"""Calls made by somebody else: threads, processes, and executors that fail."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

import dalle2
from dalle2 import bulk
from dalle2.bulk._elsewhere import call, call_for
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

from .conftest import job


class Slow(Emulator):
    """An emulator that holds each paid answer for a moment, and tells that it was asked."""

    def __init__(self, hold: float) -> None:
        super().__init__()
        self.hold = hold
        self.asked = threading.Event()

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        answer = super().handle(request)
        if request.method == "POST":
            self.asked.set()
            threading.Event().wait(self.hold)
        return answer


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessPoolExecutor]:
    """Two processes that find the key in their environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


JOBS = [job(str(n), response_format="b64_json" if n % 2 else "url") for n in range(6)]


def test_threads_of_the_caller_make_the_calls(emulator: Emulator) -> None:
    """With the client itself, whatever its connections are."""
    with ThreadPoolExecutor(2) as pool, dalle2.Client("sk-test", http_client=emulator.client()) as client:
        assert bulk.run(client, JOBS, journal="run.db", out="out", executor=pool).done == 6
        assert bulk.resume(client, "run.db", executor=pool).done == 6
    assert len(emulator.billed) == 6


def test_processes_make_the_calls(emulator: Emulator, pool: ProcessPoolExecutor) -> None:
    """The client travels without its key, and the answers come back to be kept here."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        emulator.fail_next(400, code="moderation_blocked")
        report = bulk.run(client, JOBS, journal="run.db", out="out", executor=pool)
        assert (report.done, report.refused, len(emulator.billed)) == (5, 1, 5)
        assert b"sk-test" not in pickle.dumps(client)


def test_a_worker_that_dies_leaves_what_was_under_way_held(pool: ProcessPoolExecutor) -> None:
    """And nothing is sent twice; with new workers the rest is done."""
    emulator = Slow(0.2)
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:

        def kill() -> None:
            emulator.asked.wait(30)
            for number in list(pool._processes):
                os.kill(number, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(BrokenProcessPool) as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", executor=pool, concurrency=2)
        killer.join()
        report = caught.value.report  # type: ignore[attr-defined]
        assert 1 <= report.held <= 2
        assert report.remaining == 6 - report.held
        with ThreadPoolExecutor(2) as threads:
            report = bulk.run(client, JOBS, journal="run.db", out="out", executor=threads)
        assert report.done == 6 - report.held
    assert len({entry.prompt for entry in emulator.billed}) == len(emulator.billed)


class Odd(Executor):
    """An executor that does with a call whatever a test wants."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def submit(self, fn: Any, /, *values: Any, **more: Any) -> Future[Any]:
        """Take a call."""
        future: Future[Any] = Future()
        self.act(future)
        return future


@pytest.mark.parametrize("act", [lambda future: future.cancel(), lambda future: [][0:0] or refuse()])
def test_what_an_executor_never_took_is_still_planned(emulator: Emulator, act: Any) -> None:
    """It was cancelled, or the executor was shut down: nothing was sent."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        with pytest.raises(dalle2.ConfigurationError, match="executor") as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", executor=Odd(act))
        report = caught.value.report  # type: ignore[attr-defined]
        assert (report.remaining, report.held) == (6, 0)
    assert emulator.requests == []


def refuse() -> None:
    """As an executor that was shut down."""
    raise RuntimeError("cannot schedule new futures after shutdown")


def test_a_client_that_cannot_travel_is_refused(emulator: Emulator, client: dalle2.Client) -> None:
    """Without its HTTP client it would call another host."""
    with pytest.raises(dalle2.ConfigurationError, match="http_client of yours cannot be sent"):
        bulk.run(client, JOBS, journal="run.db", out="out", executor=Odd(None))


def test_a_worker_of_another_version_is_refused_by_name(client: dalle2.Client) -> None:
    """Both versions are told, and nothing is sent; so it is without a key."""
    request = dalle2.GenerateRequest(prompt="a fox")
    receipt, error = call_for("0.0.0", b"", request, "key")
    assert receipt is None
    assert isinstance(error, dalle2.ConfigurationError)
    assert "0.0.0" in str(error) and dalle2.__version__ in str(error)
    receipt, error = call_for(dalle2.__version__, pickle.dumps(client), request, "key")
    assert isinstance(error, dalle2.ConfigurationError)
    assert "no API key" in str(error)


def test_whatever_a_call_raises_comes_back(client: dalle2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker never fails by itself."""

    def broken(*values: object, **more: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(client, "send", broken)
    receipt, error = call(client, dalle2.GenerateRequest(prompt="a fox"), "key")
    assert receipt is None
    assert isinstance(error, LookupError)


# A Dask cluster, as far as it matters here (`python -m tests.bulk.scale` kills the workers of a real one)


class Scheduler:
    """What the scheduler knows, and how a worker asks it."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self.handlers[name]


class Task:
    """A task of the cluster, done at once: `runs` times, as if so many workers had been lost."""

    def __init__(self, work: Any, values: Any, runs: int, status: str = "finished") -> None:
        self.status = status
        self._results = [work(*values) for _ in range(runs)] if status == "finished" else []

    def result(self) -> Any:
        """What the last worker gave."""
        return self._results[-1]

    def exception(self) -> Exception:
        """Why it failed."""
        return LookupError("killed")

    def add_done_callback(self, act: Any) -> None:
        """It is done."""
        act(self)


class Cluster:
    """A client of Dask."""

    asynchronous = False

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.runs = 1
        self.status = "finished"

    def run_on_scheduler(self, act: Any) -> None:
        """Have it done there."""
        act(self.scheduler)

    def submit(self, work: Any, *values: Any, **more: Any) -> Task:
        """Take a task."""
        assert more["retries"] == 0 and more["pure"] is False
        return Task(work, values, self.runs, self.status)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster in this process."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    cluster = Cluster()
    dask, utils = types.ModuleType("distributed"), types.ModuleType("distributed.utils")
    worker = types.SimpleNamespace(scheduler=cluster.scheduler, loop=None)
    vars(dask).update(Client=Cluster, get_worker=lambda: worker)
    vars(utils).update(sync=lambda loop, act, **more: act(**more))
    monkeypatch.setitem(sys.modules, "distributed", dask)
    monkeypatch.setitem(sys.modules, "distributed.utils", utils)
    return cluster


def test_a_cluster_makes_each_call_once(emulator: Emulator, cluster: Cluster) -> None:
    """A task that is run again asks first, and is told that its call was made."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        for _ in range(2):
            executor = bulk.dask_executor(cluster)
            report = bulk.run(client, JOBS, journal="run.db", out="out", executor=executor)
            assert report.done == 6
        cluster.runs = 2
        report = bulk.run(client, JOBS, journal="lost.db", out="lost", executor=bulk.dask_executor(cluster))
        assert (report.held, len(emulator.billed)) == (6, 12)
        for cluster.status in ("error", "cancelled"):
            report = bulk.run(
                client, JOBS, journal=f"{cluster.status}.db", out="none", executor=bulk.dask_executor(cluster)
            )
            assert (report.held, len(emulator.billed)) == (6, 12)


def test_what_is_no_cluster_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its type; and without Dask, the package is named."""
    with pytest.raises(dalle2.ConfigurationError, match="this is a int"):
        bulk.dask_executor(7)
    cluster.asynchronous = True
    with pytest.raises(dalle2.ConfigurationError, match="takes a blocking"):
        bulk.dask_executor(cluster)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(dalle2.ConfigurationError, match="pip install distributed"):
        bulk.dask_executor(cluster)
