"""A Dask cluster as an executor: `bulk.run(..., executor=bulk.dask_executor(dask_client))`.

The rule: a cluster runs a task again when the worker that had it is lost, and a call that is made again is
paid for again. So the scheduler grants each call once. A task that asks a second time gives a marker back
instead of calling, and the call is held; what ended without an answer and was never granted was not made, and
never will be, because the run then takes the grant itself. A scheduler that was started again knows nothing
of the grants of the one before: what was under way is held, and no more is given to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import ConfigurationError, Dalle2Error, OutcomeUnknownError
from ._verdict import told

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

_HANDLER = "dalle2_grant"
_AGAIN = "dalle2: this call was granted before"
_PATIENCE = 10.0
"""Seconds in which a scheduler that lives answers a question."""


def dask_executor(dask_client: object) -> Executor:
    """An executor that has calls made by the workers of a Dask cluster, each at most once.

    `dask_client` is a `distributed.Client`. Scheduler and workers need this package in the same version, and
    the workers the API key in their environment. What a lost worker was at is held; so is everything under
    way when the scheduler is lost. Raises `ConfigurationError` without the package `distributed`, for what is
    no such client, and for a cluster that has another dalle2 or none.
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
    try:
        versions = client.run(_version, on_error="return")
        scheduler, versions["the scheduler"] = client.run_on_scheduler(_install)
    except Exception as problem:
        raise ConfigurationError(f"the Dask cluster cannot be used: {told(problem)}") from None
    for place, version in versions.items():
        if version != __version__ and not isinstance(version, OSError):  # one that is just leaving
            has = told(version) if isinstance(version, Exception) else f"dalle2 {version}"
            raise ConfigurationError(
                f"the run has dalle2 {__version__}, {place} has another or none ({has}): install the same"
            )
    return _Cluster(client, scheduler)


def _version() -> str:
    return __version__


def _install(dask_scheduler: Any) -> tuple[str, str]:
    """On the scheduler: grant each call once. Gives its name, which is new for each start."""
    own: str = dask_scheduler.id
    if _HANDLER not in dask_scheduler.handlers:
        granted: set[str] = set()

        def grant(call: str, scheduler: str) -> bool | None:
            if scheduler != own:
                return None
            first = call not in granted
            granted.add(call)
            return first

        dask_scheduler.handlers[_HANDLER] = grant
    return own, __version__


def _granted(scheduler: str, call: str, work: Callable[[], T]) -> T | str:
    """On a worker: do it, if it is the first who asks. Else a marker; an exception was seen to hang."""
    worker = import_module("distributed").get_worker()
    sync = import_module("distributed.utils").sync
    ask = getattr(worker.scheduler, _HANDLER)
    return work() if sync(worker.loop, ask, call=call, scheduler=scheduler) else _AGAIN


class _Cluster(Executor):
    def __init__(self, client: Any, scheduler: str) -> None:
        self._client = client
        self._scheduler = scheduler
        self._under_way: set[Any] = set()  # or Dask would forget them
        self._lost = ""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a call made, once."""
        if self._lost:
            raise RuntimeError(self._lost)
        call = f"dalle2-{os.urandom(16).hex()}"
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        work = partial(fn, *args, **kwargs)
        task = self._client.submit(_granted, self._scheduler, call, work, key=call, pure=False, retries=0)
        self._under_way.add(task)

        def settle(task: Any) -> None:
            self._under_way.discard(task)
            try:
                result = task.result()
            except BaseException as problem:
                future.set_exception(self._ended(call, told(problem)))
                return
            if isinstance(result, str) and result == _AGAIN:
                future.set_exception(_unknown("a worker was lost"))
            else:
                future.set_result(result)

        task.add_done_callback(settle)
        return future

    def _ended(self, call: str, why: str) -> Dalle2Error:
        """What a call without an answer comes to: whoever gets the grant now knows that nobody had it."""
        unmade = None
        if not self._lost:
            try:
                ask = getattr(self._client.scheduler, _HANDLER)
                of = self._scheduler
                unmade = self._client.sync(ask, call=call, scheduler=of, callback_timeout=_PATIENCE)
            except Exception as problem:
                why = told(problem)
            if unmade is None:
                self._lost = f"the cluster's scheduler was lost ({why})"
        if unmade:
            return ConfigurationError(f"the cluster gave a call back that was not made: {why}")
        return _unknown(self._lost or f"the cluster lost a task ({why})")


def _unknown(why: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{why}: whether its call was carried out and billed, nobody knows", reason="disconnected"
    )
