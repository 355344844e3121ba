"""`dalle2 bulk`: the plan before anything is spent, the run, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dalle2 import bulk
from dalle2._cli import main
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

RUN = [
    "bulk",
    "run",
    "rows.csv",
    "--prompt",
    "Photo of {title}",
    "--id",
    "sku",
    "--size",
    "256x256",
    "--out",
    "pics",
]
ROWS = "sku,title,price\n" + "".join(f"s{number},fox {number},9\n" for number in range(6))


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file of rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path


def test_without_a_yes_there_is_only_the_plan(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], directory: Path
) -> None:
    """With rows, images, price, columns and the first prompt; nothing is sent and nothing is left."""
    assert main([*RUN, "--images-per-minute", "2", "--budget", "5", "--max-images", "50"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "6 calls for 6 images",
        "price: $0.10 at list price",
        "limit: $5.00 in all, of which $0.00 are spent",
        "limit: 50 images in all, of which 0 are made",
        "time: at least 3 min at 2 images a minute",
        "columns sent: title",
        "columns not sent: sku, price",
        "first prompt: Photo of fox 0",
        "pictures: pics, journal: pics.db",
        "dalle2: nothing was sent: add --yes to go on with this plan",
    ]
    assert emulator.requests == []
    assert [path.name for path in directory.iterdir()] == ["rows.csv"]


def test_with_a_yes_it_runs_and_goes_on(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command again, and `resume`, find nothing to do."""
    assert main([*RUN, "--yes"]) == 0
    assert capsys.readouterr().out.splitlines() == ["done       6 of 6", "spent      $0.10"]
    assert len(list(Path("pics").iterdir())) == len(emulator.billed) == 6
    assert main(RUN) == 0
    assert main(["bulk", "resume", "pics.db"]) == 0
    assert len(emulator.billed) == 6
    capsys.readouterr()
    assert main(["bulk", "export", "pics.db"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (len(rows), rows[0]["paths"], rows[0]["price"]) == (6, ["pics/s0-1.png"], "9")
    assert main(["bulk", "status", "pics.db", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 6


def test_a_person_is_asked(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal; a no sends nothing."""
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *words, **more: False)
    assert main(RUN) == 2
    assert "nothing was sent" in capsys.readouterr().err
    monkeypatch.setattr("typer.confirm", lambda *words, **more: True)
    assert main(RUN) == 0
    assert len(emulator.billed) == 6


def test_what_is_left_is_one_line(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit status is 1: a refusal, a lost answer, a budget that is reached."""
    emulator.fail_next(400, code="moderation_blocked")
    emulator.lose_next()
    assert main([*RUN, "--yes", "--concurrency", "1"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "dalle2: 4 of 6 done, 1 refused, 1 held (which may have cost $0.02); "
        "look at them with: dalle2 bulk export pics.db"
    )
    assert main(["bulk", "status", "pics.db"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "done       4 of 6",
        "refused    1",
        "held       1",
        "spent      $0.06",
        "held       may have cost $0.02",
    ]
    assert main(["bulk", "release", "pics.db", "s1"]) == 2
    assert "may be paid for twice" in capsys.readouterr().err
    assert main(["bulk", "release", "pics.db", "s0", "--yes"]) == 2
    assert "is not held: it is refused" in capsys.readouterr().err
    assert main(["bulk", "release", "pics.db", "s1", "--yes", "--concurrency", "2"]) == 1
    assert bulk.status("pics.db").done == 5


def test_a_budget_holds_for_the_runs_that_follow(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """`resume` needs not be told again."""
    assert main([*RUN, "--yes", "--budget", "0.05"]) == 1
    assert "3 of 6 done, 3 remaining (the budget is reached); go on with: dalle2 bulk resume pics.db" in (
        capsys.readouterr().err
    )
    assert main(["bulk", "resume", "pics.db", "--yes"]) == 1
    assert len(emulator.billed) == 3
    assert main([*RUN, "--yes", "--max-images", "4"]) == 1
    assert len(emulator.billed) == 4


def test_an_error_that_stops_the_run_tells_what_remains(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, with the way to go on; an error before the run is its own line."""
    emulator.fail_next(429, code="insufficient_quota", times=9)
    assert main([*RUN, "--yes", "--concurrency", "1"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "quota" in last and "0 of 6 done, 6 remaining" in last and "dalle2 bulk resume pics.db" in last
    assert main(["bulk", "resume", "none.db"]) == 1
    assert main(["bulk", "status", "none.db"]) == 1
    assert main([*RUN, "--concurrency", "0"]) == 2
    assert main([*RUN, "--prompt", "{titel}"]) == 2
    assert main([*RUN, "--journal", "rows.csv", "--yes"]) == 1
    assert main([*RUN[:-1], "s3://bucket/pics"]) == 2
    assert main([*RUN[:-1], "..", "--yes", "--journal", "x.db", "--name", "x"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_model_without_a_price_needs_a_limit_on_images(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could tell what the plan costs."""
    assert main([*RUN, "--yes", "--model", "my-own-model"]) == 2
    assert "say --max-images NUMBER" in capsys.readouterr().err
    assert main([*RUN, "--model", "my-own-model", "--max-images", "5"]) == 2
    assert "and 6 calls whose price is not known" in capsys.readouterr().err
    assert main([*RUN, "--model", "gpt-image-2", "--quality", "low", "--size", "1024x1024"]) == 2
    assert "price: about $" in capsys.readouterr().err


def test_resume_calls_whom_the_run_called(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another host is named."""
    assert main([*RUN, "--yes", "--provider", "emulator", "--max-images", "2"]) == 1
    assert emulator.requests == []
    assert main([*RUN, "--yes", "--provider", "emulator", "--max-images", "3"]) == 1
    assert main(["bulk", "resume", "pics.db", "--yes"]) == 1
    assert bulk.status("pics.db").done == 3
    with Emulator().serve() as other:
        assert main(["bulk", "release", "pics.db", "--yes", "--base-url", other.base_url]) == 1


class Watched(Emulator):
    """An emulator that tells when it was asked twice, and holds each answer for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        answer = super().handle(request)
        if len(self.billed) == 2:
            self.asked.set()
        if request.method == "POST":
            threading.Event().wait(0.3)
        return answer


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_it_finish_and_tells_the_way_on(number: int, status: int) -> None:
    """What is under way is recorded, and nothing is held."""
    emulator = Watched()
    with emulator.serve() as server:
        env = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url}
        with subprocess.Popen(
            [sys.executable, "-m", "dalle2", *RUN, "--yes", "--concurrency", "2"],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert emulator.asked.wait(60)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "go on with: dalle2 bulk resume pics.db" in err.splitlines()[-1]
    report = bulk.status("pics.db")
    assert (report.held, report.done) == (0, len(emulator.billed))
    assert report.remaining > 0


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(143), 143, "ended by SIGTERM"),
        (LookupError("odd"), 1, "LookupError: odd"),
    ],
)
def test_however_a_run_ends_there_is_one_line(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: BaseException,
    status: int,
    told: str,
) -> None:
    """And no traceback."""

    def run_with(*values: object, **more: object) -> None:
        raise end

    monkeypatch.setattr("dalle2.bulk._run.run_with", run_with)
    assert main([*RUN, "--yes"]) == status
    last = capsys.readouterr().err.splitlines()[-1]
    assert told in last
    assert ("go on with: dalle2 bulk resume pics.db" in last) == (status != 1)


def test_rows_whose_columns_nobody_knows_beforehand_are_planned_too(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines have no header."""
    Path("rows.jsonl").write_text('{"title": "fox"}\n')
    assert main(["bulk", "run", "rows.jsonl", "--prompt", "{title}", "--out", "pics/"]) == 2
    err = capsys.readouterr().err
    assert "columns sent: title" in err and "columns not sent" not in err
