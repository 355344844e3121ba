"""Runs that are killed: `python -m tests.bulk.kills 200` for two hundred seeds.

A nursery process, which has loaded everything and has no threads, forks a run for each round and has it
killed with SIGKILL at a random moment, until one comes to its end. The host is the emulator's real server,
in this process, which bills a call and then takes its time to answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dalle2 import bulk
from dalle2._image._media import facts
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

JOBS, CONCURRENCY, MOST_KILLS = 24, 8, 4


class SlowEmulator(Emulator):
    """An emulator that bills at once and answers a little later, each call after another while; and with
    `faulty`, one that fails now and then.
    """

    def __init__(self, seed: int, *, faulty: bool) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._faulty = faulty
        self._chance = threading.Lock()

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request, late."""
        with self._chance:
            pause, fate = self._random.uniform(0.0, 0.06), self._random.random()
            if self._faulty and request.method == "POST":
                if fate < 0.1:
                    self.fail_next(500)
                elif fate < 0.15:
                    self.fail_next(400)
                elif fate < 0.2:
                    self.fail_next(503, on="image")
                elif fate < 0.25:
                    self.lose_next(after_bytes=10, on="image")
                elif fate < 0.3:
                    self.lose_next()
        answer = super().handle(request)
        time.sleep(pause)
        return answer


def jobs(half: str) -> list[bulk.Job]:
    """The jobs of a run; every second answer comes in `half`."""
    from dalle2 import GenerateRequest

    return [
        bulk.Job(
            f"job {number}",
            GenerateRequest(
                prompt=f"picture {number}", size="256x256", response_format=half if number % 2 else "url"
            ),
        )
        for number in range(JOBS)
    ]


def nursery() -> None:
    """Fork a run for each line of orders, and tell how it ended."""
    import dalle2

    dalle2.Client(api_key="sk-test", base_url="http://127.0.0.1:9/v1")
    for line in sys.stdin:
        folder, url, half = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with dalle2.Client(api_key="sk-test", base_url=url) as client:
                    bulk.run(
                        client,
                        jobs(half),
                        journal=f"{folder}/run.db",
                        out=f"{folder}/out",
                        concurrency=CONCURRENCY,
                    )
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        print(child, flush=True)
        _, how = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(how), flush=True)


class Nursery:
    """The nursery process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, folder: Path, url: str, half: str, kill_after: float | None) -> bool:
        """One run; whether it came to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([str(folder), url, half]), file=self._process.stdin, flush=True)
        child = int(self._process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), status
        return status == 0

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def nursing() -> Iterator[Nursery]:
    """A nursery that ends."""
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.close()


def killed_until_done(nursery: Nursery, seed: int, folder: Path, *, faulty: bool = False) -> bulk.Report:
    """Kill runs of one journal until one ends, and check all that was promised."""
    chance = random.Random(seed)
    half = chance.choice(["url", "b64_json"])
    emulator = SlowEmulator(seed, faulty=faulty)
    kills = 0
    with emulator.serve() as server:
        while True:
            after = chance.uniform(0.02, 0.6) if kills < MOST_KILLS else None
            if nursery.run(folder, server.base_url, half, after):
                break
            kills += 1
    report = bulk.status(folder / "run.db")
    check(report, emulator, folder, kills, faulty=faulty)
    return report


def check(report: bulk.Report, emulator: Emulator, folder: Path, kills: int, *, faulty: bool) -> None:
    """No job billed twice, every file whole and with its hash, held at most what was under way."""
    billed = Counter(entry.prompt for entry in emulator.billed)
    assert max(billed.values(), default=0) <= 1, billed
    assert report.total == JOBS
    assert report.remaining == 0
    paid = report.done + report.expired
    assert paid <= sum(billed.values()) <= paid + report.held
    lost = JOBS if faulty else 0  # an answer that the host lost is held, too
    assert report.held <= CONCURRENCY * kills + lost
    assert report.expired == 0
    assert faulty or report.failed == report.refused == 0
    with closing(sqlite3.connect(folder / "run.db")) as db:
        rows = db.execute("SELECT path, size, sha256 FROM image WHERE path IS NOT NULL").fetchall()
        assert db.execute("SELECT COUNT(*) FROM job WHERE state IN ('sent', 'answered')").fetchone() == (0,)
    files = {path.name for path in (folder / "out").glob("*")}
    assert files == {path for path, _, _ in rows}
    assert len(files) == report.done
    for path, size, digest in rows:
        data = (folder / "out" / path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)
        assert facts(data).width == 256
    assert not list(folder.glob("run.db.spool/*"))


def main(seeds: int) -> None:
    """Many seeds, and what became of them."""
    held = done = 0
    with nursing() as nursery:
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                report = killed_until_done(nursery, seed, Path(folder), faulty=seed % 2 == 1)
            held, done = held + report.held, done + report.done
    print(f"{seeds} seeds: {done} done, {held} held, none paid for twice")


if __name__ == "__main__":
    if sys.argv[1] == "nursery":
        nursery()
    else:
        main(int(sys.argv[1]))
