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
from dalle2.bulk._elsewhere import Call, Elsewhere, arrived, call
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


@pytest.fixture(params=["spawn", "fork"])
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessPoolExecutor]:
    """Two processes that find the key in their environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(request.param)) as pool:
        yield pool


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
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


@pytest.mark.parametrize("kind", ["spawn", "fork"])
def test_ctrl_c_does_not_reach_a_call_that_is_under_way(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal interrupts every process; the run alone decides, and the answers still come."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    emulator, method = Slow(0.2), multiprocessing.get_context(kind)
    with (
        ProcessPoolExecutor(1, mp_context=method) as pool,
        emulator.serve() as server,
        dalle2.Client("sk-test", base_url=server.base_url) as client,
    ):

        def interrupt() -> None:
            emulator.asked.wait(30)
            for number in list(pool._processes):
                os.kill(number, signal.SIGINT)

        killer = threading.Thread(target=interrupt)
        killer.start()
        report = bulk.run(client, JOBS[:1], journal="run.db", out="out", executor=pool)
        killer.join()
    assert (report.done, len(emulator.billed)) == (1, 1)


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


def refuse(future: Future[Any]) -> None:
    """As an executor that was shut down."""
    raise RuntimeError("cannot schedule new futures after shutdown")


@pytest.mark.parametrize("act", [Future.cancel, refuse])
def test_what_an_executor_never_took_is_still_planned(emulator: Emulator, act: Any) -> None:
    """It was cancelled, or the executor was shut down: nothing was sent."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        with pytest.raises(dalle2.ConfigurationError, match="executor") as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", executor=Odd(act))
        report = caught.value.report  # type: ignore[attr-defined]
        assert (report.remaining, report.held) == (6, 0)
    assert emulator.requests == []


def test_a_pool_that_broke_while_it_had_nothing_to_do_loses_nothing(
    emulator: Emulator, pool: ProcessPoolExecutor
) -> None:
    """It raises what it raises for a call that it lost, and no call is held."""
    (number,) = {pool.submit(os.getpid).result()}
    os.kill(number, signal.SIGKILL)
    with pytest.raises(BrokenProcessPool):
        while True:
            pool.submit(abs, 1).result()
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        with pytest.raises(BrokenProcessPool) as caught:
            bulk.run(client, JOBS, journal="run.db", out="out", executor=pool)
        report = caught.value.report  # type: ignore[attr-defined]
        assert (report.remaining, report.held) == (6, 0)
    assert emulator.requests == []


@pytest.mark.parametrize("answer", [None, "odd", (1, 2, 3)])
def test_an_executor_that_answers_nonsense_ends_the_run(emulator: Emulator, answer: object) -> None:
    """What it did with the call nobody knows: it is held, and the run does not wait for ever."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        with pytest.raises((TypeError, ValueError)) as caught:
            odd = Odd(lambda future: future.set_result(answer))
            bulk.run(client, JOBS, journal="run.db", out="out", executor=odd, concurrency=2)
        assert caught.value.report.held == 2  # type: ignore[union-attr]


class Inline(Executor):
    """An executor of somebody else: it does it at once, here or as another process would."""

    def __init__(self, *, away: bool) -> None:
        self.away = away

    def submit(self, fn: Any, /, *values: Any, **more: Any) -> Future[Any]:
        """Take a call."""
        future: Future[Any] = Future()
        work = pickle.loads(pickle.dumps(fn)) if self.away else fn
        future.set_result(work(*values, **more))
        return future


def test_only_a_client_that_must_travel_is_refused(emulator: Emulator, client: dalle2.Client) -> None:
    """Without its own HTTP client it would call another host; in this process it is used as it is."""
    with pytest.raises(dalle2.ConfigurationError, match="http_client of yours cannot be sent") as caught:
        bulk.run(client, JOBS, journal="run.db", out="out", executor=Inline(away=True))
    assert caught.value.report.remaining == 6  # type: ignore[attr-defined]
    assert emulator.requests == []
    assert bulk.run(client, JOBS, journal="run.db", out="out", executor=Inline(away=False)).done == 6


def test_a_process_pool_refuses_it_too(
    emulator: Emulator, client: dalle2.Client, pool: ProcessPoolExecutor
) -> None:
    """It is packed as late as in a thread of the pool, which tells its reason all the same."""
    with pytest.raises(dalle2.ConfigurationError, match="http_client of yours cannot be sent"):
        bulk.run(client, JOBS, journal="run.db", out="out", executor=pool)
    assert emulator.requests == []


def test_a_worker_of_another_version_is_refused_by_name(client: dalle2.Client) -> None:
    """Both versions are told, whatever the rest is, and nothing is sent; so it is without a key."""
    receipt, error = arrived("0.0.0", b"", b"", "key")()
    assert receipt is None
    assert isinstance(error, dalle2.ConfigurationError)
    assert "0.0.0" in str(error) and dalle2.__version__ in str(error)
    travels = dalle2.Client("sk-test")
    there = pickle.dumps(Call(Elsewhere(Odd(None), travels), dalle2.GenerateRequest(prompt="a fox"), "key"))
    assert b"sk-test" not in there
    receipt, error = pickle.loads(there)()
    assert isinstance(error, dalle2.ConfigurationError)
    assert "no API key" in str(error)


def test_a_call_that_a_worker_cannot_read_was_not_made() -> None:
    """Of a class that it does not have, or cut on its way."""
    receipt, error = arrived(dalle2.__version__, b"cut", b"", "key")()
    assert receipt is None
    assert isinstance(error, dalle2.ConfigurationError)
    assert "cannot read the call: UnpicklingError" in str(error)


def test_a_worker_may_be_a_thread_elsewhere(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is never interrupted, and gives the same."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        there = pickle.loads(
            pickle.dumps(
                Call(
                    Elsewhere(Odd(None), client), dalle2.GenerateRequest(prompt="a fox", size="256x256"), "k"
                )
            )
        )
        with ThreadPoolExecutor(1) as threads:
            receipt, error = threads.submit(there).result()
        assert error is None
        assert len(receipt.images) == 1


def test_whatever_a_call_raises_comes_back(client: dalle2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker never fails by itself."""

    def broken(*values: object, **more: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(client, "send", broken)
    receipt, error = call(client, dalle2.GenerateRequest(prompt="a fox"), "key")
    assert receipt is None
    assert isinstance(error, LookupError)


# A Dask cluster, as far as it matters here (`tests/peers/test_clusters.py` has a real one)


class Scheduler:
    """What the scheduler knows, and how others ask it."""

    def __init__(self, id: str = "Scheduler-1") -> None:
        self.id = id
        self.handlers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self.handlers[name]


class Task:
    """A task of the cluster, done at once: `runs` times, as if so many workers had been lost."""

    def __init__(self, work: Any, values: Any, runs: int, failure: BaseException | None) -> None:
        self._failure = failure
        self._results = [work(*values) for _ in range(runs)]

    def result(self) -> Any:
        """What the last worker gave."""
        if self._failure is not None:
            raise self._failure
        return self._results[-1]

    def add_done_callback(self, act: Any) -> None:
        """It is done."""
        act(self)


class Cluster:
    """A client of Dask."""

    asynchronous = False

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.runs = 1
        self.failure: BaseException | None = None
        self.versions: dict[str, Any] = {}

    def run(self, act: Any, on_error: str) -> dict[str, Any]:
        """Have it done by each worker."""
        return {"tcp://10.0.0.1:9": act(), **self.versions}

    def run_on_scheduler(self, act: Any) -> Any:
        """Have it done there."""
        return act(self.scheduler)

    def sync(self, act: Any, *, callback_timeout: float, **more: Any) -> Any:
        """Wait for it."""
        return act(**more)

    def submit(self, work: Any, *values: Any, **more: Any) -> Task:
        """Take a task."""
        assert more["retries"] == 0 and more["pure"] is False
        return Task(work, values, self.runs, self.failure)


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


@pytest.fixture
def away(emulator: Emulator) -> Iterator[dalle2.Client]:
    """A client of a host that workers can reach."""
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        yield client


def test_a_cluster_makes_each_call_once(emulator: Emulator, cluster: Cluster, away: dalle2.Client) -> None:
    """A task that is run again asks first, and is told that its call was made."""
    for _ in range(2):
        assert (
            bulk.run(away, JOBS, journal="run.db", out="out", executor=bulk.dask_executor(cluster)).done == 6
        )
    cluster.runs = 2
    report = bulk.run(away, JOBS, journal="lost.db", out="lost", executor=bulk.dask_executor(cluster))
    assert (report.held, len(emulator.billed)) == (6, 12)


def test_a_task_that_was_lost_is_held_if_its_call_was_granted(
    emulator: Emulator, cluster: Cluster, away: dalle2.Client
) -> None:
    """And planned if it was not: nobody made it, and nobody will."""
    cluster.failure = LookupError("killed")
    report = bulk.run(away, JOBS, journal="lost.db", out="lost", executor=bulk.dask_executor(cluster))
    assert (report.held, len(emulator.billed)) == (6, 6)
    cluster.runs = 0
    with pytest.raises(dalle2.ConfigurationError, match="not made: LookupError: killed") as caught:
        bulk.run(away, JOBS, journal="run.db", out="out", executor=bulk.dask_executor(cluster))
    assert caught.value.report.remaining == 6  # type: ignore[attr-defined]
    assert len(emulator.billed) == 6


@pytest.mark.parametrize("again", [True, False])
def test_a_scheduler_that_was_lost_gets_no_more(cluster: Cluster, away: dalle2.Client, again: bool) -> None:
    """What was under way is held, also where another run taught the new one; the rest stays planned."""
    executor = bulk.dask_executor(cluster)
    cluster.scheduler = Scheduler("Scheduler-2") if again else None  # type: ignore[assignment]
    if again:
        bulk.dask_executor(cluster)
    cluster.runs, cluster.failure = 0, ConnectionError("lost")
    with pytest.raises(dalle2.ConfigurationError, match="scheduler was lost") as caught:
        bulk.run(away, JOBS, journal="run.db", out="out", executor=executor, concurrency=2)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.held, report.remaining) == (1, 5)


def test_all_under_way_is_held_with_the_scheduler(cluster: Cluster) -> None:
    """It is asked once, and not for each call."""
    executor = bulk.dask_executor(cluster)
    tasks: list[Any] = []
    cluster.runs, cluster.failure = 0, ConnectionError("lost")
    Task.add_done_callback, before = lambda self, act: tasks.append((self, act)), Task.add_done_callback  # type: ignore[method-assign]
    try:
        futures = [executor.submit(int) for _ in range(2)]
    finally:
        Task.add_done_callback = before  # type: ignore[method-assign]
    cluster.scheduler = None  # type: ignore[assignment]
    for task, act in tasks:
        act(task)
    for future in futures:
        error = future.exception()
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert "scheduler was lost" in str(error)


def test_a_cluster_of_another_version_is_refused_by_name(cluster: Cluster) -> None:
    """Before anything is sent: of which worker, and which versions. One that leaves does not count."""
    cluster.versions = {"tcp://10.0.0.2:9": OSError("gone")}
    bulk.dask_executor(cluster)
    cluster.versions = {"tcp://10.0.0.2:9": "0.0.0"}
    with pytest.raises(dalle2.ConfigurationError, match=r"tcp://10\.0\.0\.2:9 has .*dalle2 0\.0\.0"):
        bulk.dask_executor(cluster)
    cluster.versions = {"tcp://10.0.0.2:9": ModuleNotFoundError("No module named 'dalle2'")}
    with pytest.raises(dalle2.ConfigurationError, match="No module named 'dalle2'"):
        bulk.dask_executor(cluster)
    cluster.scheduler = None  # type: ignore[assignment]
    with pytest.raises(dalle2.ConfigurationError, match="the Dask cluster cannot be used: AttributeError"):
        bulk.dask_executor(cluster)


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
