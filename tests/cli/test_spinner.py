"""What a terminal shows while a command waits, and that nothing else ever sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dalle2
from dalle2 import events
from dalle2._cli import main
from dalle2._cli._spinner import Progress
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, Held, command, files, run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "operation": "generate", "model": "dall-e-2", "host": "api.example.com", "idempotency_key": None,
    "paid": True, "at": NOW,
}  # fmt: skip


def test_the_line_tells_seconds_host_and_what_is_tried_again() -> None:
    """From the first attempt over a rate limit to the last image fetched."""
    seconds = [0.0]
    progress = Progress(lambda: seconds[0])
    assert progress.line() == "painting 0 s"
    progress.listen(events.AttemptStarted(**FACTS, attempt=1))
    seconds[0] = 3.2
    assert progress.line() == "painting 3 s · dall-e-2 at api.example.com"
    error = dalle2.RateLimitError("Too many requests: wait, or send fewer at once", status_code=429)
    progress.listen(events.AttemptFailed(**FACTS, attempt=1, error=error))
    progress.listen(events.Waiting(**FACTS, attempt=1, seconds=5.0))
    seconds[0] = 4.2
    assert progress.line() == (
        "painting 4 s · dall-e-2 at api.example.com · next attempt in 4 s · before: 429 Too many requests"
    )
    seconds[0] = 9.9
    assert "next attempt in 0 s" in progress.line()
    progress.listen(events.AttemptStarted(**FACTS, attempt=2))
    assert progress.line() == (
        "painting 10 s · dall-e-2 at api.example.com, attempt 2 · before: 429 Too many requests"
    )
    progress.listen(events.CallSucceeded(**FACTS, attempt=2, images=2, usd=None, request_id=None))
    progress.saving(2)
    assert progress.line() == "saving 10 s · 0 of 2 fetched"
    progress.listen(events.ImageFetched(host="images.example.com", size=1, attempts=1, at=NOW))
    assert progress.line() == "saving 10 s · 1 of 2 fetched"


def test_no_host_writes_on_the_terminal() -> None:
    """Names and messages come from outside: what acts is spelled out, and a long one is cut."""
    progress = Progress(lambda: 0.0)
    progress.listen(events.AttemptStarted(**FACTS | {"host": "\x1b[31m\u202e"}, attempt=1))
    error = dalle2.APIConnectionError("\x1b]0;" + "x" * 200)
    progress.listen(events.AttemptFailed(**FACTS, attempt=1, error=error))
    line = progress.line()
    assert line.isprintable() and r"\x1b[31m\u202e" in line
    assert len(line) < 140


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stderr be a terminal that can move its cursor."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_a_terminal_sees_a_spinner(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal stderr says what is going on, and stdout still holds the paths only."""
    on_terminal(monkeypatch)
    assert main([*CORGI, *OFFLINE, "-o", "corgi.png"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "corgi.png\n"
    assert "painting" in printed.err


def test_a_narrow_terminal_sees_one_line(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that wrapped would stay on the screen: it is cut to the width."""
    on_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20")
    emulator.fail_next(429, retry_after=0)
    assert main([*CORGI, "-o", "corgi.png"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "corgi.png\n"
    assert "at 127" not in printed.err


def test_a_terminal_without_unicode_sees_ascii(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The turning mark is one that every terminal has."""
    on_terminal(monkeypatch)
    monkeypatch.setattr("rich.console.Console.encoding", "ascii")
    assert main([*CORGI, *OFFLINE, "-o", "corgi.png"]) == 0
    error = capsys.readouterr().err
    assert "painting" in error
    assert "⠋" not in error


def test_a_warning_beside_a_spinner_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said while the spinner turns stands above it, on a line of its own."""
    on_terminal(monkeypatch)
    generate = dalle2.Client.generate

    def warned(*args: Any, **options: Any) -> dalle2.Images:
        import warnings

        warnings.warn("the model ends soon", dalle2.ModelRetirementWarning, stacklevel=2)
        return generate(*args, **options)

    monkeypatch.setattr(dalle2.Client, "generate", warned)
    assert main([*CORGI, *OFFLINE, "-o", "corgi.png"]) == 0
    assert "dalle2: warning: the model ends soon\n" in capsys.readouterr().err


def test_a_terminal_that_goes_away_is_no_failure(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection, a closed window: the call goes on, the image is saved, and its path is told."""
    held = Held("POST")
    with held.serve() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            command(*CORGI, "-o", "corgi.png"),
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
        )
        os.close(theirs)
        assert held.asked.wait(30)
        seen = b""
        while b"painting" not in seen:
            seen += os.read(ours, 1000)
        os.close(ours)
        held.let_go.set()
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"corgi.png\n")
    assert files(directory) == ["corgi.png"]


def test_a_pipe_sees_nothing() -> None:
    """Neither a spinner nor a colour, also where the environment asks for colours."""
    done = run(*CORGI, *OFFLINE, "-o", "corgi.png", FORCE_COLOR="1", TERM="xterm-256color")
    assert (done.stdout, done.stderr) == (b"corgi.png\n", b"")
