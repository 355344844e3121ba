"""Files appear whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dalle2
from dalle2._results import _atomic, _moves
from dalle2._results._atomic import PART, AtomicFile
from dalle2._results._parts import remove_abandoned

HOME = Path(dalle2.__file__).parents[1]


def python(script: str, *args: object) -> subprocess.Popen[str]:
    """A Python process of its own that runs `script` with this very package."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys\nfrom dalle2._results._atomic import AtomicFile\n" + script,
            *map(str, args),
        ],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script: str, *args: object) -> str:
    """What such a process prints; it must end well."""
    process = python(script, *args)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def names(directory: Path) -> list[str]:
    """Everything in a directory, hidden files too."""
    return sorted(os.listdir(directory))


def save(target: Path, data: bytes, *, overwrite: bool = False) -> Path:
    """One plain save."""
    with AtomicFile(target) as file:
        file.write(data)
        return file.commit(overwrite=overwrite)


def test_a_committed_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    """The path given comes back, the bytes are in it, the temporary file is gone."""
    target = tmp_path / "a.png"
    with AtomicFile(target) as file:
        file.write(b"one ")
        assert names(tmp_path)[0].startswith(".")
        assert not target.exists()
        file.write(b"two")
        assert file.commit(overwrite=False) == target
    assert target.read_bytes() == b"one two"
    assert names(tmp_path) == ["a.png"]


def test_a_block_left_without_commit_leaves_nothing(tmp_path: Path) -> None:
    """Giving up is the default."""
    with AtomicFile(tmp_path / "a.png") as file:
        file.write(b"half")
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_whatever_goes_wrong_the_older_file_stays(tmp_path: Path, error: type[BaseException]) -> None:
    """A failed save changes nothing, an interrupt included."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(error), AtomicFile(target) as file:
        file.write(b"new")
        raise error
    assert names(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"old"


def test_abort_can_be_repeated_and_comes_too_late_after_commit(tmp_path: Path) -> None:
    """Cleaning up twice, or after success, does nothing."""
    file = AtomicFile(tmp_path / "a.png")
    file.abort()
    file.abort()
    assert names(tmp_path) == []
    file = AtomicFile(tmp_path / "a.png")
    file.commit(overwrite=False)
    file.abort()
    assert names(tmp_path) == ["a.png"]


def test_a_file_that_is_done_takes_no_more(tmp_path: Path) -> None:
    """Using it after commit or abort is a mistake that is told."""
    file = AtomicFile(tmp_path / "a.png")
    file.commit(overwrite=False)
    for use in (
        lambda: file.write(b"x"),
        file.restart,
        lambda: file.commit(overwrite=True),
        file.commit_unique,
    ):
        with pytest.raises(ValueError, match="already committed or aborted"):
            use()


def test_restart_forgets_what_was_written(tmp_path: Path) -> None:
    """A download that begins again leaves nothing of its first try."""
    with AtomicFile(tmp_path / "a.png") as file:
        file.write(b"a long first try")
        file.restart()
        file.write(b"second")
        file.commit(overwrite=False)
    assert (tmp_path / "a.png").read_bytes() == b"second"


def test_without_overwrite_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    """The error names the file and the way out, and the bytes can still go elsewhere."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with AtomicFile(target) as file:
        file.write(b"new")
        with pytest.raises(FileExistsError, match="overwrite=True") as caught:
            file.commit(overwrite=False)
        assert caught.value.filename == str(target)
        assert file.commit(tmp_path / "b.png", overwrite=False) == tmp_path / "b.png"
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.png", "b.png"]
    assert (tmp_path / "b.png").read_bytes() == b"new"


def test_with_overwrite_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader that has the old file open keeps the old bytes, whole."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with target.open("rb") as reader:
        save(target, b"new", overwrite=True)
        assert reader.read() == b"old"
    assert target.read_bytes() == b"new"


def test_a_dangling_link_counts_as_an_existing_file(tmp_path: Path) -> None:
    """Without overwrite nothing is written through a link; with it, as `open` would."""
    target = tmp_path / "a.png"
    target.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(FileExistsError):
        save(target, b"new")
    assert names(tmp_path) == ["a.png"]
    save(target, b"new", overwrite=True)
    assert target.is_symlink()
    assert (tmp_path / "elsewhere.png").read_bytes() == b"new"
    assert names(tmp_path) == ["a.png", "elsewhere.png"]


def test_the_umask_decides_the_permissions(tmp_path: Path) -> None:
    """A saved image is as readable as any other new file, not private like a temporary one."""
    before = os.umask(0o027)
    try:
        save(tmp_path / "a.png", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_a_change_of_directory_in_between_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative target means the directory in which the save began."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with AtomicFile("a.png") as file:
        file.write(b"x")
        monkeypatch.chdir(tmp_path / "other")
        assert file.commit(overwrite=False) == Path("a.png")
    assert names(tmp_path) == ["a.png", "other"]


def test_a_missing_directory_is_known_at_once(tmp_path: Path) -> None:
    """The error is the built-in one and names the directory."""
    with pytest.raises(FileNotFoundError) as caught:
        AtomicFile(tmp_path / "missing" / "a.png")
    assert caught.value.filename == str(tmp_path / "missing")


def test_a_file_in_place_of_the_directory_is_known_at_once(tmp_path: Path) -> None:
    """The error is the built-in one and names the file that should be a directory."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        AtomicFile(tmp_path / "file" / "a.png")
    assert caught.value.filename == str(tmp_path / "file")


def test_a_read_only_directory_is_known_at_once(tmp_path: Path) -> None:
    """The error is the built-in one and names the directory; root drops its privilege to see it."""
    script = """
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    AtomicFile(sys.argv[1] + "/a.png")
except PermissionError as error:
    print(error.filename)
"""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    assert run(script, closed) == str(closed)
    assert names(closed) == []


def test_a_directory_in_place_of_the_file_is_known_at_once(tmp_path: Path) -> None:
    """A directory is never taken for a file to replace."""
    with pytest.raises(IsADirectoryError) as caught:
        AtomicFile(tmp_path)
    assert caught.value.filename == str(tmp_path)
    (tmp_path / "d").mkdir()
    with pytest.raises(IsADirectoryError):
        AtomicFile(tmp_path / "d")
    assert names(tmp_path) == ["d"]


def test_a_name_may_be_as_long_as_the_system_takes(tmp_path: Path) -> None:
    """255 bytes work, since the temporary name is short; one more is an error before any download."""
    longest = tmp_path / ("x" * 251 + ".png")
    assert save(longest, b"x") == longest
    with pytest.raises(OSError) as caught:
        AtomicFile(tmp_path / ("y" * 252 + ".png"))
    assert caught.value.errno == errno.ENAMETOOLONG
    assert names(tmp_path) == [longest.name]


def test_a_directory_that_goes_away_is_an_error_of_the_target(tmp_path: Path) -> None:
    """What fails at the end still names the path that the caller knows."""
    with AtomicFile(tmp_path / "a.png") as file, pytest.raises(IsADirectoryError) as caught:
        (tmp_path / "b.png").mkdir()
        file.commit(tmp_path / "b.png", overwrite=True)
    assert caught.value.filename == str(tmp_path / "b.png")
    assert names(tmp_path) == ["b.png"]


def test_free_names_are_counted_up(tmp_path: Path) -> None:
    """A second save of the same name gets `-2`, and what looks like a version is not taken for a suffix."""
    for stem, expected in (
        ("cat.png", ["cat.png", "cat-2.png", "cat-3.png"]),
        ("photo v1.2", ["photo v1.2", "photo v1.2-2", "photo v1.2-3"]),
    ):
        for name in expected:
            with AtomicFile(tmp_path / stem) as file:
                file.write(name.encode())
                assert file.commit_unique() == tmp_path / name
        assert [(tmp_path / name).read_bytes().decode() for name in expected] == expected


def test_a_free_name_can_differ_from_the_target(tmp_path: Path) -> None:
    """The suffix is known only when the bytes are; a directory in the way is passed over too."""
    (tmp_path / "cat.png").mkdir()
    with AtomicFile(tmp_path / "cat") as file:
        file.write(b"x")
        assert file.commit_unique(tmp_path / "cat.png") == tmp_path / "cat-2.png"
    assert names(tmp_path) == ["cat-2.png", "cat.png"]


def test_the_ten_thousandth_same_name_is_found_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few dozen questions to the disk, not ten thousand."""
    for number in range(1, 10_000):
        (tmp_path / ("cat.png" if number == 1 else f"cat-{number}.png")).touch()
    asked: list[str] = []
    for name in ("link", "lstat", "open"):
        real = getattr(os, name)

        def counting(*args: Any, name: str = name, real: Any = real, **options: Any) -> Any:
            asked.append(name)
            return real(*args, **options)

        monkeypatch.setattr(os, name, counting)
    with AtomicFile(tmp_path / "cat.png") as file:
        assert file.commit_unique() == tmp_path / "cat-10000.png"
    assert len(asked) < 60


@settings(deadline=None)  # a disk may be busy
@given(taken=st.sets(st.integers(1, 40), max_size=40))
def test_a_free_name_is_free_whatever_is_there(taken: set[int]) -> None:
    """Also with gaps: the name before it is taken, and it is the first one after a row without gaps."""
    with tempfile.TemporaryDirectory() as directory:
        for number in taken:
            (Path(directory) / ("a" if number == 1 else f"a-{number}")).touch()
        with AtomicFile(Path(directory) / "a") as file:
            name = file.commit_unique().name
        number = int(name[2:] or 1)
        assert number not in taken
        assert number == 1 or number - 1 in taken
        assert len(taken) != max(taken, default=0) or number == len(taken) + 1


def test_processes_that_save_the_same_name_get_files_of_their_own(tmp_path: Path) -> None:
    """No save overwrites another's, and none is lost."""
    script = """
for number in range(25):
    with AtomicFile(sys.argv[1] + "/cat.png") as file:
        file.write(f"{os.getpid()} {number}".encode())
        file.commit_unique()
"""
    processes = [python(script, tmp_path) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 3
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 75
    assert set(names(tmp_path)) == {"cat.png", *(f"cat-{number}.png" for number in range(2, 76))}


def test_of_processes_without_overwrite_one_wins(tmp_path: Path) -> None:
    """The others are told, and the winner's bytes stay."""
    script = """
won = []
for number in range(40):
    with AtomicFile(f"{sys.argv[1]}/{number}.png") as file:
        file.write(str(os.getpid()).encode())
        try:
            file.commit(overwrite=False)
        except FileExistsError:
            continue
        won.append(str(number))
print(os.getpid(), *won)
"""
    processes = [python(script, tmp_path) for _ in range(3)]
    winners: dict[str, str] = {}
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert err == ""
        pid, *won = out.split()
        assert winners.keys().isdisjoint(won)
        winners |= dict.fromkeys(won, pid)
    assert {f"{number}.png": pid for number, pid in winners.items()} == {
        path.name: path.read_text() for path in tmp_path.iterdir()
    }


WAITING = """
with AtomicFile(sys.argv[1]) as file:
    file.write(b"half" * 1000)
    print("ready", flush=True)
    sys.stdin.read()
    file.commit(overwrite=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_stopped_in_mid_save_leaves_no_half_file(tmp_path: Path, number: int) -> None:
    """Ctrl-C leaves nothing; `kill -9` at most the hidden temporary file. The older image stays."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    process = python(WAITING, target)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert target.read_bytes() == b"old"
    left = [name for name in names(tmp_path) if name != "a.png"]
    assert len(left) == (1 if number == signal.SIGKILL else 0)
    assert all(name.startswith(f".dalle2-{process.pid}-") and name.endswith(".part") for name in left)


def test_a_disk_that_takes_no_more_is_an_error_of_the_target(tmp_path: Path) -> None:
    """The system's own `OSError` comes out and nothing is left (a limit on file sizes stands in)."""
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with AtomicFile(sys.argv[1]) as file:
        for _ in range(10):
            file.write(b"x" * 30_001)
        file.commit(overwrite=True)
except OSError as error:
    print(error.errno, error.filename)
"""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    assert run(script, target) == f"{errno.EFBIG} {target}"
    assert names(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"old"


def test_bytes_that_do_not_reach_the_disk_are_never_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is found full only when the file is flushed is a failed save too."""

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save(tmp_path / "a.png", b"x")
    assert caught.value.filename == str(tmp_path / "a.png")
    assert names(tmp_path) == []


def test_a_directory_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems do not let a directory be synced; the image is saved all the same."""
    real = os.fsync

    def files_only(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}") or os.fstat(fd).st_mode & 0o040000:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    assert save(tmp_path / "a.png", b"x").read_bytes() == b"x"
    assert names(tmp_path) == ["a.png"]


@pytest.fixture(params=["refused", "absent"])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system, or a Python, without hard links."""

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "refused":
        monkeypatch.setattr(os, "link", refuse)
    else:
        monkeypatch.delattr(os, "link")


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_an_existing_file_is_still_safe(tmp_path: Path) -> None:
    """The system renames the part and refuses a taken name in one step."""
    assert save(tmp_path / "a.png", b"old").read_bytes() == b"old"
    with pytest.raises(FileExistsError) as caught:
        save(tmp_path / "a.png", b"new")
    assert caught.value.filename == str(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    with AtomicFile(tmp_path / "a.png") as file:
        assert file.commit_unique() == tmp_path / "a-2.png"
    assert names(tmp_path) == ["a-2.png", "a.png"]


@pytest.mark.usefixtures("no_links")
def test_an_interrupt_after_the_last_step_loses_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that already stands whole under its name stays."""
    real = _moves.move

    def interrupted(part: str, place: Path) -> None:
        real(part, place)
        raise KeyboardInterrupt

    monkeypatch.setattr(_moves, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "a.png", b"x")
    assert names(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"x"


@pytest.mark.usefixtures("no_links")
@pytest.mark.parametrize("way", ["at once", "locked folder"])
def test_without_hard_links_nobody_sees_an_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The name is never opened for writing: what appears under it is whole from its first moment."""
    opened: list[str] = []
    real = os.open

    def recording(path: Any, flags: int, *more: Any) -> int:
        opened.append(os.fspath(path))
        return real(path, flags, *more)

    if way == "locked folder":
        monkeypatch.setattr(_moves, "_system", lambda: None)
    monkeypatch.setattr(os, "open", recording)
    save(tmp_path / "a.png", b"whole")
    with pytest.raises(FileExistsError):
        save(tmp_path / "a.png", b"other")
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert str(tmp_path / "a.png") not in opened
    assert names(tmp_path) == ["a.png"]


def test_only_a_missing_ability_is_a_reason_to_go_without_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or broken disk is an error, whatever else could have been tried."""
    monkeypatch.setattr(_moves, "move", lambda part, place: pytest.fail("tried another way"))
    for number in (errno.EIO, errno.ENOSPC, errno.ENOENT, errno.EROFS, errno.EDQUOT, errno.ESTALE):

        def broken(*paths: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "link", broken)
        with pytest.raises(OSError) as caught:
            save(tmp_path / "a.png", b"x")
        assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "a.png"))
    assert names(tmp_path) == []


RACE = """
from dalle2._results import _atomic, _moves
def refuse(*args):
    raise PermissionError(1, "no")
os.link = refuse
if sys.argv[2] == "locked folder":
    _moves._system = lambda: None
for number in range(25):
    with AtomicFile(sys.argv[1] + "/cat.png") as file:
        file.write(f"{os.getpid()} {number}".encode())
        file.commit_unique()
"""


@pytest.mark.parametrize("way", ["at once", "locked folder"])
def test_processes_without_hard_links_get_files_of_their_own(tmp_path: Path, way: str) -> None:
    """Nobody's image is replaced by another's, by either way."""
    processes = [python(RACE, tmp_path, way) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 3
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 75


def test_other_systems_have_other_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has a call of its own, on Windows every rename refuses; without a C library the folder
    is locked.
    """
    part, place = tmp_path / "part", tmp_path / "a.png"

    class Mac:
        """A C library with macOS's call."""

        @staticmethod
        def renamex_np(source: bytes, target: bytes, flags: int) -> int:
            """Rename; `RENAME_EXCL` is 4."""
            assert flags == 4
            os.rename(source, target)
            return 0

    part.touch()
    monkeypatch.setattr(_moves, "_system", Mac)
    _moves.move(str(part), place)
    assert names(tmp_path) == ["a.png"]

    place.rename(part)
    monkeypatch.setattr(_moves, "_RENAME_REFUSES", True)
    _moves.move(str(part), place)
    assert names(tmp_path) == ["a.png"]
    monkeypatch.undo()

    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    part.touch()
    with pytest.raises(FileExistsError):
        _moves.move(str(part), place)
    place.unlink()
    _moves.move(str(part), place)
    assert names(tmp_path) == ["a.png"]


def test_a_call_that_this_disk_does_not_take_is_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system call that fails for another reason than a taken name leaves it to the next way."""

    class Old:
        """A C library on a kernel without the call."""

        @staticmethod
        def renameat2(*arguments: object) -> int:
            """As the system says it."""
            ctypes.set_errno(errno.ENOSYS)
            return -1

    monkeypatch.setattr(_moves, "_system", Old)
    (tmp_path / "part").touch()
    _moves.move(str(tmp_path / "part"), tmp_path / "a.png")
    assert names(tmp_path) == ["a.png"]


# --- overwrite=True ---


@pytest.mark.parametrize("known", [True, False], ids=["said beforehand", "found at the end"])
def test_what_is_replaced_keeps_its_mode_and_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """As if it had been opened and written; the part of a private file is private too."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: owners.append((uid, gid)))
    with AtomicFile(target, overwrite=known) as file:
        part = next(path for path in tmp_path.iterdir() if path.name.startswith(PART))
        assert not known or part.stat().st_mode & 0o777 == 0o600
        file.write(b"new")
        file.commit(overwrite=True)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert owners == [(target.stat().st_uid, target.stat().st_gid)]


def test_an_owner_that_cannot_be_kept_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may give files away, and some systems know no owners."""
    target = tmp_path / "a.png"
    target.touch()

    def refuse(*args: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)
    save(target, b"one", overwrite=True)
    monkeypatch.delattr(os, "chown")
    save(target, b"two", overwrite=True)
    assert target.read_bytes() == b"two"


@pytest.mark.parametrize("known", [True, False], ids=["said beforehand", "found at the end"])
def test_links_are_followed_to_the_file(tmp_path: Path, known: bool) -> None:
    """Through several, relative ones and into another folder; the links stay."""
    (tmp_path / "real").mkdir()
    (tmp_path / "first.png").symlink_to("second.png")
    (tmp_path / "second.png").symlink_to(Path("real") / "a.png")
    (tmp_path / "real" / "a.png").write_bytes(b"old")
    with AtomicFile(tmp_path / "first.png", overwrite=known) as file:
        file.write(b"new")
        assert file.commit(overwrite=True) == tmp_path / "first.png"
    assert (tmp_path / "real" / "a.png").read_bytes() == b"new"
    assert (tmp_path / "first.png").is_symlink()
    assert names(tmp_path) == ["first.png", "real", "second.png"]
    assert names(tmp_path / "real") == ["a.png"]


@pytest.mark.parametrize("failing", [None, "fsync"])
def test_a_link_to_another_disk_is_followed_whenever_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str | None
) -> None:
    """The suffix came with the bytes, and the link with it: the file is replaced whole, or not at all."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    older = there / "photo.png"
    older.write_bytes(b"older")
    older.chmod(0o640)
    (here / "a.png").symlink_to(older)
    replace, fsync = os.replace, os.fsync

    def on_one_disk(part: str, place: str | Path) -> None:
        if Path(part).parent != Path(place).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(part, place)

    def synced(fd: int) -> None:
        if failing and os.path.samestat(os.fstat(fd), os.stat(next(iter(there.glob(".*")), older))):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(fd)

    monkeypatch.setattr(os, "replace", on_one_disk)
    monkeypatch.setattr(os, "fsync", synced)
    with AtomicFile(here / "a") as file:
        file.write(b"newer")
        if failing:
            with pytest.raises(OSError, match=re.escape(str(here / "a.png"))):
                file.commit(here / "a.png", overwrite=True)
        else:
            assert file.commit(here / "a.png", overwrite=True) == here / "a.png"
    assert older.read_bytes() == (b"older" if failing else b"newer")
    assert stat.S_IMODE(older.stat().st_mode) == 0o640
    assert (here / "a.png").is_symlink()
    assert [path.name for path in [*here.iterdir(), *there.iterdir()]] == ["a.png", "photo.png"]


@pytest.mark.parametrize(
    ("problem", "data", "age", "stays"),
    [
        (None, b"", 0, True),
        (PermissionError, b"", 0, True),
        (ProcessLookupError, b"", 0, False),
        (None, b"", 61, False),
        (None, b"x", 0, False),
    ],
)
def test_a_part_that_nobody_can_have_locked_yet_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Any, data: bytes, age: float, stays: bool
) -> None:
    """It is empty and new, and its process lives, which may be about to lock it. All others go."""

    def ask(process: int, signal: int) -> None:
        assert (process, signal) == (77, 0)
        if problem is not None:
            raise problem()

    monkeypatch.setattr(os, "kill", ask)
    part = tmp_path / f"{PART}77-{_atomic._machine()}-0123456789abcdef.part"
    part.write_bytes(data)
    at = time.time() - age
    os.utime(part, (at, at))
    _atomic._sweep(tmp_path)
    assert part.exists() == stays


def test_where_asking_would_end_a_process_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, where a part that is open cannot be removed anyway."""
    part = tmp_path / f"{PART}77-{_atomic._machine()}-0123456789abcdef.part"
    part.touch()
    monkeypatch.delattr(os, "kill")
    monkeypatch.setattr("dalle2._results._parts.os.name", "nt")
    remove_abandoned(part, _atomic._machine(), _atomic.lock)
    monkeypatch.undo()
    assert part.exists()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EBUSY])
def test_a_file_that_cannot_be_replaced_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Only another disk is a reason to copy."""
    (tmp_path / "a.png").write_bytes(b"older")

    def refused(part: str, place: str | Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refused)
    with AtomicFile(tmp_path / "a.png") as file, pytest.raises(OSError, match=os.strerror(code)):
        file.commit(overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_link_that_leads_nowhere_is_an_error_before_any_download(tmp_path: Path) -> None:
    """A missing folder behind it, or a circle, is told like `open` tells it."""
    (tmp_path / "a.png").symlink_to(tmp_path / "missing" / "a.png")
    with pytest.raises(FileNotFoundError):
        AtomicFile(tmp_path / "a.png", overwrite=True)
    (tmp_path / "b.png").symlink_to("b.png")
    with pytest.raises(OSError) as caught:
        AtomicFile(tmp_path / "b.png", overwrite=True)
    assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, str(tmp_path / "b.png"))


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A pipe or a device would be gone, and its reader waits for ever; a directory is told as one."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(dalle2.InvalidRequestError, match=r"device or a pipe.*image\.read\(\)"):
            AtomicFile(path, overwrite=True)
    with pytest.raises(IsADirectoryError):
        AtomicFile(tmp_path, overwrite=True)
    assert names(tmp_path) == ["pipe"]


def test_a_file_that_may_not_be_written_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder would allow it; `open` would not. Root drops its privilege to see it."""
    script = """
import dalle2._results._replacing  # the environment may be readable by root alone
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    AtomicFile(sys.argv[1], overwrite=True)
except PermissionError as error:
    print(error.filename)
"""
    open_to_all = tmp_path / "folder"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    target = open_to_all / "a.png"
    target.write_bytes(b"old")
    target.chmod(0o444)
    assert run(script, target) == str(target)
    assert names(open_to_all) == ["a.png"]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError):
        save(target, b"new", overwrite=True)
    assert target.read_bytes() == b"old"


# --- what others left ---


def part_of(process: subprocess.Popen[str], directory: Path) -> Path:
    """The part of a process, once it has one."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (part,) = directory.glob(f"{PART}{process.pid}-*.part")
    return part


def test_the_next_save_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    """Of the dead one, and not of the living one, which still gets its image."""
    dead, living = python(WAITING, tmp_path / "a.png"), python(WAITING, tmp_path / "b.png")
    part, other = part_of(dead, tmp_path), part_of(living, tmp_path)
    dead.kill()
    dead.communicate(timeout=60)
    save(tmp_path / "c.png", b"x")
    assert not part.exists()
    assert other.exists()
    assert living.communicate("", timeout=60)[1] == ""
    assert names(tmp_path) == ["b.png", "c.png"]
    assert (tmp_path / "b.png").read_bytes() == b"half" * 1000


def test_a_save_of_the_same_process_is_left_alone(tmp_path: Path) -> None:
    """Threads share a process, and each has its own part."""
    with AtomicFile(tmp_path / "a.png") as first:
        first.write(b"one")
        save(tmp_path / "b.png", b"two")
        first.commit(overwrite=False)
    assert names(tmp_path) == ["a.png", "b.png"]


def left(directory: Path, machine: str, *, age: float = 0.0) -> Path:
    """A part that nobody has open."""
    path = directory / f"{PART}1-{machine}-{'0' * 16}.part"
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_part_of_another_machine_must_be_a_day_old(tmp_path: Path) -> None:
    """Its lock may not be seen from here."""
    part = left(tmp_path, "00000000", age=80_000)
    save(tmp_path / "a.png", b"x")
    assert part.exists()
    left(tmp_path, "00000000", age=90_000)
    save(tmp_path / "b.png", b"x")
    assert not part.exists()


def test_where_nothing_can_be_locked_age_alone_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, and disks without locks: saving works, and what is a day old goes."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    young = left(tmp_path, _atomic._machine())
    save(tmp_path / "a.png", b"x")
    assert young.exists()
    left(tmp_path, _atomic._machine(), age=90_000)
    save(tmp_path / "b.png", b"x")
    assert names(tmp_path) == ["a.png", "b.png"]


def test_only_parts_are_removed(tmp_path: Path) -> None:
    """Not what merely looks like one, nor what lies behind a link or is no file."""
    kept = [f"{PART}1-x.part", f"{PART}notes.txt"]
    for name in kept:
        (tmp_path / name).touch()
    pipe, link = left(tmp_path, _atomic._machine()), tmp_path / f"{PART}2-{'0' * 8}-{'1' * 16}.part"
    pipe.unlink()
    os.mkfifo(pipe)
    link.symlink_to(kept[0])
    save(tmp_path / "a.png", b"x")
    assert names(tmp_path) == sorted([*kept, pipe.name, link.name, "a.png"])


def test_a_full_directory_is_listed_but_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name for each hundred in it is looked at a save, on average; few directories are remembered."""
    listed: list[object] = []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or real(path))
    monkeypatch.setattr(_atomic, "_REMEMBERED", 2)
    monkeypatch.setattr(_atomic, "_until_swept", {})
    for number in range(310):
        (tmp_path / str(number)).touch()
    for number in range(8):
        save(tmp_path / f"{number}.png", b"x")
    assert len(listed) == 2
    for name in "abc":
        (tmp_path / name).mkdir()
        for number in range(100):
            (tmp_path / name / str(number)).touch()
        save(tmp_path / name / "x.png", b"x")
    assert len(_atomic._until_swept) <= 2


def test_a_part_that_is_taken_for_abandoned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, another process may lock or remove it; that ends after some tries."""
    answers: list[bool | None] = [False, True, True]
    real = os.fstat

    def raced(fd: int) -> Any:
        if len(answers) == 1:
            for path in tmp_path.glob(f"{PART}*"):
                path.unlink()
        return real(fd)

    monkeypatch.setattr(_atomic, "lock", lambda fd: answers.pop(0) if answers else False)
    monkeypatch.setattr(os, "fstat", raced)
    assert save(tmp_path / "a.png", b"x").read_bytes() == b"x"
    assert answers == []
    with pytest.raises(OSError) as caught:
        AtomicFile(tmp_path / "b.png")
    assert caught.value.errno == errno.EBUSY
    assert names(tmp_path) == ["a.png"]


def test_a_part_that_another_thread_is_about_to_lock_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole save in the same directory, between its opening and its locking, does not sweep it."""
    real, locked = _atomic.lock, []

    def interrupted(fd: int) -> bool | None:
        locked.append(fd)
        if len(locked) == 1:
            save(tmp_path / "b.png", b"y")
        return real(fd)

    monkeypatch.setattr(_atomic, "lock", interrupted)
    save(tmp_path / "a.png", b"x")
    assert len(locked) == 2
    assert names(tmp_path) == ["a.png", "b.png"]
    assert not _atomic._living


def test_what_was_published_can_be_taken_back(tmp_path: Path) -> None:
    """A new file, if it is still the same one; never an older one, nor somebody else's."""
    target = tmp_path / "a.png"

    def published(*, overwrite: bool = False) -> AtomicFile:
        with AtomicFile(target) as file:
            file.write(b"mine")
            file.commit(overwrite=overwrite)
        return file

    published().withdraw()
    assert names(tmp_path) == []
    published(overwrite=True).withdraw()
    assert names(tmp_path) == []
    mine = published()
    published(overwrite=True).withdraw()
    assert target.read_bytes() == b"mine"
    mine.withdraw()
    assert names(tmp_path) == ["a.png"]
    AtomicFile(tmp_path / "b.png").withdraw()
    target.unlink()
    gone = published()
    target.unlink()
    gone.withdraw()
    assert names(tmp_path) == []


class Struck(Exception):
    """What a signal handler raises, as those of timeouts do."""


def test_a_signal_handler_that_raises_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """After each number of traced steps of a save: no file or the whole one, no part, no open file."""

    def strike(steps: int) -> Any:
        left = [steps]

        def trace(frame: Any, event: str, argument: object) -> Any:
            if frame.f_code.co_filename.endswith("_atomic.py"):
                if "__del__" in [caller.f_code.co_name for caller, _ in traceback.walk_stack(frame)]:
                    return None  # Python itself loses what is raised there
                frame.f_trace_opcodes = True
                left[0] -= 1
                if left[0] == 0:
                    sys.settrace(None)
                    raise Struck
            return trace

        return trace

    before, opened, steps, done = sys.gettrace(), len(os.listdir("/dev/fd")), 0, False
    while not done:
        steps += 1 + steps // 30
        sys.settrace(strike(steps))
        try:
            save(tmp_path / "a.png", b"whole")
            done = True
        except Struck:
            pass
        finally:
            sys.settrace(before)
        for path in list(tmp_path.iterdir()):
            assert path.name == "a.png"
            assert path.read_bytes() == b"whole"
            path.unlink()
    assert steps > 100
    assert len(os.listdir("/dev/fd")) == opened


def test_a_file_nobody_closed_cleans_up_after_itself(tmp_path: Path) -> None:
    """A task cancelled between opening and `with` leaves nothing behind."""
    file = AtomicFile(tmp_path / "a.png")
    assert len(names(tmp_path)) == 1
    del file
    assert names(tmp_path) == []


def test_a_forked_child_leaves_its_parents_file_alone(tmp_path: Path) -> None:
    """Only the process that opened the temporary file removes it."""
    script = """
file = AtomicFile(sys.argv[1] + "/a.png")
if os.fork() == 0:
    del file
    os._exit(0)
os.wait()
print(len(os.listdir(sys.argv[1])))
"""
    assert run(script, tmp_path) == "1"
    assert names(tmp_path) == []


def test_a_child_that_unwinds_leaves_its_parents_file_alone(tmp_path: Path) -> None:
    """A process that forks in a listener, and whose child ends by `sys.exit`, as children do."""
    script = """
with AtomicFile(sys.argv[1] + "/a.png") as file:
    file.write(b"whole")
    if os.fork() == 0:
        sys.exit()
    os.wait()
    print(file.commit(overwrite=False).read_bytes().decode())
"""
    assert run(script, tmp_path) == "whole"
    assert names(tmp_path) == ["a.png"]


def test_a_working_directory_that_is_gone_is_told_with_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path has no place then, and the error names it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        AtomicFile("a.png")
    assert caught.value.filename == "a.png"


def test_the_cleaning_up_asks_whose_file_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, seen from inside one process."""
    file = AtomicFile(tmp_path / "a.png")
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: -1)
        file.__del__()
        assert len(names(tmp_path)) == 1
    file.abort()
    assert names(tmp_path) == []
