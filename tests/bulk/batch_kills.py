"""Batches that are killed between each two steps: `python -m tests.bulk.batch_kills` says how many there are.

A nursery process, which has loaded everything and has no threads, forks a run for each round. The run kills
itself with SIGKILL behind its nth step: a question to the host, a commit of the journal, an image in the
spool or in its place. The host is the emulator's real server, in this process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dalle2 import bulk
from dalle2.testing import Emulator

JOBS = ("a", "b", "c")


def nursery() -> None:
    """Fork a run for each line of orders, and tell how it ended."""
    import dalle2
    from dalle2.bulk import _batch_rules, _handing

    assert _handing  # loaded before the fork

    _batch_rules.SETTLED_AFTER = 0.0  # nothing is on its way when a run begins here
    _batch_rules.FIRST_PAUSE = _batch_rules.LONGEST_PAUSE = 0.01
    dalle2.Client(api_key="sk-test", base_url="http://127.0.0.1:9/v1").warm_up()
    for line in sys.stdin:
        folder, url, last = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run(folder, url, last)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, how = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(how), flush=True)


def run(folder: str, url: str, last: int) -> None:
    """Hand over and bring back, up to the step `last`; 0 is up to the end."""
    import dalle2
    from dalle2.bulk._journal import Journal
    from dalle2.bulk._place import Folder
    from dalle2.bulk._spool import Spool

    steps = 0

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def done(*args: Any) -> Any:
            nonlocal steps
            value = work(*args)
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return done

    for kind, name in ((Journal, "write"), (Spool, "put"), (Folder, "put"), (dalle2.Client, "_perform")):
        setattr(kind, name, counted(getattr(kind, name)))
    jobs = [
        bulk.Job(name, dalle2.GenerateRequest(prompt="a fox", size="816x816", quality="low")) for name in JOBS
    ]
    with dalle2.Client(api_key="sk-test", base_url=url, model="gpt-image-2") as client:
        while True:
            bulk.submit(client, jobs, journal=f"{folder}/run.db")
            if bulk.collect(client, f"{folder}/run.db", out=f"{folder}/out", concurrency=1).complete:
                break


@contextmanager
def nursing() -> Iterator[Callable[[Path, str, int], int]]:
    """The nursery, as a function that has a run made and gives its exit status."""
    process = subprocess.Popen(
        [sys.executable, __file__, "nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def order(folder: Path, url: str, last: int) -> int:
        print(json.dumps([str(folder), url, last]), file=stdin, flush=True)
        return int(stdout.readline())

    try:
        yield order
    finally:
        stdin.close()
        process.wait(10)
        stdout.close()


def killed_at(order: Callable[[Path, str, int], int], folder: Path, step: int) -> bool:
    """Kill a run behind that step and let another end; whether there was such a step.

    Each job is billed once, in one batch, and is in its place, whole; the file went up once, or once more.
    """
    emulator = Emulator()
    with emulator.serve() as server:
        status = order(folder, server.base_url, step)
        if status == 0:
            return False
        assert status == -signal.SIGKILL, status
        assert order(folder, server.base_url, 0) == 0
    assert len(emulator.billed) == len(JOBS)
    assert len({one.batch for one in emulator.billed}) == 1
    sent = Counter(one.path for one in emulator.requests if one.method == "POST")
    assert sent == {"/v1/files": 1, "/v1/batches": 1}
    report = bulk.status(folder / "run.db")
    assert report.done == len(JOBS)
    assert {path.name for path in (folder / "out").iterdir()} == {f"{name}-1.png" for name in JOBS}
    assert len({path.read_bytes() for path in (folder / "out").iterdir()}) == 1
    assert not list(folder.glob("run.db.spool/*"))
    return True


def main() -> None:
    """Every step, and how many they were."""
    step = 1
    with nursing() as order:
        while True:
            with tempfile.TemporaryDirectory() as folder:
                if not killed_at(order, Path(folder), step):
                    break
            step += 1
    print(f"killed behind each of {step - 1} steps: each job billed once")


if __name__ == "__main__":
    nursery() if sys.argv[1:] == ["nursery"] else main()
