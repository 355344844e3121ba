"""Runs the measurements: the server beside, one fresh process for each figure, the subjects in turn.

The rule: within a round each subject is measured once, and each round begins with another subject, because
going first alone moves a figure. What is compared are ratios within a round.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
Figures = dict[str, float]
PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TMPDIR")


class Bench:
    """Subjects with their interpreters, a server, and a place for files."""

    def __init__(
        self, pythons: dict[str, Path], origins: tuple[str, str], folder: Path, bundle: Path
    ) -> None:
        self.pythons = pythons
        self.http, self.https = origins
        self.folder = folder
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.environment["SSL_CERT_FILE"] = str(bundle)

    def measure(
        self, subject: str, scenario: str, origin: str, count: str = "0", folder: str | None = None
    ) -> Figures:
        """One process: its own figures, and CPU, wall and peak memory of it whole (`process_…`)."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        command = [
            str(self.pythons[subject]),
            *("-P", str(HERE / "worker.py"), f"by_{subject}", scenario, origin),
            *(folder or str(place), count),
        ]
        began = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=self.environment, cwd=place, text=True
        ) as process:
            assert process.stdout is not None
            printed = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        shutil.rmtree(place)
        if process.returncode:
            raise RuntimeError(f"{subject} failed in {scenario}")
        figures: Figures = json.loads(printed)
        figures["process_cpu"] = usage.ru_utime + usage.ru_stime
        figures["process_wall"] = time.perf_counter() - began
        return figures

    def in_turn(self, subjects: Sequence[str], turn: int) -> list[str]:
        """The subjects that are there, in this round's order."""
        present = [name for name in subjects if name in self.pythons]
        first = turn % len(present)
        return present[first:] + present[:first]


@contextlib.contextmanager
def server(folder: Path, roots: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    """The server's two origins, and the certificates to trust: the usual ones and one made just now."""
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    certificate, bundle = folder / "server.pem", folder / "bundle.pem"
    own.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    bundle.write_bytes(roots.read_bytes() + b"\n" + authority.cert_pem.bytes())
    command = [sys.executable, "-P", "-c", _START, str(HERE), str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        plain, safe = process.stdout.readline().split()
        yield (f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{safe}"), bundle
        process.stdin.close()


_START = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
import server
asyncio.run(server.serve(pathlib.Path(sys.argv[2])))
"""
