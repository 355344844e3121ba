"""What is read without typer is read as typer would; all else is left to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._cli import _paint, main
from dalle2._cli._options import Option
from dalle2._cli._plainly import read
from dalle2._cli._typed import with_options

from .test_help import loaded_by

COMMANDS = ("generate", "edit", "vary")
NAMES = sorted(
    {
        name
        for command in COMMANDS
        for hint in get_type_hints(getattr(_paint, command), include_extras=True).values()
        for told in getattr(hint, "__metadata__", ())
        if isinstance(told, Option)
        for name in told.names
    }
)
VALUES = ("", "-", "--", "-x", "-1", "0", "2", "007", "1.5", "1e3", "1.", ".5", "nan", " 2", "\u0662", "1_0",
          "a fox", "a\nfox", "a=b", "\udc80", "512x512", "true")  # fmt: skip
words = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(VALUES),
    st.sampled_from(("-n2", "-n=2", "--n=2", "--size=1", "--siz", "--no-json", "-ofox.png", "-h")),
    st.text(max_size=3),
)


@cache
def typers(command: Callable[..., None]) -> Any:
    """A command as typer has it."""
    app = typer.Typer()
    app.command()(with_options(command))
    return typer.main.get_command(app)


def as_typer_reads(command: Callable[..., None], line: list[str]) -> dict[str, Any] | None:
    """The arguments that typer gives a command, `None` for a line that it refuses."""
    try:
        with typers(command).make_context("x", list(line)) as context:
            return dict(context.params)
    except (typer.TyperException, typer.Exit):
        return None


@pytest.mark.parametrize("name", COMMANDS)
@given(line=st.lists(words, max_size=6))
@example(line=["a fox", "-n", "2", "--json", "-o", "-"])
@example(line=["--timeout", "1.5", "-", "--n", "007"])
@example(line=["a.png", "a fox", "--mask-box", "1,2,3,4"])
def test_a_plain_line_means_what_typer_makes_of_it(name: str, line: list[str]) -> None:
    """Any words in any order: the same arguments of the same types, or it is typer that is asked."""
    command = getattr(_paint, name)
    plainly = read(command, line)
    if plainly is not None:
        theirs = as_typer_reads(command, line)
        assert theirs is not None
        told = {known: value for known, value in theirs.items() if value is not None and value is not False}
        assert [(known, type(value), value) for known, value in sorted(told.items())] == [
            (known, type(value), value) for known, value in sorted(plainly.items())
        ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["a fox"], {"prompt": "a fox"}),
        (["-", "-o", "-", "--n", "3"], {"prompt": "-", "output": "-", "n": 3}),
        (["--json", "a fox", "--timeout", "30"], {"prompt": "a fox", "as_json": True, "timeout": 30.0}),
        ([], None),
        (["a", "fox"], None),
        (["a fox", "--size"], None),
        (["a fox", "--size=512x512"], None),
        (["a fox", "-n", "two"], None),
        (["a fox", "-n", "2", "--n", "2"], None),
        (["a fox", "--help"], None),
        (["a fox", "--size", "-1"], None),
        (["a\x00fox"], None),
    ],
)
def test_what_is_plain_and_what_is_not(line: list[str], found: dict[str, object] | None) -> None:
    """Each word is a place's, an option's name or its value; all else is typer's."""
    assert read(_paint.generate, line) == found


def test_a_plain_line_loads_neither_typer_nor_what_it_brings() -> None:
    """They are half of what a command costs."""
    loaded = loaded_by("generate", "a fox", "--provider", "emulator", "--dry-run")
    assert not {name.partition(".")[0] for name in loaded} & {"typer", "pydantic", "rich"}


@pytest.mark.parametrize("name", ["trio", "httpx._main"])
@pytest.mark.parametrize("words", [None, ["--version"]])
def test_the_program_keeps_out_what_httpx_would_load(
    name: str, words: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """trio, and httpx's own command with click and rich; another process is left as it is."""
    monkeypatch.setattr(sys, "argv", ["dalle2", "--version"])
    for one in ("trio", "httpx._main"):
        monkeypatch.setitem(sys.modules, one, sys)
        monkeypatch.delitem(sys.modules, one)
    assert main(words) == 0
    assert (name in sys.modules) == (words is None)
