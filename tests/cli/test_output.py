"""The place for images: one test foresees, before anything is paid for, what saving would end in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import dalle2
from dalle2._cli import main
from dalle2._cli._output import Place
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, failure, files, run


@pytest.fixture
def furnished(directory: Path) -> Path:
    """A directory with one of each thing that is in the way of a file."""
    (directory / "old.png").write_bytes(b"old")
    (directory / "old").write_bytes(b"old")
    (directory / "folder").mkdir()
    (directory / "nowhere.png").symlink_to("missing/target.png")
    (directory / "nowhere").symlink_to("missing")
    (directory / "loop.png").symlink_to("loop.png")
    (directory / "taken.png").symlink_to("old.png")
    os.mkfifo(directory / "pipe.png")
    return directory


TAKEN = "exists already; --overwrite replaces it"
IN_THE_WAY = [
    ("missing/corgi.png", "missing: No such file or directory"),
    ("old.png", f"old.png: {TAKEN}"),
    ("old", f"old: {TAKEN}"),
    ("taken.png", f"taken.png: {TAKEN}"),
    ("nowhere.png", f"nowhere.png: {TAKEN}"),
    ("old.png/", "old.png: Not a directory"),
    ("old.png/corgi.png", "old.png: Not a directory"),
    ("old.png/deeper/", "old.png: Not a directory"),
    ("nowhere/", "nowhere: No such file or directory"),
    ("nowhere/corgi.png", "nowhere: No such file or directory"),
    ("loop.png", "loop.png: Too many levels of symbolic links"),
    ("pipe.png", "pipe.png: is no regular file (-o - is standard output)"),
    ("/dev/null", "/dev/null: is no regular file (-o - is standard output)"),
    ("/dev/full", "/dev/full: is no regular file (-o - is standard output)"),
    ("/proc/corgi.png", "/proc: "),
    ("/proc/sub/", "/proc: "),
    ("x" * 300 + ".png", "File name too long"),
    ("x" * 253, "File name too long"),
]


@pytest.mark.parametrize(("output", "said"), IN_THE_WAY, ids=lambda text: text[:20])
def test_a_bad_place_is_refused_before_paying(
    emulator: Emulator, furnished: Path, capsys: pytest.CaptureFixture[str], output: str, said: str
) -> None:
    """Nothing is sent if the images could not be kept, and nothing in the directory changes."""
    before = files(furnished)
    assert main([*CORGI, "-o", output]) == 1
    assert said in failure(capsys)
    assert emulator.requests == []
    assert files(furnished) == before
    assert os.stat("/dev/null").st_mode & 0o170000 == 0o020000


@pytest.mark.parametrize("output", ["/dev/null", "pipe.png", "loop.png", "old.png/corgi.png"])
def test_overwrite_replaces_files_only(
    emulator: Emulator, furnished: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """A device or a pipe is never replaced by a file, least of all by root."""
    assert main([*CORGI, "-o", output, "--overwrite"]) == 1
    failure(capsys)
    assert emulator.requests == []
    assert (furnished / "pipe.png").is_fifo() and Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["corgi-1.png", "corgi-2.png", "corgi-3.png"])
@pytest.mark.parametrize("output", ["corgi.png", "corgi"])
def test_each_of_several_names_is_tested(
    emulator: Emulator, directory: Path, capsys: pytest.CaptureFixture[str], output: str, name: str
) -> None:
    """One name that is taken, be it the last, is enough."""
    (directory / name).write_bytes(b"old")
    assert main([*CORGI, "-n", "3", "-o", output]) == 1
    assert failure(capsys) == f"dalle2: {name}: {TAKEN}\n"
    assert emulator.requests == []


@pytest.mark.parametrize(
    "words",
    [
        [*CORGI, "-o", ""],
        [*CORGI, "-o", "a\0b"],
        [*CORGI, "-o", "-", "-n", "2"],
        [*CORGI, "-o", "-", "--json"],
        [*CORGI, "-o", "s3://bucket/corgi.png"],
        [*CORGI, "-o", "s3://bucket/"],
        [*CORGI, "-o", "file:///corgi"],
    ],
)
def test_an_output_that_says_nothing_sensible_is_wrong_usage(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Exit status 2, in the words of the command line, before anything is sent."""
    assert main(words) == 2
    assert "-o" in failure(capsys)
    assert emulator.requests == []
    assert not os.listdir()


def test_a_place_that_works_is_not_refused(emulator: Emulator, furnished: Path) -> None:
    """Old files are replaced if that was said; directories, missing ones and numbered names are taken."""
    for words in (
        ["-o", "old.png", "--overwrite"],
        ["-o", "folder"],
        ["-o", "folder", "-n", "2"],
        ["-o", "new/deep/"],
        ["-o", "new", "-n", "2"],
        ["-o", "old.png", "-n", "2"],
    ):
        assert main([*CORGI, *words]) == 0, words
    assert (furnished / "old.png").read_bytes().startswith(b"\x89PNG")
    assert len(files(furnished / "folder")) == 3
    assert len(files(furnished / "new" / "deep")) == 1
    assert not [name for name in files(furnished) if name.endswith(".part")]


def test_a_numbered_name_may_be_a_directory(directory: Path) -> None:
    """As in `image.save`, an existing directory takes the image under the name of its prompt."""
    (directory / "corgi-1").mkdir()
    assert main([*CORGI, *OFFLINE, "-n", "2", "-o", "corgi"]) == 0
    assert len(files(directory / "corgi-1")) == 1
    assert files(directory) == ["corgi-1", "corgi-2.png"]


def test_a_directory_that_went_away_is_one_line(
    emulator: Emulator, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The current directory itself may be gone."""
    (directory / "gone").mkdir()
    os.chdir(directory / "gone")
    (directory / "gone").rmdir()
    assert main(CORGI) == 1
    assert "No such file or directory" in failure(capsys)
    assert emulator.requests == []
    os.chdir(directory)


def test_what_save_refuses_is_refused_before(furnished: Path) -> None:
    """For each thing in the way: where saving a made image fails, the test had failed before."""
    client = dalle2.Client(provider="emulator")
    image = client.generate("a corgi", size="256x256", response_format="b64_json")[0]
    client.close()
    for output, _ in IN_THE_WAY:
        if output.startswith("/dev/"):
            continue
        try:
            image.save(output).unlink()
        except OSError:
            with pytest.raises(OSError):
                Place.from_option(output, overwrite=False).check(1)


def test_a_picture_goes_down_a_pipe() -> None:
    """`-o -` writes the picture, and nothing else, to standard output."""
    done = run(*CORGI, *OFFLINE, "-o", "-")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\x89PNG") and done.stdout.endswith(b"IEND\xaeB`\x82")


def test_a_picture_is_not_put_on_a_terminal(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes of a host would act there; a standard output without bytes is refused too."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main([*CORGI, "-o", "-"]) == 2
    assert "terminal" in failure(capsys)
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*CORGI, "-o", "-"]) == 2
    assert "takes bytes" in failure(capsys)
    assert emulator.requests == []


def broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reader of standard output be gone when the picture comes."""

    def gone(data: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe", "standard output")

    monkeypatch.setattr("dalle2._cli._screen.picture", gone)


def test_a_picture_whose_reader_left_is_kept(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was paid for: it goes to the temporary directory, and stderr says where."""
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    broken_pipe(monkeypatch)
    assert main([*CORGI, "-o", "-"]) == 1
    saved, error = capsys.readouterr().err.splitlines()
    assert error == "dalle2: standard output: Broken pipe"
    path = Path(saved.removeprefix("dalle2: saved as "))
    assert path.is_relative_to(directory)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_had_leaves_its_url(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """If it cannot be fetched for the pipe either, its URL is on the screen."""
    emulator.fail_next(403, on="image", times=2)
    assert main([*CORGI, "-o", "-"]) == 1
    told, _ = capsys.readouterr().err.splitlines()
    assert told.startswith("dalle2: not saved, for now it is at http://127.0.0.1")


def test_a_host_that_makes_more_does_not_mix_them(
    emulator: Emulator,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Asked for one and given two: the first goes down the pipe, the second is kept and told on stderr."""
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    generate = dalle2.Client.generate

    def two(client: dalle2.Client, prompt: str, **options: Any) -> dalle2.Images:
        return generate(client, prompt, **options | {"n": 2})

    monkeypatch.setattr(dalle2.Client, "generate", two)
    assert main([*CORGI, "-o", "-"]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out.count(b"\x89PNG") == 1
    assert printed.err.startswith(b"dalle2: saved as ")
    assert Path(printed.err.decode().split()[-1]).read_bytes().startswith(b"\x89PNG")


def test_an_interrupt_in_the_pipe_keeps_the_picture(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while the reader takes nothing: the bytes are here, so they are kept."""
    monkeypatch.setattr("tempfile.tempdir", str(directory))

    def stuck(data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dalle2._cli._screen.picture", stuck)
    assert main([*CORGI, "-o", "-"]) == 130
    saved, end = capsys.readouterr().err.splitlines()
    assert Path(saved.removeprefix("dalle2: saved as ")).read_bytes().startswith(b"\x89PNG")
    assert end == "dalle2: interrupted"
