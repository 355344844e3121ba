"""Calls made by somebody else: any `concurrent.futures.Executor`.

The rule: only the call travels, and its answer comes back to be made safe here; pace, money and journal stay
with the run. In this process a call is made by the client itself; one that is pickled takes a copy without
the key, which the worker finds in its own environment. What was handed over and is not heard of again is
held, and what was never taken is still planned.
"""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeAlias

from .. import __version__
from ..errors import ConfigurationError, Dalle2Error
from ._receipt import Receipt, receipt_of, receipt_of_error
from ._verdict import told

if TYPE_CHECKING:
    from .._client import Client
    from .._requests._values import Request

Answered: TypeAlias = "tuple[Receipt | None, BaseException | None]"


def call(client: Client, request: Request, key: str) -> Answered:
    """One call, wherever it is made: its receipt, or its error."""
    try:
        return receipt_of(client.send(request, idempotency_key=key)), None
    except Dalle2Error as error:
        receipt = receipt_of_error(error, told(error))
        return receipt, None if receipt is not None else error
    except Exception as error:
        return None, error


class Call:
    """One call of a run, to be made where this is called."""

    def __init__(self, by: Elsewhere, request: Request, key: str) -> None:
        self._by = by
        self._request = request
        self._key = key

    def __call__(self) -> Answered:
        return call(self._by.client, self._request, self._key)

    def __reduce__(self) -> tuple[object, ...]:
        return arrived, (__version__, self._by.packed, pickle.dumps(self._request), self._key)


def arrived(version: str, client: bytes, request: bytes, key: str) -> Callable[[], Answered]:
    """The same in another process, whose dalle2 may be another. Never raises: a worker that cannot unpack
    what it was given is lost, and what was lost is held.
    """
    if version != __version__:
        return partial(
            _not_made,
            f"a worker has dalle2 {__version__} and the run has {version}: install the same on both",
        )
    return partial(_made_here, client, request, key)


def _not_made(why: str) -> Answered:
    return None, ConfigurationError(why)


_clients: dict[bytes, Client] = {}
"""The clients of this process, if it is a worker: one serves all the calls of a run."""


def _made_here(packed: bytes, request: bytes, key: str) -> Answered:
    try:
        client = _clients.get(packed) or _clients.setdefault(packed, pickle.loads(packed))
        asked = pickle.loads(request)
    except Exception as problem:
        return _not_made(f"a worker cannot read the call: {told(problem)}")
    with _left_alone():
        return call(client, asked, key)


@contextmanager
def _left_alone() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal. What it means is for the run to say: a call that is under
    way comes to its end.
    """
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, which alone is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


class Elsewhere:
    """An executor, as a run uses it."""

    def __init__(self, executor: Executor, client: Client) -> None:
        self._executor = executor
        self.client = client
        self._stays: ConfigurationError | None = None
        self._one = threading.Lock()  # an executor need not like to be given two at once

    @cached_property
    def packed(self) -> bytes:
        """The client for another process. Raises `ConfigurationError` for one that cannot travel."""
        if self.client._transport.client is not None:
            self._stays = ConfigurationError(
                "a client with an http_client of yours cannot be sent to another process: make the client "
                "of the run without one, or use threads"
            )
            raise self._stays
        return pickle.dumps(self.client)

    def give(self, request: Request, key: str, done: Callable[[Answered], None]) -> bool:
        """Have a call made; `done` gets what comes of it, in some thread. Gives whether it was taken."""

        def ended(future: Future[Answered]) -> None:
            if future.cancelled():
                done(_not_made("the executor cancelled a call before it began"))
                return
            try:
                receipt, error = future.result()
            except BaseException as problem:
                receipt, error = None, problem
            done((receipt, error))

        try:
            with self._one:
                future = self._executor.submit(Call(self, request, key))
        except BrokenExecutor as problem:  # what the calls that it had taken are told, too
            done((None, problem))
            return False
        except Exception as problem:
            why = f"the executor takes no more calls: {told(problem)}"
            done((None, self._stays or ConfigurationError(why)))
            return False
        future.add_done_callback(ended)
        return True
