"""A Dask cluster as an executor: `bulk.run(..., executor=bulk.dask_executor(dask_client))`.

The rule: a cluster runs a task again when the worker that had it is lost, and a call that is made again is
paid for again. So the scheduler grants each call once, and a task that asks a second time gives a marker back
instead of calling: what became of the first one, nobody knows, and it is held.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, OutcomeUnknownError

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

_HANDLER = "dalle2_grant"
_AGAIN = "dalle2: this call was granted before"


def dask_executor(dask_client: object) -> Executor:
    """An executor that has calls made by the workers of a Dask cluster, each at most once.

    `dask_client` is a `distributed.Client`. The workers need this package, of the same version, and the API
    key in their environment. What a lost worker was at is held; so is everything under way when the scheduler
    is lost. Raises `ConfigurationError` without the package `distributed`, or for what is no such client.
    """
    try:
        kind: Any = import_module("distributed").Client
    except ImportError:
        raise ConfigurationError("dask_executor needs Dask: pip install distributed") from None
    client: Any = dask_client
    if not isinstance(client, kind) or client.asynchronous:
        raise ConfigurationError(
            f"dask_executor takes a blocking distributed.Client; this is a {type(client).__name__}"
        )
    client.run_on_scheduler(_install)
    return _Cluster(client)


def _install(dask_scheduler: Any) -> None:
    """On the scheduler: grant each call once. A new scheduler has no handler, so that it grants none."""
    if _HANDLER in dask_scheduler.handlers:
        return
    granted: set[str] = set()

    def grant(call: str) -> bool:
        first = call not in granted
        granted.add(call)
        return first

    dask_scheduler.handlers[_HANDLER] = grant


def _granted(call: str, work: Callable[..., T], *values: Any) -> T | str:
    """On a worker: do it, if it is the first who asks. Else a marker; an exception was seen to hang."""
    worker = import_module("distributed").get_worker()
    sync = import_module("distributed.utils").sync
    ask = getattr(worker.scheduler, _HANDLER)
    return work(*values) if sync(worker.loop, ask, call=call) else _AGAIN


def _lost(why: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{why}: whether its call was carried out and billed, nobody knows", reason="disconnected"
    )


class _Cluster(Executor):
    def __init__(self, client: Any) -> None:
        self._client = client
        self._under_way: set[Any] = set()  # or Dask would forget them

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a call made, once."""
        call = f"dalle2-{os.urandom(16).hex()}"
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        task = self._client.submit(_granted, call, fn, *args, key=call, pure=False, retries=0)
        self._under_way.add(task)

        def settle(task: Any) -> None:
            self._under_way.discard(task)
            if task.status != "finished":
                failure = task.exception() if task.status == "error" else None
                future.set_exception(_lost(f"the cluster lost a task ({failure or task.status})"))
                return
            result = task.result()
            if isinstance(result, str) and result == _AGAIN:
                future.set_exception(_lost("a worker was lost"))
            else:
                future.set_result(result)

        task.add_done_callback(settle)
        return future
