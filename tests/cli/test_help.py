"""What a newcomer meets first: help by example, completion, `python -m`, and a command that starts fast."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

import dalle2
from dalle2._cli import _typed, main
from dalle2._cli._screen import say
from dalle2._cli._typed import COMMANDS

from .shell import failure, run


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_the_command_alone_is_help(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """All commands, examples, and the variables that are read; exit status 0."""
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for word in (*COMMANDS, "Examples:", "OPENAI_API_KEY", "COMETAPI_KEY", "DALLE2_PROVIDER", "DALLE2_MODEL",
                 "DALLE2_SUCCESSOR", "OPENAI_BASE_URL", "Exit status"):  # fmt: skip
        assert word in printed.out


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(capsys: pytest.CaptureFixture[str], name: str, flag: str) -> None:
    """Help goes to stdout and ends with 0."""
    assert main([name, flag]) == 0
    printed = capsys.readouterr()
    assert f"dalle2 {name}" in printed.out
    assert printed.err == ""


def test_a_group_alone_is_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that holds others shows them, with status 0; the others are run by their names."""
    group = typer.Typer(help="Many of them.")

    @group.command()
    def status(name: str) -> None:
        """Where it stands."""
        say(f"status of {name}")

    @group.command()
    def resume() -> None:
        """Go on."""

    module = ModuleType("group")
    module.group = group  # type: ignore[attr-defined]
    monkeypatch.setattr(_typed, "COMMANDS", (*COMMANDS, "group"))
    monkeypatch.setattr(_typed, "_module", lambda name: module)
    assert main(["group"]) == 0
    assert "Where it stands." in capsys.readouterr().out
    assert main(["group", "status", "x"]) == 0
    assert capsys.readouterr().out == "status of x\n"
    assert main(["group", "-h"]) == 0
    assert main(["group", "stats"]) == 2


def examples(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The command lines that the help of a command shows."""
    assert main([name, "--help"]) == 0
    lines = re.findall(r"^ *(dalle2 .*?) *(?:#.*)?$", capsys.readouterr().out, re.MULTILINE)
    return [line for line in lines if line != f"dalle2 {name} [OPTIONS]"]


@pytest.mark.parametrize("name", ["generate", "edit", "vary"])
def test_every_example_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: Path, name: str
) -> None:
    """Each example of the help can be copied as it stands, in a shell, one after another."""
    from PIL import Image

    shown = examples(name, capsys)
    assert len(shown) >= 2
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    script = bin_directory / "dalle2"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dalle2 "$@"\n')
    jq = bin_directory / "jq"
    jq.write_text("#!/bin/sh\nexec cat\n")
    for file in (script, jq):
        file.chmod(0o755)
    Image.new("RGBA", (128, 128), (9, 9, 9, 255)).save("dog.png")
    Image.new("RGBA", (128, 128), (0, 0, 0, 0)).save("mask.png")
    Path("prompt.txt").write_text("a corgi\n")
    environ = os.environ | {
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "DALLE2_PROVIDER": "emulator",
    }
    for line in shown:
        done = subprocess.run(
            ["sh", "-c", line], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (line, done.stderr)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`dalle2 --version` is the version of the package, also before another word."""
    for words in (["--version"], ["--version", "generate"]):
        assert main(words) == 0
        assert capsys.readouterr().out == f"dalle2 {dalle2.__version__}\n"


def test_without_the_extra_it_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain installation has the command too: it names what to install."""
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(["--version"]) == 1
    assert "pip install 'dalle2-sdk[cli]'" in failure(capsys)


def test_python_runs_the_package() -> None:
    """`python -m dalle2` is the command, with its exit status; importing the module runs nothing."""
    importlib.import_module("dalle2.__main__")
    wrong = run("paint")
    assert wrong.returncode == 2
    assert "No such command 'paint'" in wrong.stderr.decode()
    assert run("--version").stdout.decode() == f"dalle2 {dalle2.__version__}\n"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("dalle2 ge", {"generate"}),
        ("dalle2 generate a --quality ", {"low", "medium", "high", "auto", "standard", "hd"}),
        ("dalle2 generate a --size 2", {"256x256"}),
        ("dalle2 vary a --provider ", {"openai", "cometapi", "cometapi-responses", "emulator"}),
        ("dalle2 vary a --response-format ", {"url", "b64_json"}),
        ("dalle2 generate a --model dall", {"dall-e-2", "dall-e-3"}),
        ("dalle2 generate a --successor ", {"auto", "none", "gpt-image-2"}),
    ],
)
def test_the_shell_completes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, found: set[str]
) -> None:
    """Commands, and the values that are known, as bash asks for them."""
    monkeypatch.setenv("_DALLE2_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert main([]) == 0
    assert found <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell: str) -> None:
    """The script for the shell that runs the command."""
    done = run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0
    assert b"_DALLE2_COMPLETE" in done.stdout


def loaded_by(*words: str) -> set[str]:
    """The modules that a process has loaded at the end of a command."""
    code = "import sys; from dalle2._cli import main; main();print(' '.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def test_the_version_loads_next_to_nothing() -> None:
    """No typer, no client, and few modules of ours."""
    loaded = loaded_by("--version")
    assert not loaded & {"typer", "rich", "httpx", "attr", "asyncio", "dalle2._client"}
    assert len([name for name in loaded if name.startswith("dalle2")]) <= 4


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("generate", " ", "--provider", "emulator"), {"rich", "dalle2._doctor", "dalle2._cli._diagnose"}),
        (("generate",), {"rich", "httpx", "dalle2._client", "dalle2._cli._serve", "dalle2._cli._preview"}),
        (("serve", "--port", "x"), {"rich", "httpx", "dalle2._client", "dalle2._cli._paint"}),
        (("models", "--provider", "emulator"), {"rich", "dalle2._cli._paint", "dalle2._requests._values"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_loads_what_it_uses(words: tuple[str, ...], unused: set[str]) -> None:
    """A command that does not need another's files, the spinner or a client does not load them."""
    assert not loaded_by(*words) & unused
