"""Calls made by somebody else: any `concurrent.futures.Executor`.

The rule: only the call travels, and its answer comes back to be made safe here; pace, money and journal stay
with the run. A client travels without its key, which the worker finds in its own environment. What was handed
over and is not heard of again is held, and what was never taken is still planned.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
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


_clients: dict[bytes, Client] = {}
"""The clients of this process, if it is a worker: one serves all the calls of a run."""


def call_for(version: str, packed: bytes, request: Request, key: str) -> Answered:
    """The same in another process, for a run of that version of this package."""
    if version != __version__:
        return None, ConfigurationError(
            f"a worker has dalle2 {__version__} and the run has {version}: install the same on both"
        )
    client = _clients.get(packed) or _clients.setdefault(packed, pickle.loads(packed))
    return call(client, request, key)


class Elsewhere:
    """An executor, as a run uses it. Raises `ConfigurationError` for a client that cannot travel."""

    def __init__(self, executor: Executor, client: Client) -> None:
        self._executor = executor
        self._client = client
        self._packed = b""
        if not isinstance(executor, ThreadPoolExecutor):
            if client._transport.client is not None:
                raise ConfigurationError(
                    "a client with an http_client of yours cannot be sent to another process: make the "
                    "client of "
                    "the run without one, or use threads"
                )
            self._packed = pickle.dumps(client)

    def give(self, request: Request, key: str, done: Callable[[Answered], None]) -> None:
        """Have a call made; `done` gets what comes of it, in some thread."""

        def ended(future: Future[Answered]) -> None:
            if future.cancelled():
                done((None, ConfigurationError("the executor cancelled a call before it began")))
                return
            error = future.exception()
            done(future.result() if error is None else (None, error))

        try:
            if self._packed:
                future = self._executor.submit(call_for, __version__, self._packed, request, key)
            else:
                future = self._executor.submit(call, self._client, request, key)
        except RuntimeError as problem:  # it is broken, or was shut down: nothing was sent
            done((None, ConfigurationError(f"the executor takes no more calls: {problem}")))
            return
        future.add_done_callback(ended)
