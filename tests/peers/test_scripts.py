"""Scripts for the official SDK, unchanged, over three of its versions: as it is, and with our image calls in.

That `tests/compat` proves something rests on this: the outcomes that it expects are the SDK's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dalle2
from dalle2.testing import Emulator

SCRIPTS = Path(__file__).parents[1] / "scripts"
FOLDERS = {"3": "", "1": os.environ["DALLE2_PEERS_OPENAI_1"], "0": os.environ["DALLE2_PEERS_OPENAI_0"]}
"""Where the SDK's last versions 1 and 0 are; the current one is installed."""
PROGRAMS = [
    ("3", "programs_sdk"),
    ("3", "programs_azure"),
    ("1", "programs_sdk"),
    ("1", "programs_azure"),
    ("0", "programs_2022"),
]
REFUSED_UPLOADS = {
    "try_awaited",
    "try_edit",
    "try_edit_by_position",
    "try_variation",
    "try_variation_by_position",
}
"""Of that SDK's uploads the host says today that their type is none; with ours in they work."""


def outcomes(version: str, way: str, programs: str) -> dict[str, dict[str, object]]:
    """What each program gave."""
    command = [sys.executable, "-W", "ignore", "runner.py", way, f"{programs}.py"]
    paths = filter(None, (FOLDERS[version], os.environ.get("PYTHONPATH")))
    known = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=SCRIPTS, env=known, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def expected(programs: str) -> dict[str, dict[str, object]]:
    """What the tests of `dalle2.compat` take for the SDK's own."""
    found: dict[str, dict[str, object]] = json.loads((SCRIPTS / f"{programs}.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(("version", "programs"), PROGRAMS)
def test_the_sdk_gives_what_is_expected_of_compat(version: str, programs: str) -> None:
    """Each outcome that `tests/compat/test_programs.py` expects is the SDK's own, version for version."""
    assert outcomes(version, "official", programs) == expected(programs)


@pytest.mark.parametrize(("version", "programs"), PROGRAMS)
def test_with_our_calls_installed_the_same_comes_out(version: str, programs: str) -> None:
    """`install()` changes who makes the image calls, and no answer and no error of a program."""
    given, wanted = outcomes(version, "install", programs), expected(programs)
    for name in REFUSED_UPLOADS if version == "0" else ():
        assert "raised" in str(wanted.pop(name))
        assert "raised" not in str(given.pop(name))
    assert given == wanted


def test_the_official_sdk_runs_the_script(tmp_path: Path) -> None:
    """Before the retirement, with the import as it was written."""
    mask = dalle2.mask_from_box(64, (0, 0, 32, 32))
    (tmp_path / "photo.png").write_bytes(mask)
    (tmp_path / "mask.png").write_bytes(mask)
    with Emulator().serve() as server:
        environment = os.environ | {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url}
        command = [sys.executable, str(SCRIPTS / "images_sdk.py"), str(tmp_path)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*-*.png"))) == 4
