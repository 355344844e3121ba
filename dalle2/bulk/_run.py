"""`run`, `arun`, `resume`, `aresume` and `release`: the doors of the room.

The rule: a client that calls for a run makes one attempt a call, because each attempt is a row of the
journal; the images are fetched by the caller's own client, with its patience.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial
from os import PathLike
from typing import Literal, TypeAlias, cast

import attrs

from .._async_client import AsyncClient
from .._client import Client
from .._money import Budget
from .._results._awaited import in_thread
from ..errors import InvalidRequestError
from ..retry import RetryPolicy
from ..settings import policy_of
from ._elsewhere import Elsewhere
from ._entering import entered
from ._jobs import Job
from ._journal import Journal
from ._ongoing import SPOOL_LIMIT, Ongoing, Outcome, Wishes, begun, check_client, from_notes
from ._place import Out
from ._progress import Listener
from ._recover import recover
from ._schema import journal_path
from ._shared_pace import path_of_pace
from ._spool import Spool
from ._standing import Report

Unknown: TypeAlias = Literal["hold", "retry"]


def _one_attempt(client: Client | AsyncClient) -> RetryPolicy:
    """One attempt a call, under the caller's deadline."""
    return attrs.evolve(policy_of(client._session.settings.retry), max_attempts=1, ambiguous="raise")


def run(
    client: Client,
    jobs: Iterable[Job | str],
    *,
    journal: str | PathLike[str],
    out: Out,
    concurrency: int = 8,
    images_per_minute: float | None = None,
    pace: str | PathLike[str] | None = None,
    budget: Budget | None = None,
    name: str = "{id}-{index}",
    provenance: bool = False,
    on_unknown: Unknown = "hold",
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
    executor: Executor | None = None,
    spool_limit: int = SPOOL_LIMIT,
) -> Report:
    """Make the images of many jobs, so that it can be killed at any moment and started again.

    `jobs` are `Job` values (see `read_jobs`) or prompts; `journal` is one SQLite file; `out` a directory,
    the URL of a folder in a store (`s3://bucket/pictures/`, extra `cloud`) or an object with `put(key, data,
    create)`. The same call on the same journal goes on where it stopped:
    nothing is paid for twice, nothing that was answered is lost, and what nobody can know is `held`.

    - `concurrency`: so many calls at once. `images_per_minute` spaces them; `pace` names a file through
      which several runs on one machine share one pace.
    - `budget`: its limits hold for all runs of the journal together; the object itself is not changed.
    - `name`: what the files are called, without suffix: a template of `{id}`, `{index}` (from 1) and columns.
    - `provenance`: put `NAME.json` beside each image: prompt, model, parameters, request id.
    - `on_unknown`: `"hold"` what may have been paid for, or `"retry"` it, and perhaps pay twice.
    - `on_outcome`: called with each row that ends, as `Report.rows()` gives it. `progress`: `True` for a bar
      or lines, or called with a `Progress`.
    - `executor`: makes the calls elsewhere (any `concurrent.futures.Executor`); everything else stays here.
    - `spool_limit`: bytes of answers that wait to be kept, above which nothing is sent.

    Raises before anything is spent `JournalError`, `InvalidRequestError` (with `.row` for a bad row),
    `ConfigurationError` and `BudgetExceededError` (no price is known); then, with `.report`, what no other
    row can help either: quota, key, a retired model, lasting rate limits, a full disk. A reached budget and
    an unreachable host return; so does everything else.
    """
    check_client(client, Client, "arun")
    wishes = Wishes.checked(
        out=out,
        name=name,
        concurrency=concurrency,
        images_per_minute=images_per_minute,
        pace=pace,
        budget=budget,
        on_unknown=on_unknown,
        spool_limit=spool_limit,
        provenance=provenance,
    )
    return run_with(client, jobs, journal, wishes, on_outcome, progress, executor)


def run_with(
    client: Client,
    jobs: Iterable[Job | str] | None,
    journal: str | PathLike[str],
    wishes: Wishes | Callable[[Mapping[str, object]], Wishes],
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
    executor: Executor | None = None,
) -> Report:
    """`run` and `resume` once their arguments are one value."""
    from ._in_threads import drive

    sender = client.with_options(retry=_one_attempt(client), download=None)
    elsewhere = None if executor is None else Elsewhere(executor, sender)
    with begun(client, jobs, journal, wishes, on_outcome=on_outcome, progress=progress) as ongoing:
        with ongoing.stopper.listening():
            drive(ongoing.engine, client, sender, ongoing.stopper, ongoing.after, elsewhere)
        ongoing.engine.finish()
        ongoing.after(last=True)
        return ongoing.report()


def resume(
    client: Client,
    journal: str | PathLike[str],
    *,
    out: Out | None = None,
    concurrency: int | None = None,
    images_per_minute: float | None = None,
    pace: str | PathLike[str] | None = None,
    budget: Budget | None = None,
    provenance: bool | None = None,
    on_unknown: Unknown | None = None,
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
    executor: Executor | None = None,
) -> Report:
    """Go on with a journal without its jobs. What is not said is as the last run was told, the budget's
    limits included. Raises like `run`.
    """
    check_client(client, Client, "aresume")
    wishes = _noted(journal, out, concurrency, images_per_minute, pace, budget, on_unknown, provenance)
    return run_with(client, None, journal, wishes, on_outcome, progress, executor)


def _noted(
    journal: str | PathLike[str],
    out: Out | None,
    concurrency: int | None,
    images_per_minute: float | None,
    pace: str | PathLike[str] | None,
    budget: Budget | None,
    on_unknown: Unknown | None,
    provenance: bool | None,
) -> Callable[[Mapping[str, object]], Wishes]:
    given = {
        "out": out,
        "concurrency": concurrency,
        "images_per_minute": images_per_minute,
        "pace": path_of_pace(pace),
        "budget": budget,
        "on_unknown": on_unknown,
        "provenance": provenance,
    }
    return partial(from_notes, given=given, journal=journal_path(journal))


async def arun(
    client: AsyncClient,
    jobs: Iterable[Job | str],
    *,
    journal: str | PathLike[str],
    out: Out,
    concurrency: int = 8,
    images_per_minute: float | None = None,
    pace: str | PathLike[str] | None = None,
    budget: Budget | None = None,
    name: str = "{id}-{index}",
    provenance: bool = False,
    on_unknown: Unknown = "hold",
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
    spool_limit: int = SPOOL_LIMIT,
) -> Report:
    """`run`, awaited, on asyncio and trio. A cancelled run ends at once; what was under way is then held."""
    check_client(client, AsyncClient, "run")
    wishes = Wishes.checked(
        out=out,
        name=name,
        concurrency=concurrency,
        images_per_minute=images_per_minute,
        pace=pace,
        budget=budget,
        on_unknown=on_unknown,
        spool_limit=spool_limit,
        provenance=provenance,
    )
    return await _arun_with(client, jobs, journal, wishes, on_outcome, progress)


async def _arun_with(
    client: AsyncClient,
    jobs: Iterable[Job | str] | None,
    journal: str | PathLike[str],
    wishes: Wishes | Callable[[Mapping[str, object]], Wishes],
    on_outcome: Outcome | None,
    progress: bool | Listener | None,
) -> Report:
    from ._in_tasks import drive_async

    sender = client.with_options(retry=_one_attempt(client), download=None)
    setup = begun(client, jobs, journal, wishes, on_outcome=on_outcome, progress=progress)
    async with entered(setup) as ongoing:
        await drive_async(ongoing.engine, client, sender, ongoing.stopper, partial(told_awaited, ongoing))
        await in_thread(ongoing.engine.finish)
        await told_awaited(ongoing, last=True)
        return ongoing.report()


async def told_awaited(ongoing: Ongoing, *, last: bool = False) -> None:
    """After each step: tell who wants to know, and await what they give back."""
    ongoing.after(last=last)
    results, ongoing.outcomes = ongoing.outcomes, []
    for result in results:
        if inspect.isawaitable(result):
            await result


async def aresume(
    client: AsyncClient,
    journal: str | PathLike[str],
    *,
    out: Out | None = None,
    concurrency: int | None = None,
    images_per_minute: float | None = None,
    pace: str | PathLike[str] | None = None,
    budget: Budget | None = None,
    provenance: bool | None = None,
    on_unknown: Unknown | None = None,
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
) -> Report:
    """`resume`, awaited."""
    check_client(client, AsyncClient, "resume")
    wishes = _noted(journal, out, concurrency, images_per_minute, pace, budget, on_unknown, provenance)
    return await _arun_with(client, None, journal, wishes, on_outcome, progress)


def release(journal: str | PathLike[str], ids: Iterable[str] | None = None) -> int:
    """Plan held jobs again, knowingly: what was paid for them, if it was, is paid once more. Gives how many
    calls were released.

    `ids` names them; without it all are. Raises `InvalidRequestError` for an id that is not held, and
    `JournalError`; nothing is changed then. Whatever may have been paid for before still counts in a budget.
    """
    if isinstance(ids, str):
        ids = [ids]
    path = journal_path(journal)
    book = Journal(path, create=False)
    try:
        recover(book, Spool(path))
        with book.transaction() as db:
            again = "UPDATE job SET state = 'planned', error = NULL, nano = NULL WHERE state = 'held'"
            if ids is None:
                return db.execute(again).rowcount
            count = 0
            for id in dict.fromkeys(ids):
                found = db.execute(f"{again} AND id = ?", (id,)).rowcount
                if not found:
                    row = db.execute("SELECT state FROM job WHERE id = ?", (id,)).fetchone()
                    what = (
                        "is not in the journal"
                        if row is None
                        else f"is not held: it is {cast('str', row[0])}"
                    )
                    raise InvalidRequestError(f"the id {id!r:.60} {what}", field="ids")
                count += found
            return count
    finally:
        book.close()
