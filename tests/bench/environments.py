"""Who is measured, and where each of them lives: one virtual environment a subject, so that none
lends packages.

The rule: a subject whose environment cannot be made is left out by name, but for the reference, without
which there is nothing to compare with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REFERENCE = "httpx"
NAMES = {
    "dalle2": "dalle2",
    "httpx": "httpx by hand",
    "openai": "official SDK",
    "stdlib": "stdlib",
    "aiohttp": "aiohttp",
    "sockets": "bare sockets",
    "dalle2_aiohttp": "dalle2 over httpx-aiohttp",
    "openai_aiohttp": "official SDK on aiohttp",
    "httpx2": "httpx2 by hand",
    "dalle2_fast": "dalle2[fast]",
}
"""Each subject's file is `subjects/by_<name>.py`."""

PACKAGES = {
    "httpx": ["httpx"],
    "openai": ["openai"],
    "stdlib": [],
    "aiohttp": ["aiohttp"],
    "sockets": [],
    "openai_aiohttp": ["openai[aiohttp]"],
    "httpx2": ["httpx2"],
}
OURS = {"dalle2": [], "dalle2_aiohttp": ["httpx-aiohttp"], "dalle2_fast": ["pybase64"]}
"""What is installed beside this package."""


def python_of(folder: Path) -> Path:
    """An environment's interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(folder: Path, packages: list[str], *, fresh: bool = False) -> Path:
    """An environment with these packages; one that is there already is kept. Raises `CalledProcessError`."""
    python, done = python_of(folder), folder / "done"
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL}
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], **quiet)
    pip = [str(python), "-m", "pip", "--quiet", "install"]
    if packages and (fresh or not done.exists()):
        subprocess.run([*pip, *packages], **quiet)
    if packages and fresh and done.exists():  # the same version again, built anew
        subprocess.run([*pip, "--force-reinstall", "--no-deps", packages[0]], **quiet)
    done.touch()
    return python


def make_all(work: Path, wheel: Path, only: list[str]) -> dict[str, Path]:
    """The interpreters by subject, in the table's order. Says which subjects are left out."""
    pythons = {}
    for name in NAMES:
        if only and name not in {*only, REFERENCE}:
            continue
        try:
            if name in OURS:
                pythons[name] = make(work / name, [f"{wheel}[cli]", *OURS[name]], fresh=True)
            else:
                pythons[name] = make(work / ("stdlib" if not PACKAGES[name] else name), PACKAGES[name])
        except (subprocess.CalledProcessError, OSError) as problem:
            print(f"skipped: {NAMES[name]} ({problem})", file=sys.stderr)
    if REFERENCE not in pythons:
        raise SystemExit(f"no environment for the reference, {NAMES[REFERENCE]}: nothing to compare with")
    return pythons


def versions(python: Path) -> dict[str, str]:
    """The packages of an environment."""
    script = "import importlib.metadata as m; [print(d.name.lower(), d.version) for d in m.distributions()]"
    lines = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" ", 1) for line in lines.splitlines())
