"""What reaches a terminal, a pipe or a full disk: harmless text, in any encoding, nothing paid for lost."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2._cli
from dalle2._cli import _screen, main
from dalle2._cli._screen import harmless
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, command, files, run

ENCODINGS = ["latin-1", "ascii", "cp1252", "utf-8", "utf-16", "cp1252:strict"]
EVIL = "a\x1b]0;pwned\x07\r\nb\u202ec\u2066d\x9b31m\x85\u2028e"


def test_one_file_writes_and_no_other() -> None:
    """Every line passes `_screen`: no other file of the command line prints."""
    folder = Path(dalle2._cli.__file__).parent
    for file in sorted(folder.glob("*.py")):
        if file.name == "_screen.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "typer.echo", "typer.secho", "sys.stdout.write"}, file.name
                assert not called.endswith((".stdout.write", ".stderr.write")), file.name


@given(st.text())
def test_nothing_that_acts_is_shown(text: str) -> None:
    """No control, bidi mark, line end or half of a character is left, and what is printable is as it was."""
    shown = harmless(text)
    kinds = {unicodedata.category(char) for char in shown if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("corgi in Köln 犬 🐕.png", "corgi in Köln 犬 🐕.png"),
        ("Screenshot 1.00\u202fPM.png", "Screenshot 1.00\u202fPM.png"),
        ("خانه\u200cها 👩\u200d🚀", "خانه\u200cها 👩\u200d🚀"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202egnp.b", r"a\u202egnp.b"),
        ("a\nb", r"a\nb"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_people_read_what_people_write(text: str, shown: str) -> None:
    """Letters of every script, spaces and joined emoji stay; what acts on a terminal is spelled out."""
    assert harmless(text) == shown


def test_an_evil_argument_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments come back in messages and paths, in one line without anything that acts."""
    for words in (
        [*CORGI, "--model", EVIL, *OFFLINE],
        [*CORGI, "--provider", EVIL],
        [*CORGI, "--base-url", EVIL],
        [*CORGI, "--" + EVIL],
        [EVIL],
        ["vary", EVIL + ".png", *OFFLINE],
        [*CORGI, "-o", EVIL + "/x.png", *OFFLINE],
        ["edit", "x.png", "hat", "--mask-box", EVIL],
        ["serve", "--persona", EVIL],
        ["doctor", EVIL],
    ):
        assert main(words) in (1, 2), words
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert printed.err[:-1] == harmless(printed.err[:-1])


def test_an_evil_file_name_is_printed_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """The path of a saved image is one line, and exact in JSON."""
    name = "a\x1b[31m\nb\u202e\x7f.png"
    assert main([*CORGI, *OFFLINE, "-o", name]) == 0
    assert capsys.readouterr().out == "a\\x1b[31m\\nb\\u202e\\x7f.png\n"
    assert main([*CORGI, *OFFLINE, "-o", name, "--overwrite", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii() and "\x7f" not in out and "\x1b" not in out
    assert json.loads(out)["images"][0]["path"] == name


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_encoding_loses_the_path_of_a_paid_image(encoding: str, as_json: bool, directory: Path) -> None:
    """A prompt in another script, on any pipe: the file is there, and the output tells its path."""
    words = ["generate", "Kölner 犬 🐕 corgi", "--size", "256x256", *OFFLINE]
    done = run(*words, *["--json"] * as_json, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    (name,) = files(directory)
    out = done.stdout.decode(encoding.partition(":")[0])
    if as_json:
        assert json.loads(out)["images"][0]["path"] == name
        assert out.isascii()
    else:
        assert out.encode("latin-1", "backslashreplace").decode("unicode_escape") == name + "\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_encoding_loses_the_url_of_a_paid_image(
    encoding: str, emulator: Emulator, directory: Path
) -> None:
    """Told on stderr, beside an error about a name in another script."""
    emulator.fail_next(403, on="image")
    done = run(*CORGI, "-o", "犬.png", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout.strip(), files(directory)) == (1, b"", [])
    told, error = done.stderr.decode(encoding.partition(":")[0]).splitlines()
    assert told.startswith("dalle2: not saved, for now it is at http://127.0.0.1")
    assert error.startswith("dalle2: ")


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["models", *OFFLINE]])
def test_help_can_be_read_in_ascii(words: list[str]) -> None:
    """Frames and letters that the terminal does not have are no failure."""
    done = run(*words, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_a_path_of_no_encoding_is_told(directory: Path) -> None:
    """A name that is no UTF-8 is printed with backslashes, and exact in JSON."""
    raw = b"caf\xe9.png"
    words = command(*CORGI, *OFFLINE, "--json", "-o")
    done = subprocess.run([*words, raw], capture_output=True, timeout=60, check=True)
    path = json.loads(done.stdout)["images"][0]["path"]
    assert os.listdir(os.fsencode(directory)) == [raw] == [os.fsencode(path)]


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_full_stdout_tells_on_stderr(as_json: bool, emulator: Emulator, directory: Path) -> None:
    """Where stdout takes nothing, what was paid for is told on stderr, and the status says that it failed."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(*CORGI, "-o", "corgi.png", *["--json"] * as_json),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    *told, error = done.stderr.splitlines()
    assert "corgi.png" in "".join(told)
    assert error == "dalle2: standard output: No space left on device"
    assert files(directory) == ["corgi.png"]


def test_a_full_stderr_is_no_failure(directory: Path) -> None:
    """A warning or an error that nobody can read changes no status and raises nothing."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("generate", " ", *OFFLINE), stdout=subprocess.PIPE, stderr=full, timeout=60, check=False
        )
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_stderr_that_takes_nothing_is_let_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error cannot be told there: the status alone says it."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert main(["generate", " ", *OFFLINE]) == 2
        assert capsys.readouterr().out == ""


def test_what_may_be_missed_is_no_failure() -> None:
    """A stream that takes nothing any more is written to without an error; else it is itself."""
    kept = io.StringIO()
    stream = _screen.Lenient(kept)
    assert stream.write("turning") == 7
    stream.flush()
    assert kept.getvalue() == "turning"
    assert stream.isatty() is False  # type: ignore[operator]
    kept.close()
    assert stream.write("gone") == 4
    stream.flush()


def test_a_reader_that_left_ends_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cost nothing is not told again on stderr: one line says why the list ended."""
    error = io.StringIO()
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", error)
        assert main(["models", *OFFLINE]) == 1
    assert error.getvalue() == "dalle2: standard output: No space left on device\n"


def test_streams_that_are_closed_or_missing_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """A process without a console, or whose stdout was closed, still saves its image."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main([*CORGI, *OFFLINE, "-o", "corgi.png"]) == 0
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert main([*CORGI, *OFFLINE, "-o", "closed.png"]) == 1
    assert files(directory) == ["closed.png", "corgi.png"]


def test_streams_are_as_they_were_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a stream meets a character that it has not is the caller's business again."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    with _screen.forgiving():
        _screen.say("犬")
    assert stream.errors == "strict"
    assert stream.buffer.getvalue() == b"\\u72ac\n"  # type: ignore[attr-defined]


def test_a_pipe_that_takes_a_little_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a buffer a write may take a part; one that takes nothing is an error and no endless loop."""
    taken = bytearray()

    class Slow(io.RawIOBase):
        full = False

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int | None:  # type: ignore[override]
            taken.extend(memoryview(data)[:3])  # type: ignore[arg-type]
            return None if self.full else len(memoryview(data)[:3])  # type: ignore[arg-type]

    class Stream(io.StringIO):
        buffer = Slow()

    monkeypatch.setattr(sys, "stdout", Stream())
    _screen.picture(b"a picture")
    assert taken == b"a picture"
    Slow.full = True
    with pytest.raises(BlockingIOError, match="standard output"):
        _screen.picture(b"another")


def test_no_lines_are_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list prints nothing, not even a line end."""
    _screen.say()
    assert capsys.readouterr() == ("", "")
