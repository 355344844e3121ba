"""The scripts that `tests/test_compat.py` rescues are real: the official SDK runs its one unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dalle2
from dalle2.testing import Emulator

SCRIPT = Path(__file__).parents[1] / "scripts" / "images_sdk.py"


def test_the_official_sdk_runs_the_script(tmp_path: Path) -> None:
    """Before the retirement, with the import as it was written."""
    mask = dalle2.mask_from_box(64, (0, 0, 32, 32))
    (tmp_path / "photo.png").write_bytes(mask)
    (tmp_path / "mask.png").write_bytes(mask)
    with Emulator().serve() as server:
        environment = os.environ | {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url}
        command = [sys.executable, str(SCRIPT), str(tmp_path)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*-*.png"))) == 4
