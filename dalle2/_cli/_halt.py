"""How a command is told to end, and with which exit status it then ends.

The rule: SIGTERM and SIGHUP are Ctrl-C under another name, so that a command which is told to end by them
still prints what was paid for and leaves no part of a file. What the parent had ignored (as `nohup` does)
stays ignored.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


SAME_WISH = 1.0
"""Seconds in which a second signal says the same as the first: a closed terminal, an impatient finger."""

_OURS = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}


class Stopped(KeyboardInterrupt):
    """The process was told to end, by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def how(interrupt: KeyboardInterrupt) -> tuple[str, int]:
    """What ended the command, in words, and the exit status: 130 for Ctrl-C, 143 for SIGTERM."""
    if isinstance(interrupt, Stopped) and interrupt.number != signal.SIGINT:
        return f"ended by {interrupt}", 128 + interrupt.number
    return "interrupted", 130


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` where a signal would have ended the process. For the main thread only."""
    last = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SAME_WISH:  # raised into what cleans up after the first, it would undo it
            last = now
            raise Stopped(number)

    def swallowed(problem: sys.UnraisableHookArgs) -> None:
        # A signal that falls into a finalizer is lost there: it comes again once that is over.
        nonlocal last
        if isinstance(problem.exc_value, Stopped):
            last = float("-inf")
            threading.Timer(0.01, signal.raise_signal, (problem.exc_value.number,)).start()
        else:
            before(problem)

    with contextlib.ExitStack() as undo:
        if threading.current_thread() is threading.main_thread():
            before = sys.unraisablehook
            undo.callback(setattr, sys, "unraisablehook", before)
            sys.unraisablehook = swallowed
            for name, usual in _OURS.items():
                number = getattr(signal, name, None)  # Windows has no SIGHUP
                if number is not None and signal.getsignal(number) is usual:
                    undo.callback(signal.signal, number, signal.signal(number, stop))
        yield


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Let no second signal break what is done after the first: a few lines of output, a file or two."""
    with contextlib.ExitStack() as undo:
        if threading.current_thread() is threading.main_thread():
            for name in _OURS:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is not None:
                    undo.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        yield
