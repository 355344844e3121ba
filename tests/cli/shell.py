"""What the tests of the command line share: words to type, and a real process to type them in."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dalle2.testing import Emulator

CORGI = ["generate", "a corgi astronaut", "--size", "256x256"]
OFFLINE = ["--provider", "emulator"]


def files(directory: Path) -> list[str]:
    """The names of what lies in a directory."""
    return sorted(file.name for file in directory.iterdir())


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a failed command may print on stderr."""
    error = capsys.readouterr().err
    assert error.startswith("dalle2: ")
    assert error.count("\n") == 1
    return error


def command(*words: str) -> list[str]:
    """The command line for a process of its own."""
    return [sys.executable, "-m", "dalle2", *words]


def run(
    *words: str, stdin: bytes = b"", cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, and wait for its end."""
    return subprocess.run(
        command(*words),
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=os.environ | environ,
    )


class Held(Emulator):
    """An emulator that holds back one answer (`on` is its method) until it is let go."""

    def __init__(self, on: str) -> None:
        super().__init__()
        self.on = on
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def handle(self, request: Any) -> Any:
        """Answer, once that is allowed."""
        if request.method == self.on:
            self.asked.set()
            assert self.let_go.wait(30)
        return super().handle(request)
