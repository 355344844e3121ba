"""`dalle2 bulk submit` and `collect`: the plan at half the price, what is out, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalle2 import bulk
from dalle2._cli import main
from dalle2.bulk import _batch_rules
from dalle2.testing import Emulator

SUBMIT = ["bulk", "submit", "rows.csv", "--prompt", "a fox", "--id", "sku", "--size", "816x816"]
SUBMIT += ["--quality", "low", "--model", "gpt-image-2", "--journal", "pics.db"]
COLLECT = ["bulk", "collect", "pics.db", "--out", "pics"]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file of rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("sku,title\ns1,one\ns2,two\ns3,three\n")
    return tmp_path


def test_without_a_yes_there_is_only_the_plan(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], directory: Path
) -> None:
    """At half the price, which is rough; nothing is sent, and nothing is left."""
    assert main([*SUBMIT, "--budget", "1", "--max-images", "5"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "3 calls for 3 images",
        "price: about $0.01 at half the list price",
        "limit: $1.00 in all, of which $0.00 are spent",
        "limit: 5 images in all, of which 0 are made",
        "time: up to a day, in batches",
        "columns sent: none",
        "columns not sent: sku, title",
        "first prompt: a fox",
        "journal: pics.db",
        "dalle2: nothing was sent: add --yes to go on with this plan",
    ]
    assert not emulator.requests
    assert [path.name for path in directory.iterdir()] == ["rows.csv"]


def test_what_is_handed_over_is_told_and_brought_back(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], directory: Path
) -> None:
    """With the way on; the same commands again do nothing."""
    assert main([*SUBMIT, "--yes"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:4] == [
        "done       0 of 3",
        "remaining  3",
        "in batches 3 of these",
        "spent      $0.00",
    ]
    assert out.splitlines()[4].startswith("batch 1    batch_")
    assert out.endswith(": validating, 3 of 3 waiting\n")
    assert err.endswith("bring the pictures with: dalle2 bulk collect pics.db --out DIR\n")
    assert main(["bulk", "status", "pics.db", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["batched"] == 3
    assert main(["bulk", "status", "pics.db"]) == 0
    assert "batch 1    batch_" in capsys.readouterr().out
    assert main(COLLECT) == 0
    assert capsys.readouterr().out == "done       3 of 3\nspent      $0.01\n"
    assert {path.name for path in (directory / "pics").iterdir()} == {f"s{n}-1.png" for n in (1, 2, 3)}
    assert main([*SUBMIT[:-2], "--out", "pics"]) == 0  # the journal beside it is the same
    assert main(SUBMIT) == main(COLLECT) == main([*COLLECT[:-2], "--concurrency", "2"]) == 0
    assert len(emulator.billed) == 3


def test_what_is_left_is_one_line(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """After each command, with the way on."""
    assert main([*SUBMIT, "--yes", "--max-images", "2"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "dalle2: 2 of 3 in batches, 1 not handed over (the budget is reached); go on with the same command "
        "and a higher limit"
    )
    assert main(COLLECT) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "dalle2: 2 of 3 done, 1 remaining; hand them over again with the command that did, or make them "
        "with: dalle2 bulk resume pics.db"
    )
    emulator.fail_next(401, code="invalid_api_key")
    assert main([*SUBMIT, "--yes"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "2 of 3 done, 1 remaining; go on with the same command" in last
    emulator.end_batch_next(missing=1)
    assert main([*SUBMIT, "--yes"]) == 0
    assert main(COLLECT) == 1
    assert "1 held (which may have cost $0.00); look at them with" in capsys.readouterr().err.splitlines()[-1]
    assert main(["bulk", "status", "pics.db"]) == 0
    out = capsys.readouterr().out
    assert (out.count("batch"), ": 1 spoken of by no line, 0 of 1 waiting" in out) == (2, True)


def test_what_is_under_way_is_not_waited_for_longer_than_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1, and the command that goes on."""
    monkeypatch.setattr(_batch_rules, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    emulator = Emulator(batch_latency=60)
    with emulator.serve() as server:
        assert main([*SUBMIT, "--yes", "--base-url", server.base_url]) == 0
        assert main([*COLLECT, "--wait", "0"]) == 1
        assert capsys.readouterr().err.splitlines()[-1] == (
            "dalle2: 0 of 3 done, 3 remaining (batches are still under way: collect again); "
            "go on with: dalle2 bulk collect pics.db"
        )
        emulator.clock.advance(60)
        assert main([*COLLECT, "--wait", "60"]) == 0
    assert bulk.status("pics.db").done == 3


def test_what_cannot_be_is_told_before_anything_is_sent(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], directory: Path
) -> None:
    """In the words of the command line; no journal is left behind."""
    plain = [
        word
        for word in SUBMIT
        if word not in ("--model", "gpt-image-2", "--quality", "low", "816x816", "--size")
    ]
    assert main([*plain, "--yes"]) == 2
    assert "dall-e-2 was never made in batches: use --model gpt-image-2" in capsys.readouterr().err
    assert main([*SUBMIT, "--model", "mine", "--force", "--yes"]) == 2
    assert "say --max-images NUMBER" in capsys.readouterr().err
    assert main([*SUBMIT[:-2], "--yes"]) == 2
    assert "say --journal FILE, or --out DIR" in capsys.readouterr().err
    assert main([*SUBMIT[:-2], "--out", "new", "--base-url", "http://127.0.0.1:9/v1", "--yes"]) == 1
    assert "pictures: new, journal: new.db" in capsys.readouterr().err
    (directory / "new.db").unlink()
    (directory / "new.db.lock").unlink()
    assert main([*SUBMIT, "--provider", "emulator", "--yes"]) == 2
    assert "start one with dalle2 serve" in capsys.readouterr().err
    assert main(COLLECT) == 1
    assert "pics.db" in capsys.readouterr().err
    assert not emulator.requests
    assert [path.name for path in directory.iterdir()] == ["rows.csv"]
