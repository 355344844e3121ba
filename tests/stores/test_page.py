"""The lines for a user of fsspec in `docs/stores.md`, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dalle2 import bulk

from ..bulk.conftest import Run, job
from ..bulk.conftest import run as run

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"


@pytest.mark.parametrize("place", ["memory://box/pictures", "pictures"])
def test_a_file_system_of_fsspec_is_a_store_in_ten_lines(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A run puts its images there, goes on, and replaces nothing."""
    monkeypatch.chdir(tmp_path)
    fsspec.filesystem("memory").store.clear()
    (block,) = (
        text for text in re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL) if "fsspec" in text
    )
    names: dict[str, Any] = {}
    exec(block, names)
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    store = names["FileSystem"](place)
    files, root = fsspec.core.url_to_fs(place)
    files.makedirs(f"{root}", exist_ok=True)
    files.pipe_file(f"{root}/a2-1.png", b"older")
    report = run([job("a1"), job("a2")], out=store)
    assert (report.done, report.remaining) == (1, 1)
    assert files.cat(f"{root}/a2-1.png") == b"older"
    assert files.cat(f"{root}/a1-1.png").startswith(b"\x89PNG")
    files.rm(f"{root}/a2-1.png")
    done: bulk.Report = run([job("a1"), job("a2")], out=store)
    assert done.complete
