"""A second name for a file instead of a copy: only where nobody can tell the difference."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from dalle2.bulk import _place
from dalle2.bulk._links import alike, flush, linked
from dalle2.testing import Emulator

from .conftest import Run, job


def test_directories_are_alike_if_they_give_a_new_file_the_same(folder: Path) -> None:
    """Not if one hands on its group, and not if one is missing."""
    for name in ("one", "other", "team"):
        Path(name).mkdir()
    Path("team").chmod(0o2755)
    assert alike("one", "other")
    assert not alike("one", "team")
    assert not alike("one", "none")


def test_a_link_replaces_nothing_and_may_be_impossible(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cannot link is told so, and writes the file."""
    Path("team").mkdir(mode=0o2755)
    Path("team").chmod(0o2755)
    Path("here").mkdir()
    Path("here/a").write_text("whole")
    assert not linked("here/a", "team/a")
    assert linked("here/a", "here/b")
    flush("here")
    with pytest.raises(FileExistsError):
        linked("here/a", "here/b")

    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert not linked("here/a", "here/c")
    monkeypatch.delattr(os, "listxattr", raising=False)
    assert alike("here", "here")


@pytest.mark.parametrize("near", [True, False])
def test_an_image_looks_the_same_however_it_came_to_its_place(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    """As readable as any new file, with one name, and nothing left in the spool."""
    if not near:
        monkeypatch.setattr(_place, "linked", lambda source, target: False)
    assert run([job("a"), job("b", response_format="b64_json"), job("c", n=2)]).done == 3
    Path("plain").touch()
    for path in Path("out").iterdir():
        assert path.stat().st_nlink == 1
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(Path("plain").stat().st_mode)
    assert len(list(Path("out").iterdir())) == 4
    assert not Path("run.db.spool").exists()


def test_images_get_to_folders_that_their_names_make(run: Run, emulator: Emulator) -> None:
    """Each is made when it is first needed."""
    jobs = [job(f"{number}", response_format="b64_json") for number in range(4)]
    assert run(jobs, name="{id}/{index}").done == 4
    assert len(list(Path("out").glob("*/1.png"))) == 4
