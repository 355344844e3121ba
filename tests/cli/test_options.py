"""What can be typed: each option arrives where it is meant to, and `-` is standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import dalle2
from dalle2._cli import main
from dalle2._cli._paint import LONGEST_PROMPT
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, failure, run


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes, encoding: str = "utf-8") -> None:
    """Let standard input hold these bytes."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding=encoding))


@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        (b"a corgi\n", "a corgi"),
        (b"a corgi\r\n", "a corgi"),
        (b"two\nlines\n", "two\nlines"),
        ("\ufeffein süßer Corgi".encode(), "ein süßer Corgi"),
        (b"  a corgi", "  a corgi"),
    ],
)
def test_a_dash_reads_the_prompt_from_standard_input(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, data: bytes, prompt: str
) -> None:
    """All of it, without the line break at its end and the mark that some editors put at its beginning."""
    type_in(monkeypatch, data)
    assert main(["generate", "-", "--size", "256x256"]) == 0
    assert [record.prompt for record in emulator.billed] == [prompt]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "PROMPT is empty"),
        (b"\xff\xfe corgi", "PROMPT on standard input is no text"),
        (b"x" * (LONGEST_PROMPT + 1), "PROMPT on standard input is longer than"),
        (b"x" * 1001, "PROMPT has 1001 characters"),
        (None, "there is no standard input"),
    ],
    ids=["empty", "binary", "endless", "long", "closed"],
)
def test_a_prompt_that_cannot_be_read_is_wrong_usage(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: bytes | None,
    said: str,
) -> None:
    """Nothing is sent, and the line says what came."""
    if data is None:
        monkeypatch.setattr(sys, "stdin", None)
    else:
        type_in(monkeypatch, data)
    assert main(["generate", "-"]) == 2
    assert said in failure(capsys)
    assert emulator.requests == []


def test_a_dash_reads_the_image_from_standard_input(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So `generate -o -` can be piped into `vary -` and `edit -`, a box to repaint included."""
    picture = io.BytesIO()
    Image.new("RGBA", (64, 64), (9, 9, 9, 255)).save(picture, format="PNG")
    for words in (["vary", "-"], ["edit", "-", "a hat", "--mask-box", "0,0,32,32"]):
        type_in(monkeypatch, picture.getvalue())
        assert main([*words, "--size", "256x256"]) == 0
    assert [record.operation for record in emulator.billed] == ["vary", "edit"]
    monkeypatch.setattr(sys, "stdin", None)
    capsys.readouterr()
    assert main(["vary", "-"]) == 2
    assert "no standard input" in failure(capsys)


def test_commands_can_be_piped_into_each_other(directory: Path) -> None:
    """As a user would type it: `dalle2 generate … -o - | dalle2 vary - -o another.png`."""
    first = run(*CORGI, *OFFLINE, "-o", "-")
    second = run("vary", "-", "--size", "256x256", *OFFLINE, "-o", "another.png", stdin=first.stdout)
    assert (second.returncode, second.stdout) == (0, b"another.png\n")


def test_a_box_is_what_an_edit_repaints(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--mask-box` sends the mask that `mask_from_box` makes."""
    Image.new("RGB", (64, 64)).save("dog.png")
    sent: dict[str, Any] = {}
    edit = dalle2.Client.edit

    def seen(client: dalle2.Client, *args: Any, **options: Any) -> dalle2.Images:
        sent.update(options)
        return edit(client, *args, **options)

    monkeypatch.setattr(dalle2.Client, "edit", seen)
    assert main(["edit", "dog.png", "a hat", "--mask-box", " 8,0, 40,32", "--size", "256x256"]) == 0
    assert sent["mask"] == dalle2.mask_from_box("dog.png", (8, 0, 40, 32))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mask-box", "1,2,3"], "--mask-box must be LEFT,TOP,RIGHT,BOTTOM"),
        (["--mask-box", "a,b,c,d"], "--mask-box must be LEFT,TOP,RIGHT,BOTTOM"),
        (["--mask-box", "0,0,999,9"], "--mask-box must be"),
        (["--mask-box", "0,0,9,9", "--mask", "m.png"], "give one of them"),
    ],
)
def test_a_box_that_is_none_is_wrong_usage(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Told by its option, before anything is sent."""
    Image.new("RGB", (64, 64)).save("dog.png")
    assert main(["edit", "dog.png", "a hat", *words]) == 2
    assert said in failure(capsys)
    assert emulator.requests == []


def test_image_and_prompt_are_not_both_read(capsys: pytest.CaptureFixture[str]) -> None:
    """There is one standard input."""
    assert main(["edit", "-", "-", *OFFLINE]) == 2
    assert "IMAGE and PROMPT" in failure(capsys)


def test_quality_reaches_the_host(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """`--quality` is sent to a model that takes it, and refused by its name for one that does not."""
    assert main(["generate", "a corgi", "--model", "gpt-image-2", "--quality", "low"]) == 0
    assert b'"quality":"low"' in emulator.requests[0].body.replace(b": ", b":")
    capsys.readouterr()
    assert main([*CORGI, "--quality", "low"]) == 2
    assert "does not take --quality" in failure(capsys)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        (["--timeout", "2.5"], {"timeout": 2.5}),
        (["--successor", "auto"], {"successor": "auto"}),
        (["--successor", "none"], {"successor": None}),
        (["--successor", "gpt-image-2"], {"successor": "gpt-image-2"}),
        ([], {}),
    ],
)
def test_what_is_typed_is_what_the_client_gets(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], given: dict[str, object]
) -> None:
    """Only what was typed is passed on, so that the environment speaks for the rest."""
    seen: dict[str, object] = {}
    start = dalle2.Client.__init__

    def watched(client: dalle2.Client, *args: Any, **options: Any) -> None:
        seen.update(options)
        start(client, *args, **options)

    monkeypatch.setattr(dalle2.Client, "__init__", watched)
    assert main([*CORGI, *OFFLINE, *typed]) == 0
    assert seen == {"provider": "emulator", "on_event": None, "http_client": None} | given


def test_the_document_tells_what_was_changed(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has cost, request id and adaptations beside the images."""
    assert main([*CORGI, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cost"] == 0.016
    assert document["request_id"].startswith("req_")
    assert document["adaptations"] == []
    assert main([*CORGI, "--json", "--successor", "gpt-image-2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == "gpt-image-2"
    assert [change["field"] for change in document["adaptations"]] == ["model", "size"]
    assert set(document["adaptations"][0]) == {"field", "asked", "sent", "reason"}
