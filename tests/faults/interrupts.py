"""Two drivers that stop a call at every moment: after each step of its task, and at each call of a function.

A cancel reaches an awaited operation while it waits, so its steps are all the moments there are. A signal
handler that raises reaches blocking code wherever the interpreter looks for signals: at the beginning of a
Python function and behind each call of one in C.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Struck(BaseException):
    """What a raising signal handler raises."""


class Stepping(Awaitable[T]):
    """An awaitable that calls `strike` at its step number `at`, counted from 1, and counts them."""

    def __init__(self, work: Awaitable[T], at: int, strike: Callable[[], object]) -> None:
        self.work = work
        self.at = at
        self.strike = strike
        self.steps = 0

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self.work.__await__()
        proceed, sent = inner.send, None  # type: ignore[attr-defined]
        while True:
            try:
                wanted = proceed(sent)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.steps += 1
            if self.steps == self.at:
                self.strike()
            try:
                sent = yield wanted
                proceed = inner.send  # type: ignore[attr-defined]
            except BaseException as error:
                sent, proceed = error, inner.throw  # type: ignore[attr-defined]


def struck_at(number: int, work: Callable[[], object], error: type[BaseException] = Struck) -> bool:
    """Do the work, and raise in it at this moment, counted from 1; whether it lasted that long."""
    left = number

    def handler(number: int, frame: FrameType | None) -> None:
        raise error

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event in ("call", "c_return"):
            left -= 1
            if not left:
                sys.setprofile(None)
                handler(signal.SIGUSR1, frame)

    before = signal.signal(signal.SIGUSR1, handler)
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGUSR1, before)
    return left <= 0
