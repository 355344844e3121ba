"""What the two halves of a batch want done, and who does it: once blocking, once awaited.

The rule: the generators of `_submitting` and `_collecting` decide and write; whoever drives them does what
they yield (`Ask`, `Open`, `More`, `Pause`, `Keep`) and gives back the result or the exception. A first signal
lets what is under way end; a second one leaves it.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .._calls._attempts import Attempts
from .._calls._contents import contents
from ..settings import DEFAULT, policy_of
from ._in_threads import Pool

if TYPE_CHECKING:
    from .._calls._outcome import Call
    from .._client import Client
    from .._session import Session
    from ._signals import Stopper


@attrs.frozen
class Ask:
    """Make a call, and give its value."""

    call: Call[Any]


@attrs.frozen
class Open:
    """Begin to download; what was open before is closed."""

    call: Call[None]


@attrs.frozen
class More:
    """Give the next bytes of the download, `None` at its end."""


@attrs.frozen
class Pause:
    """Wait, at most until somebody asks for the end."""

    seconds: float


@attrs.frozen
class Keep:
    """Bring what was answered to its place."""


Errand: TypeAlias = Ask | Open | More | Pause | Keep
Errands: TypeAlias = Generator[Errand, Any, None]


_BLINK = 0.5
"""Seconds after which the main thread looks up: a signal that another thread took does not wake it."""


class _Left(Exception):
    """Somebody asked twice: what is under way is left."""


def attempts_of(session: Session, call: Call[Any]) -> Attempts[Any]:
    """A call with the client's patience; what may have been paid for is never repeated."""
    policy = attrs.evolve(policy_of(session.settings.retry), ambiguous="raise")
    return Attempts(call, policy, session.state)


def next_errand(steps: Errands, result: object) -> Errand | None:
    """The next errand after the last one's result or exception; `None` at the end."""
    try:
        return steps.throw(result) if isinstance(result, Exception) else steps.send(result)
    except StopIteration:
        return None


def run_errands(steps: Errands, client: Client, stopper: Stopper, keep: Callable[[], None]) -> None:
    """Do what is wanted, up to the end. The calls are made in a thread of their own, so that a second signal
    need not wait for them.
    """
    messenger = _Messenger(client, stopper, keep)
    result: object = None
    try:
        while (errand := next_errand(steps, result)) is not None:
            try:
                result = messenger.perform(errand)
            except _Left:
                return
            except Exception as error:
                result = error
    finally:
        messenger.pool.close()


class _Messenger:
    def __init__(self, client: Client, stopper: Stopper, keep: Callable[[], None]) -> None:
        self.pool = Pool(1)
        self._client = client
        self._stopper = stopper
        self._keep = keep
        self._news: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._download: Iterator[bytes] = iter(())

    def perform(self, errand: Errand) -> object:
        """The result of an errand. Raises what it ends in, and `_Left`."""
        client = self._client
        if isinstance(errand, Ask):
            return self._called(partial(client._perform, attempts_of(client._session, errand.call), DEFAULT))
        if isinstance(errand, Open):
            limits = client._session.timeouts(DEFAULT, client._transport.default_timeouts())
            self._download = contents(attempts_of(client._session, errand.call), client._transport, limits)
        elif isinstance(errand, More):
            return self._called(partial(next, self._download, None))
        elif isinstance(errand, Pause):
            end = time.monotonic() + errand.seconds
            while not self._stopper.count and (left := end - time.monotonic()) > 0:
                self._heard(min(left, _BLINK))
        else:
            self._keep()
        return None

    def _called(self, work: Callable[[], object]) -> object:
        self.pool.give(partial(self._done, work))
        while self._stopper.count <= 1:
            found = self._heard(_BLINK)
            if found is not None:
                return found()
        raise _Left

    def _heard(self, seconds: float) -> Callable[[], object] | None:
        self._stopper.wake = partial(self._news.put, None)
        try:
            return self._news.get(timeout=seconds)
        except queue.Empty:
            return None

    def _done(self, work: Callable[[], object]) -> None:
        try:
            value = work()
        except Exception as error:
            self._news.put(partial(_raise, error))
        else:
            self._news.put(lambda: value)


def _raise(error: Exception) -> None:
    raise error
