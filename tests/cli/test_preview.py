"""`--dry-run`: what would be sent and what it would cost is what is sent and what it costs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from dalle2._cli import main
from dalle2._cli._preview import price_text
from dalle2._money import Estimate
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, failure, files


@pytest.fixture
def pictures() -> None:
    """An image and a mask to send."""
    Image.new("RGBA", (64, 64), (9, 9, 9, 255)).save("dog.png")
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save("mask.png")


WORDS = [
    [*CORGI, "-n", "2", "-o", "corgi.png"],
    ["generate", "a corgi", "--model", "gpt-image-2", "--quality", "low", "-o", "corgi.png"],
    ["generate", "a corgi", "--size", "512x512", "--successor", "auto", "-o", "corgi.png"],
    ["edit", "dog.png", "a hat", "--mask", "mask.png", "-n", "3", "-o", "corgi.png"],
    ["edit", "dog.png", "a hat", "--mask-box", "0,0,32,32", "-o", "corgi.png"],
    ["vary", "dog.png", "--response-format", "b64_json", "-o", "corgi.png"],
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: " ".join(words)[:40])
def test_what_is_announced_is_what_is_sent(
    emulator: Emulator, pictures: None, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """A dry run sends nothing; the run after it sends, changes, bills and saves what was announced."""
    assert main([*words, "--dry-run", "--json"]) == 0
    announced = json.loads(capsys.readouterr().out)
    assert emulator.requests == []
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (billed,) = emulator.billed
    told = announced["request"]
    assert (told["model"], told.get("n", 1)) == (billed.model, billed.n)
    assert told.get("prompt") in (billed.prompt, None)
    assert told.get("size", billed.size) == billed.size
    assert announced["adaptations"] == document["adaptations"]
    assert announced["cost_is_rough"] or announced["cost"] == document["cost"]
    assert announced["cost_source"]
    paths = [image["path"] for image in document["images"]]
    assert [image["path"] for image in announced["images"]] == paths
    posted = next(request for request in emulator.requests if request.method == "POST")
    assert announced["url"].endswith(posted.path)
    assert announced["method"] == "POST"


def test_a_dry_run_can_be_read(
    emulator: Emulator, directory: Path, pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Method and URL, each parameter, the images by what they are, the price and the place."""
    assert main(["edit", "dog.png", "a hat", "--mask", "mask.png", "-n", "2", "--dry-run"]) == 0
    printed = capsys.readouterr()
    rows = dict(line.split(maxsplit=1) for line in printed.out.splitlines())
    assert rows.pop("would").startswith("send      POST http://127.0.0.1")
    assert rows == {
        "model": "dall-e-2",
        "prompt": "a hat",
        "n": "2",
        "image": f"image/png, 64x64, {Path('dog.png').stat().st_size} bytes",
        "mask": f"image/png, 64x64, {Path('mask.png').stat().st_size} bytes",
        "cost": "$0.04",
        "saved": "as        ./ (named after the prompt)",
    }
    assert printed.err == "dalle2: nothing was sent: this was a dry run\n"
    assert emulator.requests == []
    assert files(directory) == ["dog.png", "mask.png"]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["-o", "corgi", "-n", "2"], "corgi-1, corgi-2"),
        (["-o", "-"], "standard output"),
        (["-o", "new/"], "new/ (named after the prompt)"),
    ],
)
def test_a_dry_run_names_the_place(capsys: pytest.CaptureFixture[str], words: list[str], place: str) -> None:
    """Files by their names where these are known, else where they go."""
    assert main([*CORGI, *OFFLINE, "--dry-run", *words]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{'saved as':16}{place}"


def test_what_follows_if_the_model_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the client would put a living model in the place of dall-e-2, its name and price are told too."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert main([*CORGI, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "cost            $0.016\n" in out
    row = out.splitlines()[-1]
    assert re.fullmatch(r"if it is gone   gpt-image-\S+ in place of dall-e-2, cost about \$0\.0\d+", row)
    assert main([*CORGI, "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["request"]["model"] == "dall-e-2"
    assert document["if_model_is_gone"]["request"]["model"].startswith("gpt-image-")
    assert document["if_model_is_gone"]["cost_is_rough"] is True
    for words in (["--model", "dall-e-2"], ["--successor", "none"], ["--model", "gpt-image-2"]):
        assert main(["generate", "a corgi", "--dry-run", "--json", *words]) == 0
        assert json.loads(capsys.readouterr().out)["if_model_is_gone"] is None


def test_a_change_for_a_successor_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What would be sent in place of what was asked for, and why."""
    assert main(["generate", "a corgi", "--successor", "gpt-image-2", *OFFLINE, "--dry-run"]) == 0
    assert "changed         --model dall-e-2 is sent as 'gpt-image-2'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([*CORGI, "-n", "11", *OFFLINE], 2),
        ([*CORGI, "-o", "missing/corgi.png", *OFFLINE], 1),
        (["vary", "missing.png", *OFFLINE], 1),
        (CORGI, 1),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int
) -> None:
    """Bad input, a bad place, a missing file or key: the same line and status as without `--dry-run`."""
    assert main([*words, "--dry-run"]) == status
    dry = failure(capsys)
    assert main(words) == status
    assert failure(capsys) == dry


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.02, "$0.02"),
        (0.4, "$0.40"),
        (12.0, "$12.00"),
        (0.0125, "$0.0125"),
        (0.013, "about $0.013"),
        (0.2678, "about $0.27"),
        (0.00841, "about $0.0084"),
        (None, "not known beforehand"),
    ],
)
def test_a_price_is_told_as_people_do(usd: float | None, text: str) -> None:
    """At least two decimals, at most four, and "about" before a rough one."""
    estimate = None if usd is None else Estimate(usd, rough="about" in text)
    assert price_text(estimate) == text
