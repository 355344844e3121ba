"""A context entered in a thread, so that an event loop stays free while a journal is opened and filled.

The rule: whoever is cancelled meanwhile leaves at once, and the thread that is still at work then leaves the
context by itself: a journal never stays locked because nobody waited for it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Generic, TypeVar

from .._results._awaited import in_thread

T = TypeVar("T")


class _Entry(Generic[T]):
    def __init__(self, context: AbstractContextManager[T]) -> None:
        self._context = context
        self._turn = threading.Lock()
        self._entered = False
        self._left = False

    def enter(self) -> T:
        value = self._context.__enter__()
        with self._turn:
            self._entered = True
            left = self._left
        if left:
            self._context.__exit__(None, None, None)
        return value

    def leave(self) -> None:
        with self._turn:
            self._left = True
            entered = self._entered
        if entered:
            self._context.__exit__(None, None, None)


@asynccontextmanager
async def entered(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """The context, entered in a thread and left when the body ends."""
    entry = _Entry(context)
    try:
        yield await in_thread(entry.enter)
    finally:
        entry.leave()
