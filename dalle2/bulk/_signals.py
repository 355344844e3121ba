"""Ctrl-C, SIGTERM and a closed terminal during a run: once, what is under way is finished; twice, it is left.

The rule: only a handler that nobody chose is replaced, only in the main thread, and it is put back.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NOBODYS = ("_signal", "asyncio.runners", "trio._core._ki", "dalle2._cli._halt")
"""The modules whose handlers stand there because nobody chose another."""


def _free() -> list[signal.Signals]:
    """The signals that may be listened to here."""
    if threading.current_thread() is not threading.main_thread():
        return []
    free = []
    for number in filter(None, (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))):
        handler = signal.getsignal(number)
        home = getattr(getattr(handler, "func", handler), "__module__", None)
        if handler is signal.SIG_DFL or (callable(handler) and home in _NOBODYS):
            free.append(number)
    return free


class Stopper:
    """How often somebody asked for the end, and by which signal last. `wake` is called each time."""

    def __init__(self) -> None:
        self.count = 0
        self.signal = 0
        self.wake: Callable[[], None] = lambda: None

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        self.count += 1
        self.signal = number
        self.wake()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the body runs, the signals come here."""
        before = {number: signal.signal(number, self) for number in _free()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def listen(self) -> None:
        """The same for an event loop, until it is cancelled."""
        import anyio

        numbers = _free()
        if not numbers:  # somebody else listens
            return
        before = {number: signal.getsignal(number) for number in numbers}
        with suppress(NotImplementedError):  # Windows
            try:
                with anyio.open_signal_receiver(*numbers) as signals:
                    async for number in signals:
                        self(number)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    @property
    def interrupt(self) -> BaseException:
        """What the run ends in."""
        return KeyboardInterrupt() if self.signal == signal.SIGINT else SystemExit(128 + self.signal)
