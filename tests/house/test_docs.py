"""The README and every page of docs, run as written against the emulator in an empty directory.

Python blocks of a page share one namespace, from top to bottom; `await` may stand at the top of a block.
Of a console block each `dalle2` command is run (but `serve`, which does not end), and its output compared
with the lines below it, where `...` stands for anything. The environment holds keys and base URLs of a server
on loopback, so that a page needs nothing that a reader would not type.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

import dalle2
from dalle2._cli import main
from dalle2.testing import Emulator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN_ONLY = {"py", "text", "toml", "json", "sh", "ini", "yaml", "javascript", "http", "diff"}


def run_python(example: Example) -> None:
    """Run one block; a block with `await` at its top level gets an event loop of its own."""
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
    code = compile(source, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(code, example.namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def run_console(example: Example) -> str | None:
    """Run each `dalle2` command of one block; `None` if each printed what the page says."""
    for command, expected in re.findall(
        r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n?)*)", example.parsed, re.MULTILINE
    ):
        for part in command.split("&&"):
            words = shlex.split(part)
            if words[:1] != ["dalle2"] or words[1:2] == ["serve"]:
                continue
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                status = main(words[1:])
            if status != 0:
                return f"{part}: exit status {status}: {out.getvalue()}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            if expected.strip() and not doctest.OutputChecker().check_output(expected, out.getvalue(), flags):
                return f"{part} printed:\n{out.getvalue()}"
    return None


SYBIL = Sybil([CodeBlockParser("python", run_python), CodeBlockParser("console", run_console)])


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a reader has: an empty directory, and keys that work (here, on a server on loopback)."""
    monkeypatch.chdir(tmp_path)
    with Emulator().serve() as server:
        for name in ("OPENAI", "COMETAPI"):
            monkeypatch.setenv(f"{name}_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("COMETAPI_KEY", "sk-test")
        yield tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_works(page: Path, reader: Path) -> None:
    """What a page shows can be copied and works."""
    document = SYBIL.parse(page)
    for example in document.examples():
        example.evaluate()
    for value in document.namespace.values():
        if isinstance(value, dalle2.Client):
            value.close()  # a script would end here
    dalle2.compat.reset()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_escapes_by_its_language(page: Path) -> None:
    """Each fenced block is run, or is in a language that holds nothing to run."""
    fences = re.findall(r"^```+ *(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= SHOWN_ONLY | {"python", "console"}


def test_the_two_commands_of_the_readme_are_there() -> None:
    """The README opens with what takes a newcomer to a picture, and a developer to green checks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install '.[cli]'" in text
    assert 'dalle2 generate "a corgi astronaut" --provider emulator -o corgi.png' in text
    assert "python -m pip install nox && nox" in text


HOME = "https://github.com/dalle2-sdk/dalle2/blob/main/"
RAW = "https://raw.githubusercontent.com/dalle2-sdk/dalle2/main/"


def test_links_between_pages_lead_somewhere() -> None:
    """A link of a page to a file of ours names one that exists; the README's are whole, for the index."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if target.startswith((HOME, RAW)):
                assert (ROOT / target.removeprefix(HOME).removeprefix(RAW)).exists(), target
            elif not target.startswith(("http://", "https://", "mailto:")):
                assert page.name != "README.md", f"{target} breaks on the package index"
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
