"""What the peers talk to: `dalle2 serve` as a process of its own, or an emulator that a test can steer.

A peer is software of other people, unchanged. One file a peer: `test_openai_python.py` and so on; a gateway
or a store that runs as a server is started with `running` and ends with its tests. Nothing leaves loopback.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from dalle2.testing import Emulator

LONGEST_START = 90.0
"""Seconds; a server that is not ready by then is killed, and its test fails with what it said."""


Running = Callable[..., AbstractContextManager[str]]
"""`running(command, ready, env=None)`: a server until the block ends.

Gives what the group of `ready` matched in its output.
"""


@contextmanager
def start(
    command: Sequence[str | Path], ready: str, *, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """One server process: started, waited for, drained of its output, and ended with SIGTERM."""
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(LONGEST_START, process.kill)
        watchdog.start()
        drain = threading.Thread(target=said.extend, args=(process.stdout,))
        try:
            found = None
            for line in process.stdout:
                said.append(line)
                if found := re.search(ready, line):
                    break
            watchdog.cancel()
            assert found, f"{command[0]} did not start:\n{''.join(said)}"
            drain.start()
            yield found[1]
        finally:
            watchdog.cancel()
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                if drain.ident is not None:
                    drain.join()


@pytest.fixture(scope="session")
def running() -> Running:
    """How a peer that is a server gets started."""
    return start


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The base URL of `dalle2 serve`, run as a user runs it."""
    command = shutil.which("dalle2", path=str(Path(sys.executable).parent))
    assert command, "the console script is not installed"
    with subprocess.Popen([command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.fixture
def emulator() -> Emulator:
    """An emulator that the test can tell to fail."""
    return Emulator()


@pytest.fixture
def base_url(emulator: Emulator) -> Iterator[str]:
    """The base URL of that emulator, over real HTTP."""
    with emulator.serve() as server:
        yield server.base_url


@pytest.fixture(scope="session")
def npm() -> Path:
    """The directory that holds `node_modules`, as the nox session `peers` makes it."""
    return Path(os.environ["DALLE2_PEERS_NPM"])


@pytest.fixture(scope="session")
def s3rver(running: Running, npm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of s3rver, with the bucket `pictures` on disk."""
    script = npm / "node_modules" / "s3rver" / "bin" / "s3rver.js"
    options = ["--directory", tmp_path_factory.mktemp("s3rver"), "--configure-bucket", "pictures"]
    address = ["--address", "127.0.0.1", "--port", "0"]
    with running(["node", script, *options, *address], r"listening on (\S+)") as place:
        yield f"http://{place}"


def png(side: int, alpha: int) -> bytes:
    """A square RGBA PNG that owes nothing to the package; its length depends on its side alone."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes((row % 256, 80, 160, alpha)) * side for row in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `image.png`, a `mask.png` that lets all of it be repainted, and `small-mask.png`."""
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "image.png").write_bytes(png(256, 255))
    (folder / "mask.png").write_bytes(png(256, 0))
    (folder / "small-mask.png").write_bytes(png(128, 0))
    return folder
