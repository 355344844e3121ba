"""Nothing that lies in a folder, and nothing that is written in a file, stops, blinds or hangs a scan."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._doctor._scan import Finding, scan_path, scan_source
from dalle2._doctor._scan._known import LONGEST, Const, Tail
from dalle2._doctor._scan._source import Source
from dalle2._doctor._scan._walk import Walker

TODAY = date(2026, 11, 20)
CALL = "import openai\nopenai.Image.create(prompt='x')\n"


def kinds(found: list[Finding]) -> dict[str, str]:
    """The kind of what was found in each file."""
    return {Path(one.file).name: one.kind for one in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose last file holds a call to change: whoever gets there was not stopped."""
    (tmp_path / "z.py").write_text(CALL)
    return tmp_path


# Files that are none


def test_what_is_no_regular_file_is_not_opened(folder: Path) -> None:
    """A pipe, a socket, a device and a link to one, dangling links: told, not waited for."""
    os.mkfifo(folder / "a.py")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(os.path.relpath(folder / "b.py"))
    (folder / "c.py").symlink_to("/dev/zero")
    (folder / "d.py").symlink_to("nowhere.py")
    (folder / "e.py").symlink_to("e.py")
    (folder / "f.py").mkdir()
    found = scan_path(folder, today=TODAY)
    assert kinds(found) == {name: "unread" for name in ("a.py", "b.py", "c.py", "d.py", "e.py")} | {
        "z.py": "retired"
    }
    assert found[0].problem == "cannot be read: it is no regular file"
    assert found[3].problem == "cannot be read: No such file or directory"


def test_an_import_of_a_pipe_is_not_followed(folder: Path) -> None:
    """Nor is one whose name is longer than any file's."""
    os.mkfifo(folder / "settings.py")
    (folder / "b.py").write_text(f"import settings\nimport {'a' * 300}\n{CALL}")
    assert kinds(scan_path(folder / "b.py", today=TODAY)) == {"b.py": "retired"}


def test_a_file_that_never_ends_is_read_only_so_far(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What says that it is a short file need not be one."""
    monkeypatch.setattr("dalle2._doctor._scan._source._LARGEST", 30)
    assert scan_path(folder, today=TODAY)[0].problem == "cannot be read: more than 30 bytes"


def test_a_folder_that_cannot_be_entered_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it is not passed over in silence."""
    closed = folder / "closed"
    closed.mkdir()
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = scan_path(folder, today=TODAY)
    assert kinds(found) == {"closed": "unread", "z.py": "retired"}
    assert found[0].problem == "cannot be read: Permission denied"


# Bytes that are no text


@pytest.mark.parametrize(
    "data",
    [
        b"# coding: klingon\n",
        b"# coding: punycode\n",
        b"# coding: undefined\n",
        b"# coding: unicode_escape\n'\\d'\n",
        b"# coding: rot13\n",
        b"# coding: zlib\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
        b"name = '\xff\xfe'\n",
        "name = 1\n".encode("utf-16"),
    ],
)
def test_an_encoding_that_cannot_be_read_is_told(folder: Path, data: bytes) -> None:
    """It counts as a file to look at only if image models are spoken of."""
    (folder / "a.py").write_bytes(data)
    (folder / "b.py").write_bytes(data + b"\0openai.Image.create(prompt='x')")
    assert kinds(scan_path(folder, today=TODAY)) == {"a.py": "unread", "b.py": "error", "z.py": "retired"}


def test_what_has_nothing_to_do_with_images_is_not_even_parsed(folder: Path) -> None:
    """A broken file of another subject is nobody's concern; one that speaks of the vendor is told."""
    (folder / "a.py").write_text("print 'hello'\n")
    (folder / "b.py").write_text("# openai's chat, no image\nprint 'hello'\n")
    (folder / "c.py").write_text("print openai.Image.create(prompt='x')\n")
    assert kinds(scan_path(folder, today=TODAY)) == {"b.py": "unread", "c.py": "error", "z.py": "retired"}


def test_a_source_that_is_too_long_is_not_parsed(folder: Path) -> None:
    """A tree takes hundreds of times the memory of its text."""
    (folder / "a.py").write_text("x = 1  # dalle\n" * 80_000)
    found = scan_path(folder, today=TODAY)
    assert kinds(found) == {"a.py": "error", "z.py": "retired"}
    assert found[0].problem.endswith("more than 1000000 characters")


# Names that a terminal would obey


def test_what_is_shown_of_a_source_does_nothing_to_a_terminal(folder: Path) -> None:
    """File names, compilers' words and sizes: no escape, no line break, no change of direction."""
    for name in ("a\x1b[2J\n.py", "b\u202etxt.py", "c\udcff.py"):
        (folder / name).write_text(CALL)
    (folder / "d.py").write_text("openai.Image = \u202e1")
    (folder / "e.py").write_bytes(b"# coding: \x1b[2J\nopenai.Image.create()")
    (folder / "f.py").write_text(
        "from openai import OpenAI\nOpenAI().images.generate(prompt='x', size='\\x1b[2J\\n\\u202e')\n"
        f"{'a' * 150}.images.generate(model='dall-e-2')\n"
        f"OpenAI().images.generate(prompt='x', model=None, **{{'size': '{'9' * 100}x1'}})\n"
    )
    found = scan_path(folder, today=TODAY)
    assert len(found) == 8
    for line in map(str, found):
        assert line.isprintable()
        assert len(line) < 700
    assert {one.file for one in found if one.kind == "retired"} >= {str(folder / "b\u202etxt.py")}
    assert sum("\N{REPLACEMENT CHARACTER}" in str(one) for one in found) == 2


# Texts that grow, and steps without end


def after(source: str) -> Walker:
    """What the scanner knows after reading a source."""
    walker = Walker()
    walker.read(Source.of_text(f"import openai  # image\n{source}", "a.py").body)
    walker.finish()
    assert walker.lost == []
    return walker


GROWING = {
    "sums": "a = 'dall-e-2'\n" + "a = a + a\n" * 60,
    "in place": "a = 'dall-e-2'\n" + "a += a\n" * 60,
    "f-strings": "a = 'dall-e-2'\n" + "a = f'{a}{a}{a}'\n" * 40,
    "format": "a = 'dall-e-2'\n" + "a = '{}{}{}'.format(a, a, a)\n" * 40,
    "a wide field": "a = f'{1:>1000000000}'\n",
    "a product": "a = 'dall-e-2' * 10**9\n",
    "a join": "a = 'dall-e-2'\n" + "a = a.join([a, a, a])\n" * 40,
    "a large number": f"a = f'{{0x{'f' * 9000}}}'\nb = {{0x{'f' * 9000}: a}}\n",
    "ends": "a = f'{x}/images/'\n" + "a = a + a\n" * 60,
    "addresses": "a = openai\n" + "a = a.Image.create.Image\n" * 60,
    "dicts": "a = {'k': 1}\n" + "".join(f"a = {{**a, **a, 'k{n}': 1}}\n" for n in range(1200)),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_text_that_grows_is_dropped_in_time(name: str) -> None:
    """However a source makes texts, paths and dicts grow, none is kept beyond what a name could be."""
    for value in after(GROWING[name]).scope.names["a"]:
        text = value.text if isinstance(value, Tail) else getattr(value, "path", getattr(value, "value", ""))
        assert len(str(text)) <= LONGEST
        assert len(getattr(value, "items", ())) <= 1000


@given(
    st.lists(
        st.sampled_from(["a + b", "f'{a}{b}'", "b + 'x'", "'{}{}'.format(b, a)", "a.strip()"]), max_size=40
    )
)
def test_no_chain_of_texts_grows(chain: list[str]) -> None:
    """Whatever the steps, a known text stays short."""
    lines = ["a = b = 'dall-e-2'", *(f"a, b = {step}, a" for step in chain)]
    for name in "ab":
        for value in after("\n".join(lines)).scope.names[name]:
            assert isinstance(value, Const | Tail)
            assert len(value.text if isinstance(value, Tail) else str(value.value)) <= LONGEST


BUSY = {
    "functions that call one another": "".join(
        f"def f{i}(model):\n    f{i + 1}(model=model)\n    f{i + 1}(model='gpt-image-2')\n" for i in range(60)
    )
    + "".join(f"f0(model='dall-e-{i}')\n" for i in range(500)),
    "partials of partials": "from functools import partial\np = partial(print, 1)\n"
    + "p = partial(p, 1) if x else partial(p, 2)\n" * 40
    + "p()\n",
    "bases of bases": "class K0: pass\nclass L0: pass\n"
    + "".join(f"class K{i + 1}(K{i}, L{i}): pass\nclass L{i + 1}(K{i}, L{i}): pass\n" for i in range(40))
    + "K40.missing\n",
    "a long dict": "d = {" + "".join(f"'k{i}': {i}, " for i in range(20_000)) + "}\n",
    "many names and many branches": "".join(f"n{i} = {i}\n" for i in range(3000))
    + "if x:\n    y = 1\n" * 3000,
    "a long elif": "if x == 0:\n    y = 0\n" + "".join(f"elif x == {i}:\n    y = {i}\n" for i in range(2000)),
}


@pytest.mark.parametrize("name", BUSY)
def test_a_source_cannot_keep_the_scanner_busy(name: str) -> None:
    """The steps grow with the text, not with what it could be unfolded to; and the rest is still read."""
    source = f"import openai\n{BUSY[name]}openai.Image.create(prompt='x')\n"
    walker = after(source)
    assert walker.nodes < 60 * len(source) + 100_000
    found = scan_source(source, "a.py", today=TODAY)
    assert [one.line for one in found if one.kind == "retired"] == [source.count("\n")]


def test_a_source_has_so_many_steps_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are used up, calls are no longer followed, and each function is still read once."""
    monkeypatch.setattr("dalle2._doctor._scan._functions.MOST_NODES", 0)
    found = scan_source(
        "import openai\ndef draw(size):\n    openai.Image.create(prompt='x', size=size)\n"
        + "draw('256x256')\n" * 50
        + "openai.Image.create()",
        "a.py",
        today=TODAY,
    )
    assert [one.line for one in found] == [3, 54]
    assert "256x256" not in found[0].change


# Sources that cannot be followed


def test_one_line_too_deep_to_follow_hides_no_other() -> None:
    """Neither in the module nor in a function."""
    deep = " + ".join(["1"] * 900)
    found = scan_source(
        f"import openai\nopenai.Image.create(prompt='x')\nx = {deep}\n"
        f"def f():\n    openai.Image.create(prompt='x')\n    return {deep}\n"
        "openai.Image.create(prompt='x')\n",
        "a.py",
        today=TODAY,
    )
    assert [(one.line, one.kind) for one in found] == [
        (2, "retired"),
        (3, "unclear"),
        (4, "unclear"),
        (5, "retired"),
        (7, "retired"),
    ]
    assert found[1].problem == "not understood: it is nested too deeply to be followed"


@pytest.mark.parametrize(
    "annotation",
    [
        "'a\\0b'",
        "'('",
        "'\\ud800'",
        "'" + "(" * 400 + "'",
        "'" + "[" * 90 + "]" * 90 + "'",
        "'" + "-" * 400 + "1'",
        "'" + "Optional[" * 60 + "int" + "]" * 60 + "'",
        "'x' * 10**9",
        "'x + ' * 3",
        "'\"\\'OpenAI\\'\"'",
        "1 / 0",
        "lambda: 1",
        "f'{1}'",
        "'0777'",
        "'\"\\\\d\" is 1'",
    ],
)
def test_an_annotation_that_cannot_be_read_is_none(annotation: str) -> None:
    """It hides nothing, and warns nobody."""
    found = scan_source(
        f"import openai\ndef f(a: {annotation}) -> {annotation}:\n    x: {annotation} = a\n"
        "    openai.Image.create(prompt='x')\nf(1)\n",
        "a.py",
        today=TODAY,
    )
    assert [(one.line, one.kind) for one in found] == [(4, "retired")]


@pytest.mark.parametrize("address", ["http://[", "http://[::1", "//", "\\ud800", "ht tp://\\0"])
def test_an_address_that_cannot_be_read_is_not_known(address: str) -> None:
    """What the client would say to it is not the scanner's business."""
    source = (
        f"import openai\nopenai.api_base = '{address}'\nopenai.Image.create(prompt='x')\n"
        f"openai.OpenAI(base_url='{address}').images.generate(prompt='x')\n"
        f"requests.post('{address}/images/generations', json={{'prompt': 'x'}})\n"
    )
    found = scan_source(source, "a.py", today=TODAY)
    assert {one.kind for one in found} <= {"host"}
    assert len(found) == 3


# The whole, as a user starts it


def test_the_command_takes_little_memory_for_a_text_that_would_be_large(tmp_path: Path) -> None:
    """Two hundred bytes that stand for a gigabyte are scanned within the memory of a small machine."""
    (tmp_path / "a.py").write_text(CALL + "a = 'x' * 10**9\nb = 'dall-e-2'\n" + "b += b\n" * 40)
    program = textwrap.dedent(
        """
        import sys, tracemalloc
        from dalle2._cli import main
        tracemalloc.start()
        status = main(["doctor", sys.argv[1]])
        assert tracemalloc.get_traced_memory()[1] < 100_000_000, "more than 100 MB"
        sys.exit(status)
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (1, "1 to change in 1 file\n")
