"""What the tests of the command line share: words to type, and a real process to type them in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
