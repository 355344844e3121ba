"""Asking a store and waiting, once blocking and once awaited; what is asked is decided elsewhere.

The awaited one asks in a thread, on asyncio and trio alike. It does not wait for that thread when it is
cancelled: an object that arrives all the same arrives whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from ._trouble import Trouble, trouble_of

Step: TypeAlias = "Callable[[], object] | float"
"""A request to be made, or seconds to wait."""

T = TypeVar("T")
Steps: TypeAlias = Generator[Step, Any, T]


def answer_to(request: Callable[[], object]) -> Steps[Any]:
    """The step that makes a request. Raises `Trouble`."""
    answer = yield request
    if isinstance(answer, Trouble):
        raise answer
    return answer


def perform(steps: Steps[T]) -> T:
    """Do all that `steps` asks for; gives its result."""
    answer: object = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(step, float):
            answer = None
            time.sleep(step)
        else:
            answer = asked(step)


async def perform_async(steps: Steps[T]) -> T:
    """`perform`, awaited."""
    import anyio
    import anyio.to_thread

    answer: object = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(step, float):
            answer = None
            await anyio.sleep(step)
        else:
            answer = await anyio.to_thread.run_sync(asked, step, abandon_on_cancel=True)


def asked(step: Callable[[], object]) -> object:
    """What a request gives, or its trouble as a value. The error, which may hold anything, ends here."""
    try:
        return step()
    except Exception as error:
        return trouble_of(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what obstore's own language raises is no interrupt
            raise
        return trouble_of(error)
