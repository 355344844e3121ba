"""`dalle2 doctor PATH`: what it prints, what it counts, and its exit status."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dalle2._cli import main

LONG_KEY = "sk-proj-0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one call to change, and one that is well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.py").write_text(
        "from openai import OpenAI\n"
        f'client = OpenAI(api_key="{LONG_KEY}")\n'
        'client.images.generate(model="dall-e-2", prompt="a secret corgi", size="256x256")\n',
        encoding="utf-8",
    )
    (tmp_path / "new.py").write_text("print('a corgi')\n", encoding="utf-8")
    return tmp_path


def test_a_scan_prints_a_line_for_each_call(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, column and the change on one line, for programs to read; the sum goes to stderr."""
    assert main(["doctor", "."]) == 1
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.startswith(
        "old.py:3:1: client.images.generate: model 'dall-e-2' was retired on 2026-05-12: use model="
    )
    assert "816x816" in line
    assert printed.err == "1 to change in 1 file\n"
    assert "secret" not in line
    assert LONG_KEY not in line


def test_on_a_terminal_the_changes_stand_below(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One change a line, so that a reader can go through them."""
    (project / "more.py").write_text((project / "old.py").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["doctor", "old.py", "more.py"]) == 1
    printed = capsys.readouterr()
    first, *changes = printed.out.splitlines()[:5]
    assert first == "old.py:3:1: client.images.generate: model 'dall-e-2' was retired on 2026-05-12"
    assert changes[0] == "    use model='gpt-image-2.5-flare'"
    assert all(change.startswith("    ") for change in changes)
    assert printed.err == "2 to change in 2 files\n"


def test_a_scan_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with all that is known of each place."""
    assert main(["doctor", "--json", "old.py"]) == 1
    printed = capsys.readouterr()
    (finding,) = json.loads(printed.out)["findings"]
    assert (finding["file"], finding["line"], finding["model"]) == ("old.py", 3, "dall-e-2")
    assert (finding["kind"], printed.err) == ("retired", "")
    assert LONG_KEY not in printed.out


def test_nothing_to_change_is_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0, and one word for a reader."""
    assert main(["doctor", "new.py"]) == 0
    assert capsys.readouterr() == ("", "nothing to change\n")


def test_a_path_that_is_not_there_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before anything is scanned."""
    assert main(["doctor", "old.py", "missing.py"]) == 1
    assert capsys.readouterr() == ("", "dalle2: missing.py: No such file or directory\n")


# What is not certain is counted apart

CERTAIN = "import openai\nopenai.Image.create(prompt='x')\n"
OF_HOST = "import openai\nopenai.api_base = url\nopenai.Image.create(prompt='x')\n"
UNCLEAR = "import openai\nopenai.images.generate(**options)\n"
UNREAD = "print 'hello'  # openai, and no image\n"
BROKEN = "print openai.Image.create(prompt='x')\n"
OTHER = "print 'hello'\n"


@pytest.mark.parametrize(
    ("sources", "summary", "status", "strict"),
    [
        ([OTHER], "nothing to change", 0, 0),
        ([CERTAIN, CERTAIN], "2 to change in 2 files", 1, 1),
        ([BROKEN], "1 to change in 1 file", 1, 1),
        ([OF_HOST], "1 to change if the host is OpenAI's", 0, 1),
        ([CERTAIN, OF_HOST], "1 to change in 1 file; 1 more to change if the host is OpenAI's", 1, 1),
        ([UNCLEAR], "1 call not understood", 0, 1),
        ([UNCLEAR, UNCLEAR, UNREAD], "2 calls not understood; 1 file not read", 0, 1),
        ([UNREAD, UNREAD], "nothing to change in what could be read; 2 files not read", 0, 1),
    ],
)
def test_what_is_not_certain_is_counted_apart(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sources: list[str],
    summary: str,
    status: int,
    strict: int,
) -> None:
    """Only what is certain is a failure, unless the reader is strict; each has its line all the same."""
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.py").write_text(source, encoding="utf-8")
    assert main(["doctor", str(tmp_path)]) == status
    printed = capsys.readouterr()
    assert printed.err == summary + "\n"
    assert len(printed.out.splitlines()) == sum(source != OTHER for source in sources)
    assert main(["doctor", "--strict", str(tmp_path)]) == strict


def test_json_keeps_apart_what_is_not_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is found, with its kind; what is not understood; what is not read."""
    for number, source in enumerate((CERTAIN, OF_HOST, BROKEN, UNCLEAR, UNREAD)):
        (tmp_path / f"{number}.py").write_text(source, encoding="utf-8")
    assert main(["doctor", "--json", str(tmp_path)]) == 1
    document = json.loads(capsys.readouterr().out)
    kinds = {name: [one["kind"] for one in rows] for name, rows in document.items()}
    assert kinds == {
        "findings": ["retired", "host", "error"],
        "not_understood": ["unclear"],
        "not_read": ["unread"],
    }


@pytest.mark.parametrize("name", ["a\x1b[2J.py", "a\nb.py", "a\u202eb.py", "a\udcff.py", "a\u2028b.py"])
def test_a_file_name_does_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """On one line, in text and in JSON; a program that reads JSON gets the name as it is."""
    (tmp_path / name).write_text(CERTAIN, encoding="utf-8")
    assert main(["doctor", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().out.split("\n")[:-1]
    assert line.isprintable()
    assert main(["doctor", "--json", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["findings"][0]["file"] == str(tmp_path / name)


def test_a_dangling_link_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is there, and cannot be read."""
    (tmp_path / "a.py").symlink_to("nowhere")
    assert main(["doctor", str(tmp_path / "a.py")]) == 0
    assert capsys.readouterr().err == "nothing to change in what could be read; 1 file not read\n"
