"""What the peers talk to: `dalle2 serve` as a process of its own, or an emulator that a test can steer.

A peer is software of other people, unchanged. One file a peer: `test_openai_python.py` and so on; a gateway
or a store that runs as a server gets a fixture here and a file beside them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalle2.testing import Emulator


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
