"""How a command ends that is told to end: its status, what it says, and no part of a file is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dalle2
from dalle2._cli import main
from dalle2._cli._halt import SAME_WISH, Stopped, stoppable, unbroken
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, Held, command, failure, files

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(params=["POST", "GET"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A host that holds the answer of the paid call, or the image."""
    emulator = Held(request.param)
    with emulator.serve() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield emulator
        emulator.let_go.set()


@pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
def test_a_signal_ends_the_command_and_leaves_nothing_undone(
    held: Held, directory: Path, number: signal.Signals
) -> None:
    """Whatever the moment: the status says which signal, stderr what is or may be paid for; no file stays."""
    process = subprocess.Popen(
        command(*CORGI, "-o", "corgi.png"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert held.asked.wait(30)
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, files(directory)) == (STATUS[number], "", [])
    assert all(line.startswith("dalle2: ") for line in error.splitlines())
    if held.on == "POST":
        assert "may have been billed" in error
    else:
        (url,) = re.findall(r"http\S+", error)
        held.let_go.set()
        with dalle2.Client("sk-test", base_url=os.environ["OPENAI_BASE_URL"]) as client:
            assert client.image(url).read().startswith(b"\x89PNG")


@pytest.mark.parametrize("held", ["GET"], indirect=True)
def test_the_document_tells_it_too(held: Held) -> None:
    """With `--json` what was paid for is in the document, also when a signal ends the command."""
    process = subprocess.Popen(command(*CORGI, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert held.asked.wait(30)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    (image,) = json.loads(out)["images"]
    assert process.returncode == 143
    assert image["path"] is None
    assert image["url"].startswith("http://127.0.0.1")


def interrupt_second_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C fall into the saving of the second image, once."""
    save = dalle2.ImageResult.save
    calls: list[object] = []

    def interrupted(image: dalle2.ImageResult, *args: Any, **options: Any) -> Path:
        calls.append(image)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return save(image, *args, **options)

    monkeypatch.setattr(dalle2.ImageResult, "save", interrupted)


def test_what_is_held_is_saved_all_the_same(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that exist nowhere else are written where they belong, also after Ctrl-C."""
    interrupt_second_save(monkeypatch)
    words = [*CORGI, "-n", "3", "-o", "corgi.png", "--response-format", "b64_json"]
    assert main(words) == 130
    printed = capsys.readouterr()
    assert printed.out == "corgi-1.png\ncorgi-2.png\ncorgi-3.png\n"
    assert printed.err == "dalle2: interrupted\n"
    assert files(directory) == ["corgi-1.png", "corgi-2.png", "corgi-3.png"]


def test_what_is_not_fetched_is_shown(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of three images the first is saved when Ctrl-C comes: its path and the URLs of the others are told."""
    interrupt_second_save(monkeypatch)
    assert main([*CORGI, "-n", "3", "-o", "corgi.png"]) == 130
    printed = capsys.readouterr()
    assert printed.out == "corgi-1.png\n"
    assert printed.err.count("not saved, for now it is at http://127.0.0.1") == 2
    assert printed.err.endswith("dalle2: interrupted\n")
    assert files(directory) == ["corgi-1.png"]


def test_what_was_answered_before_the_signal_is_saved(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while a successor's picture is scaled: it was paid for, so it is saved as it can be."""

    def interrupted(images: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dalle2.Images, "fit", interrupted)
    assert main([*CORGI, "--successor", "gpt-image-2", "-o", "corgi.png"]) == 130
    assert files(directory) == ["corgi.png"]
    printed = capsys.readouterr()
    assert printed.out == "corgi.png\n"
    assert printed.err.startswith("dalle2: interrupted")


def test_a_signal_is_told_although_stdout_is_gone(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terminal went away: the status is that of the signal, and what was paid for is told on stderr."""
    interrupt_second_save(monkeypatch)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([*CORGI, "-n", "2", "-o", "corgi.png"]) == 130
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("dalle2: not saved, for now it is at http://127.0.0.1")
    assert told[1:] == ["corgi-1.png", "dalle2: interrupted"]


def test_an_interrupt_before_the_answer_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is one line; of a bill it speaks only if the library does."""

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dalle2.Client, "generate", interrupted)
    assert main([*CORGI, *OFFLINE]) == 130
    assert failure(capsys) == "dalle2: interrupted\n"


def test_the_notes_of_an_interrupt_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the library says of a call that was cut short stands in the line."""

    def interrupted(*args: object, **options: object) -> None:
        interrupt = Stopped(signal.SIGTERM)
        interrupt.add_note("dalle2: may have been billed\n(idempotency key k-1)")
        raise interrupt

    monkeypatch.setattr(dalle2.Client, "generate", interrupted)
    assert main([*CORGI, *OFFLINE]) == 143
    assert failure(capsys) == "dalle2: ended by SIGTERM; may have been billed (idempotency key k-1)\n"


def test_an_interrupt_while_a_command_is_loaded_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even then is there a traceback."""

    def interrupted(argv: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("dalle2._cli._app.run", interrupted)
    assert main(["models"]) == 130
    assert capsys.readouterr() == ("", "")


class Finalized:
    """Does something when it goes, where what is raised is lost."""

    def __init__(self, last: Callable[[], object]) -> None:
        self.last = last

    def __del__(self) -> None:
        self.last()


def test_a_signal_that_falls_into_a_finalizer_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    """What is raised there is lost to Python, with a traceback on stderr: neither happens to a signal."""
    with stoppable(), pytest.raises(Stopped, match="SIGTERM"):
        Finalized(lambda: os.kill(os.getpid(), signal.SIGTERM))
        threading.Event().wait(30)
    assert capsys.readouterr().err == ""


def test_another_error_of_a_finalizer_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only signals are taken out of Python's own way, and only as long as a command runs."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: told.append(problem.exc_type))
    usual = sys.unraisablehook
    with stoppable():
        Finalized(lambda: 1 / 0)
    assert told == [ZeroDivisionError]
    assert sys.unraisablehook is usual


def test_what_the_parent_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `nohup` a command outlives its terminal; the handlers are those of before in the end."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(Stopped, match="SIGTERM"):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_no_signal_breaks_the_last_lines_off() -> None:
    """While they are printed, none comes through; afterwards it does again."""
    with stoppable():
        with unbroken():
            for number in STATUS:
                os.kill(os.getpid(), number)
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_two_signals_at_once_are_one_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second does not undo what cleans up after the first; a second later, it is a wish of its own."""
    seconds = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    with stoppable():
        with pytest.raises(Stopped, match="SIGHUP"):
            os.kill(os.getpid(), signal.SIGHUP)
        for number in STATUS:
            os.kill(os.getpid(), number)
        seconds[0] += SAME_WISH + 0.1
        with pytest.raises(Stopped, match="SIGINT"):
            os.kill(os.getpid(), signal.SIGINT)


def test_signals_of_other_owners_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler not set from Python cannot be put back, so it is not replaced; Windows has no SIGHUP."""
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with stoppable(), unbroken():
        monkeypatch.undo()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_command_in_a_thread_sets_no_handlers(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the main thread may: a command that runs in another one works without."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(main([*CORGI, *OFFLINE])))
    thread.start()
    thread.join(60)
    assert statuses == [0]
