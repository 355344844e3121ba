"""`dalle2 serve`: the emulator for other programs, with the options that it has in Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import dalle2
from dalle2._cli import main
from dalle2.testing import Emulator

from .shell import command, failure


def test_serve_answers_until_it_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dalle2 serve` prints its base URL once it is ready, takes one key only, and ends well on SIGTERM."""
    reading, writing = os.pipe()
    answers: list[object] = []

    def use() -> None:
        try:
            with open(reading, encoding="utf-8") as lines:
                base_url = lines.readline().strip()
            with dalle2.Client("sk-mine", base_url=base_url) as client:
                answers.append(client.generate("a corgi", size="256x256")[0].read()[:4])
            with dalle2.Client("sk-test", base_url=base_url) as client:
                client.generate("a corgi")
        except dalle2.AuthenticationError as error:
            answers.append(error.status_code)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    user = threading.Thread(target=use)
    with open(writing, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        user.start()
        assert main(["serve", "--port", "0", "--api-key", "sk-mine"]) == 0
    user.join()
    assert answers == [b"\x89PNG", 401]


def test_a_port_that_is_taken_is_one_line(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is told as the system tells it."""
    port = os.environ["OPENAI_BASE_URL"].rpartition(":")[2].partition("/")[0]
    assert main(["serve", "--port", port]) == 1
    assert "in use" in failure(capsys)


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """The base URL of a `dalle2 serve` in a process of its own, which ends well on SIGTERM."""
    process = subprocess.Popen(command("serve", "--port", "0", *words), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_another_host_on_another_day() -> None:
    """`--persona` chooses whom it imitates, `--today` whether the retirement is over."""
    with serving("--persona", "azure", "--today", "2026-06-01") as base_url:
        assert base_url.endswith("/openai/v1")
    for day, served in (("2026-06-01", False), ("2026-01-01", True)):
        with serving("--today", day) as base_url, dalle2.Client("sk-test", base_url=base_url) as client:
            assert ("dall-e-2" in [model.id for model in client.list_models()]) is served


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ([], {}),
        (["--latency", "2.5"], {"latency": 2.5}),
        (["--persona", "cometapi"], {"persona": "cometapi"}),
    ],
)
def test_only_what_is_typed_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], given: dict[str, Any]
) -> None:
    """The emulator's own defaults stand for the rest."""
    seen: list[object] = []
    monkeypatch.setattr("dalle2.testing.Emulator", lambda **options: options)
    monkeypatch.setattr("dalle2.testing.run", lambda *args, emulator: seen.extend((*args, emulator)))
    assert main(["serve", *typed]) == 0
    assert seen == ["127.0.0.1", 8000, {"api_key": "sk-test", "keep": 1000} | given]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--persona", "nobody"], "--persona nobody"),
        (["--today", "tomorrow"], "--today"),
        (["--latency", "long"], "--latency"),
    ],
)
def test_an_option_that_the_emulator_does_not_take_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """One line that names the option, and exit status 2."""
    assert main(["serve", *words]) == 2
    assert said in failure(capsys)
