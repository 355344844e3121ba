"""`dalle2 models`: what the host lists, with the day on which each ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalle2._cli import main

LONG_KEY = "sk-proj-0123456789abcdef"
TODAY = datetime.now(UTC).date()


def test_models_shows_what_ends_when(
    host: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model a line, with the day of its end, past or to come."""
    soon = TODAY + timedelta(days=10)
    rows: list[dict[str, Any]] = [
        {"id": "short", "shutdown_date": "2020-01-01", "owned_by": "system"},
        {"id": "a-longer-name", "shutdown_date": str(soon)},
        {"id": "alive", "shutdown_date": None},
    ]
    host.say({"data": rows})
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    assert main(["models", "--base-url", host.base_url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "short          ended 2020-01-01",
        f"a-longer-name  ends {soon}",
        "alive",
    ]
    assert main(["models", "--base-url", host.base_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == [
        {"id": "short", "owned_by": "system", "shutdown_date": "2020-01-01"},
        {"id": "a-longer-name", "owned_by": None, "shutdown_date": str(soon)},
        {"id": "alive", "owned_by": None, "shutdown_date": None},
    ]


def test_a_hosts_names_do_nothing_to_a_terminal(
    host: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences, line breaks and marks that turn the direction are taken out of the text, and written
    in ASCII in JSON.
    """
    host.say({"data": [{"id": "a\x1b[2J\n\u202eb"}]})
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    assert main(["models", "--base-url", host.base_url]) == 0
    (line, end) = capsys.readouterr().out.split("\n")
    assert (line.isprintable(), end) == (True, "")
    assert main(["models", "--base-url", host.base_url, "--json"]) == 0
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text)["models"][0]["id"] == "a\x1b[2J\n\u202eb"


def test_an_empty_list_is_no_failure(
    host: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway may list nothing."""
    host.say({"data": []})
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    assert main(["models", "--base-url", host.base_url]) == 0
    assert capsys.readouterr() == ("", "")


def test_models_of_the_emulator_need_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    """A look at the list costs nothing and needs nothing."""
    assert main(["models", "--provider", "emulator"]) == 0
    assert "dall-e-2" in capsys.readouterr().out


def test_the_doctor_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Both commands explain themselves."""
    assert main(["doctor", "--help"]) == 0
    assert "retirement" in capsys.readouterr().out
    assert main(["models", "--help"]) == 0
