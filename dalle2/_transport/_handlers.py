"""Whether an exception is what a signal handler of the caller's raised: that one goes on as it is.

Such a handler raises wherever the interpreter happens to be, also within a library, which may take its
exception for one of its own (`TimeoutError`, for one). Loaded once something has failed.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_DEEPEST = 50


def chain(error: BaseException, outer: BaseException | None = None) -> Iterator[BaseException]:
    """An exception and all that it was raised from or during, the members of groups too; up to `outer`."""
    todo, seen = [error], {id(outer)}
    while todo and len(seen) <= _DEEPEST:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions
        todo += [other for other in (one.__cause__ or one.__context__,) if other is not None]


def raised_by_handler(error: BaseException, outer: BaseException | None = None) -> BaseException | None:
    """The exception that a signal handler raised, if that is what happened: it goes on as it is."""
    codes = {code for code in map(_code_of_handler, signal.valid_signals()) if code is not None}
    for link in chain(error, outer) if codes else ():
        step = link.__traceback__
        while step is not None:
            if step.tb_frame.f_code in codes:
                return link
            step = step.tb_next
    return None


def _code_of_handler(number: int) -> CodeType | None:
    handler: object = signal.getsignal(number)
    if not callable(handler):
        return None
    while hasattr(handler, "func"):  # of functools.partial
        handler = handler.func
    call: object = handler if hasattr(handler, "__code__") else type(handler).__dict__.get("__call__")
    code: CodeType | None = getattr(call, "__code__", None)
    return code
