"""Errors in the words of the command line: options for arguments, and an exit status by the error's type."""

from __future__ import annotations

import inspect
import re

import pytest

import dalle2
from dalle2._cli import _paint, main
from dalle2._cli._words import OPTIONS, WrongUsage, describe, in_own_words
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, failure


@pytest.mark.parametrize(
    ("message", "field", "told"),
    [
        ("size '3x3' is not one that dall-e-2 makes", "size", "--size '3x3' is not one that dall-e-2 makes"),
        ("n 11 is not possible: it takes 1 to 10", "n", "-n 11 is not possible: it takes 1 to 10"),
        ("it does not take quality: leave it out", "quality", "it does not take --quality: leave it out"),
        ("prompt is empty", "prompt", "PROMPT is empty"),
        ("2 images given, dall-e-2 takes one", "image", "IMAGE: 2 images given, dall-e-2 takes one"),
        ("response_format 'x' is not possible", "response_format", "--response-format 'x' is not possible"),
        ("box must be inside 64x64", "box", "--mask-box must be inside 64x64"),
        ("a field that no option sets", "user", "a field that no option sets"),
        ("use provider='cometapi'", None, "use --provider cometapi"),
        ("use provider='cometapi'", "provider", "use --provider cometapi"),
        ("use model='two words'", None, "use --model 'two words'"),
        ("use n=3, or leave it out", None, "use -n 3, or leave it out"),
        ("no model 'x' for this key: check model=", None, "no model 'x' for this key: check --model"),
        ("check model and base_url", None, "check model and --base-url"),
        ("any other host is base_url=..., or a Provider", None, "any other host is --base-url URL"),
        ("pass api_key=... or set OPENAI_API_KEY", None, "set OPENAI_API_KEY"),
        ("check api_key or OPENAI_API_KEY", None, "check OPENAI_API_KEY"),
        ("File exists (overwrite=True replaces it)", None, "File exists (--overwrite replaces it)"),
        ("run this code with Client(successor='x')", None, "run this command with --successor x"),
        ("client.send(e.request, idempotency_key=e.idempotency_key)", None, "run the command again"),
        ("(dalle2.mask_from_box(...) makes one)", None, "(--mask-box LEFT,TOP,RIGHT,BOTTOM makes one)"),
        ("https://host/v1?model=x&size=y", None, "https://host/v1?model=x&size=y"),
        ("code model_not_found, style='vivid'", None, "code model_not_found, style='vivid'"),
        ("timeout.connect must be above 0", "timeout", "--timeout must be above 0"),
        ("above 0 seconds, or None for no limit; it is 0", None, "above 0 seconds; it is 0"),
    ],
)  # fmt: skip
def test_a_message_names_options(message: str, field: str | None, told: str) -> None:
    """What Python calls an argument is an option here; what only Python has is left out."""
    assert in_own_words(message, field) == told


def test_every_option_that_a_message_names_is_there() -> None:
    """The table of names holds no option that no command has, and all those of the pictures."""
    source = inspect.getsource(_paint) + inspect.getsource(__import__("dalle2._cli._options", fromlist=["x"]))
    source += inspect.getsource(__import__("dalle2._cli._serve", fromlist=["x"]))
    for option in OPTIONS.values():
        if option not in {"--persona", "--today", "--latency"}:
            assert re.search(rf'"{option}"', source), option
    names = set(inspect.signature(_paint.edit).parameters) - {"output", "as_json", "dry_run"}
    assert names <= set(OPTIONS)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.png"), "a.png: No such file or directory"),
        (FileExistsError(17, "File exists", "a.png"), "a.png: exists already; --overwrite replaces it"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (WrongUsage("-o wants a path"), "-o wants a path"),
        (dalle2.InvalidRequestError("size is odd", field="size"), "--size is odd"),
        (dalle2.DecodeError("not an image; read() gives them as they are"), "not an image"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_error_has_its_sentence(error: Exception, told: str) -> None:
    """The disk by file and reason, ours by their message, anything else by its kind."""
    assert describe(error) == told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--provider", "opnai"], "--provider is 'opnai': known are openai"),
        (["--base-url", "htp://x"], "--base-url must be an http or https URL"),
        (["--model", " "], "--model must be a name"),
        (["--timeout", "0"], "--timeout must be above 0 seconds and at most"),
        (["--timeout", "nan"], "--timeout must be above 0 seconds"),
        (["--timeout", "soon"], "'--timeout'"),
        (["--successor", "gpt-image-1"], "--successor gpt-image-1"),
        (["--successor", ""], "--successor must be a name"),
    ],
)
def test_an_option_that_no_client_takes_is_wrong_usage(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """What was typed wrong ends with 2, by the type of the error, and is told by the option's name."""
    assert main([*CORGI, *words]) == 2
    assert said in failure(capsys)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DALLE2_PROVIDER", "opnai"),
        ("OPENAI_BASE_URL", "htp://x"),
        ("DALLE2_MODEL", "\x07"),
        ("OPENAI_API_KEY", "sk with space"),
    ],
)
def test_a_variable_that_is_wrong_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    """The same mistakes in the environment end with 1 and name the variable: nothing was typed wrong."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv(variable, value)
    assert main(CORGI) == 1
    assert variable in failure(capsys)


def test_how_a_message_begins_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration that fails later is a failure, whatever its first word is."""

    def broken(*args: object, **options: object) -> None:
        raise dalle2.ConfigurationError("model weights need an extra")

    monkeypatch.setattr(dalle2.Client, "generate", broken)
    assert main([*CORGI, *OFFLINE]) == 1
    assert failure(capsys) == "dalle2: model weights need an extra\n"


@pytest.mark.parametrize(
    ("words", "path"), [(["generate", "--colour"], "dalle2 generate"), (["--colour"], "dalle2")]
)
def test_wrong_usage_names_the_help_to_read(
    capsys: pytest.CaptureFixture[str], words: list[str], path: str
) -> None:
    """The line ends with the command whose help says more."""
    assert main(words) == 2
    assert failure(capsys).endswith(f"(see: {path} --help)\n")


def test_all_commands_keep_their_promise_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command that fails on its words says so in one line of stderr."""
    for words in (["models", "--provider", "x"], ["vary"], ["edit", "a.png"], ["doctor", "missing.py"]):
        assert main(words) in (1, 2)
        failure(capsys)


PYTHON = re.compile(r"\w=(?!\d)|\b(?:Client|Provider|error|client)\b[.(]|(?<![-\w])[a-z]+_(?!error)[a-z_]+\b")
"""What only a programmer reads: keyword arguments, calls, names with an underscore."""
CODE = re.compile(r"code \w+")  # the host's own word


def bad_words() -> list[list[str]]:
    """Command lines that are refused, or that the host answers with no."""
    values = {
        "-n": ["0", "-1", "11", "99999999999"],
        "--size": ["", " ", "300x300", "1x1", "x"],
        "--quality": ["", "hd", "best"],
        "--response-format": ["", "png"],
        "--model": ["", "dall-e-9", "gpt-image-2", "dall-e-3"],
        "--provider": ["", "nobody", "cometapi", "cometapi-responses"],
        "--base-url": ["", "x", "http://user:pass@host/v1", "http://127.0.0.1:1/v1"],
        "--successor": ["", "dall-e-3", "gpt-image-1"],
        "--timeout": ["-1", "inf", "1e400"],
    }
    pairs = [[option, value] for option, given in values.items() for value in given]
    models = ["dall-e-2", "dall-e-3", "gpt-image-2"]
    return [
        ["generate", "a corgi", "--dry-run", *pair, *more]
        for pair in pairs
        for more in ([], *(["--model", model] for model in models if pair[0] != "--model"))
    ]


def test_no_message_speaks_python(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every wrong value of every option, over three models: what is told can be typed."""
    told = set()
    for words in bad_words():
        main(words)
        told.update(line for line in capsys.readouterr().err.splitlines() if "dry run" not in line)
    assert len(told) > 30
    assert [line for line in told if PYTHON.search(line)] == []


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 500, 502, 503, 504])
def test_no_answer_is_told_in_python(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """What the library says of a host's no names options and variables, and the way on is a command."""
    emulator.fail_next(status, retry_after=0, times=9)
    assert main(CORGI) == 1
    assert not PYTHON.search(CODE.sub("", failure(capsys)))


def test_a_lost_answer_is_told_with_a_way_on(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """After an unknown outcome: run the command again, if a second bill is acceptable."""
    emulator.lose_next()
    assert main(CORGI) == 1
    told = failure(capsys)
    assert "run the command again" in told
    assert not PYTHON.search(told)
