"""Workers that are killed: of a real Dask cluster, and of process pools. `nox -s scale`, `-- 200` for more.

Each round runs a few jobs over the emulator's real server, has a worker killed with SIGKILL at a random
moment, and goes on with the same journal until the jobs are through. A round that hangs ends the program with
the stacks of all threads.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any

import dalle2
from dalle2 import bulk

from .kills import CONCURRENCY, JOBS, SlowEmulator, jobs

WORKERS, PER_CLUSTER = 4, 4
LONGEST = 120.0
"""Seconds for a round: more is a hang."""

Host = tuple[Executor, list[int]]
"""An executor, and the processes of its workers."""


def killed(hosts: Callable[[], Host], seed: int) -> tuple[bulk.Report, int]:
    """Runs of one journal; a worker of the first is killed. The report, and how many were cut short."""
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    chance = random.Random(seed)
    emulator = SlowEmulator(seed, faulty=False)
    half, cut, held = chance.choice(["url", "b64_json"]), 0, 0
    with tempfile.TemporaryDirectory() as folder, emulator.serve() as server:
        while True:
            executor, workers = hosts()
            killer = threading.Timer(chance.uniform(0.02, 0.4), kill, [chance.choice(workers)])
            if not cut:
                killer.start()
            with dalle2.Client("sk-test", base_url=server.base_url) as api:
                try:
                    report = bulk.run(
                        api,
                        jobs(half),
                        journal=f"{folder}/run.db",
                        out=f"{folder}/out",
                        concurrency=CONCURRENCY,
                        executor=executor,
                    )
                except BrokenProcessPool as broken:
                    report = broken.report  # type: ignore[attr-defined]
            killer.cancel()
            assert report.held - held <= CONCURRENCY, report
            held = report.held
            if not report.remaining:
                break
            cut += 1
            assert cut < 2, "a run without a kill was cut short"
    billed = Counter(entry.prompt for entry in emulator.billed)
    assert max(billed.values()) == 1, billed
    assert report.done + report.held == JOBS
    assert report.done <= sum(billed.values()) <= JOBS
    faulthandler.cancel_dump_traceback_later()
    return report, cut


def kill(worker: int) -> None:
    """At once, as the system does where memory is short."""
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


@contextmanager
def pools(kind: str) -> Iterator[Callable[[], Host]]:
    """Process pools, a new one for each run: one that lost a worker is broken."""
    made: list[Any] = []

    def host() -> Host:
        if kind == "loky":
            from loky.process_executor import ProcessPoolExecutor as LokyExecutor

            pool: Any = LokyExecutor(WORKERS)
        else:
            pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(kind))
        made.append(pool)
        list(pool.map(abs, range(WORKERS * 4)))
        return pool, list(pool._processes)

    try:
        yield host
    finally:
        for pool in made:
            pool.shutdown()


@contextmanager
def dask() -> Iterator[Callable[[], Host]]:
    """A Dask cluster, whose nannies start new workers; one does not survive every kill."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=4, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def host() -> Host:
            client.wait_for_workers(1)
            processes = client.run(os.getpid, on_error="ignore")
            return bulk.dask_executor(client), list(processes.values())

        yield host


def rounds(name: str, place: Callable[[], Any], count: int) -> None:
    """So many rounds, and what became of them."""
    began = time.monotonic()
    done = held = cut = 0
    for first in range(0, count, PER_CLUSTER):
        with place() as hosts:
            for seed in range(first, min(first + PER_CLUSTER, count)):
                report, stops = killed(hosts, seed)
                done, held, cut = done + report.done, held + report.held, cut + stops
    print(
        f"{name}: {count} kills in {time.monotonic() - began:.0f} s, {count * JOBS} jobs: {done} done, "
        f"{held} held, {cut} runs cut short, none paid for twice",
        flush=True,
    )


def main(count: int) -> None:
    """Each kind of worker."""
    os.environ["OPENAI_API_KEY"] = "sk-test"
    rounds("a Dask cluster", dask, count)
    for kind in ("spawn", "fork", "loky"):
        rounds(f"process pools ({kind})", lambda kind=kind: pools(kind), count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
