"""How a command is told to end, and with which exit status it then ends.

The rule: SIGTERM and SIGHUP are Ctrl-C under another name, so that a command which is told to end by them
still prints what was paid for and leaves no part of a file. What the parent had ignored (as `nohup` does)
stays ignored.
"""

from __future__ import annotations

import contextlib
import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Stopped(KeyboardInterrupt):
    """The process was told to end, by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def how(interrupt: KeyboardInterrupt) -> tuple[str, int]:
    """What ended the command, in words, and the exit status: 130 for Ctrl-C, 143 for SIGTERM."""
    if isinstance(interrupt, Stopped):
        return f"ended by {interrupt}", 128 + interrupt.number
    return "interrupted", 130


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` where SIGTERM or SIGHUP would have killed the process. For the main thread only."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    with contextlib.ExitStack() as undo:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                    undo.callback(signal.signal, number, signal.signal(number, stop))
        yield


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Let no second signal break what is done after the first: a few lines of output, a file or two."""
    with contextlib.ExitStack() as undo:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is not None:
                    undo.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        yield
