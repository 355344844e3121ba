"""A real Dask cluster whose workers are killed: `python -m tests.bulk.scale 50` (needs `distributed`).

Each round runs a few jobs over the emulator's real server and kills a worker with SIGKILL in the middle.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter

import dalle2
from dalle2 import bulk

from .kills import CONCURRENCY, JOBS, SlowEmulator, jobs

PER_CLUSTER = 4


def killed(client: object, seed: int) -> bulk.Report:
    """One run, a worker of which is killed at a random moment."""
    chance = random.Random(seed)
    emulator = SlowEmulator(seed, faulty=False)
    with tempfile.TemporaryDirectory() as folder, emulator.serve() as server:
        pids = [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]  # type: ignore[attr-defined]
        threading.Timer(chance.uniform(0.05, 0.5), os.kill, (chance.choice(pids), signal.SIGKILL)).start()
        with dalle2.Client("sk-test", base_url=server.base_url) as api:
            report = bulk.run(
                api,
                jobs(chance.choice(["url", "b64_json"])),
                journal=f"{folder}/run.db",
                out=f"{folder}/out",
                concurrency=CONCURRENCY,
                executor=bulk.dask_executor(client),
            )
    billed = Counter(entry.prompt for entry in emulator.billed)
    assert max(billed.values()) == 1, billed
    assert report.done + report.held == JOBS
    assert report.held <= CONCURRENCY
    return report


def main(rounds: int) -> None:
    """Many rounds, and what became of them."""
    from distributed import Client, LocalCluster

    os.environ["OPENAI_API_KEY"] = "sk-test"
    held = done = 0
    began = time.monotonic()
    for first in range(0, rounds, PER_CLUSTER):  # a nanny does not survive every kill of its worker
        with (
            LocalCluster(n_workers=PER_CLUSTER + 1, threads_per_worker=4, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            for seed in range(first, min(first + PER_CLUSTER, rounds)):
                report = killed(client, seed)
                held, done = held + report.held, done + report.done
    print(
        f"{rounds} kills in {time.monotonic() - began:.0f} s: {done} done, {held} held, none paid for twice"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
