"""`submit`, `asubmit`, `collect` and `acollect`: the provider's Batch API, at half the price, within a day.

The rule: `submit` hands over and `collect` brings back; between the two nothing need run. Either may be
killed at any moment and started again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from os import PathLike

from .._async_client import AsyncClient
from .._client import Client
from .._money import Budget
from .._results._awaited import in_thread
from ._entering import entered
from ._jobs import Job
from ._ongoing import Outcome, Wishes, begun, check_client
from ._place import Out
from ._progress import Listener
from ._run import told_awaited
from ._standing import Report


def submit(
    client: Client,
    jobs: Iterable[Job | str] | None,
    *,
    journal: str | PathLike[str],
    out: Out | None = None,
    budget: Budget | None = None,
    name: str = "{id}-{index}",
    force: bool = False,
) -> Report:
    """Hand jobs to the provider's Batch API, which makes them within a day at half the price.

    The jobs go into the journal as with `run` (`None`: those that it has planned), in parts of about 500
    images: each a file that is uploaded, and a batch. `collect` brings the images. The same call again goes
    on where it stopped: no batch is created twice, and one whose creation was not heard of is looked up in
    the host's list. What ended undone (a batch that expired, was cancelled or failed its checks) is planned
    again, and handed over by the next call.

    - `out`: where `collect` will keep the images, if that is known: what is in the way there is then refused
      before anything is spent, and `collect` need not be told.
    - `budget`: its limits hold for all runs of the journal together; a line counts half its price.
    - `force`: ask the host also for a model that is not known to be made in batches.

    Only generations. Raises before anything is spent `JournalError`, `InvalidRequestError` (with `.row` for a
    bad row), `ConfigurationError` and `BudgetExceededError`; then, with `.report`, what the host said no to,
    and `OutcomeUnknownError` where a creation was lost that was not settled either: submit again. A reached
    budget returns. Source: OpenAI's specification, `CreateBatchRequest`, in
    https://github.com/openai/openai-openapi
    """
    check_client(client, Client, "asubmit")
    from ._handing import wishes_of

    return submit_with(client, jobs, journal, wishes_of(out, budget, name), force)


def submit_with(
    client: Client,
    jobs: Iterable[Job | str] | None,
    journal: str | PathLike[str],
    wishes: Wishes,
    force: bool,
) -> Report:
    """`submit` once its arguments are one value."""
    from ._errands import run_errands
    from ._handing import handing_over

    with handing_over(client, jobs, journal, wishes, force) as handing:
        with handing.stopper.listening():
            run_errands(handing.steps(), client, handing.stopper, lambda: None)
        return handing.report()


async def asubmit(
    client: AsyncClient,
    jobs: Iterable[Job | str] | None,
    *,
    journal: str | PathLike[str],
    out: Out | None = None,
    budget: Budget | None = None,
    name: str = "{id}-{index}",
    force: bool = False,
) -> Report:
    """`submit`, awaited, on asyncio and trio."""
    check_client(client, AsyncClient, "submit")
    from ._errands_awaited import run_errands_async
    from ._handing import handing_over, wishes_of

    async with entered(handing_over(client, jobs, journal, wishes_of(out, budget, name), force)) as handing:
        await run_errands_async(handing.steps(), client, handing.stopper)
        return handing.report()


def collect(
    client: Client,
    journal: str | PathLike[str],
    *,
    out: Out | None = None,
    wait: bool | float = True,
    concurrency: int | None = None,
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
) -> Report:
    """Ask after the batches of a journal, and keep the images of those that have ended in `out`.

    `wait`: until all have ended, for so many seconds at most, or (`False`) not at all: what is there is kept,
    and the rest stays `remaining`. `out`, `on_outcome` and `progress` are as in `run`; without `out` it is
    the one that the last run was told. Nothing is sent that costs money: rows that are planned stay planned.

    What a batch leaves undone is planned again; a row that its files do not speak of is `held`; an output
    file that is gone leaves `expired` rows. `report.batches()` tells what was odd. Raises like `run`, and
    once everything is taken in the host's no to a whole batch, with `.report`.
    """
    check_client(client, Client, "acollect")
    from ._errands import run_errands
    from ._handing import as_told, collecting_over, seconds_of
    from ._in_threads import drive

    seconds, wishes = seconds_of(wait), as_told(journal, out, concurrency)
    with begun(client, None, journal, wishes, on_outcome=on_outcome, progress=progress) as ongoing:
        with ongoing.stopper.listening():
            keep = partial(drive, ongoing.engine, client, client, ongoing.stopper, ongoing.after)
            run_errands(collecting_over(ongoing, client, seconds), client, ongoing.stopper, keep)
        ongoing.engine.finish()
        ongoing.after(last=True)
        return ongoing.report()


async def acollect(
    client: AsyncClient,
    journal: str | PathLike[str],
    *,
    out: Out | None = None,
    wait: bool | float = True,
    concurrency: int | None = None,
    on_outcome: Outcome | None = None,
    progress: bool | Listener | None = None,
) -> Report:
    """`collect`, awaited, on asyncio and trio."""
    check_client(client, AsyncClient, "collect")
    from ._errands_awaited import run_errands_async
    from ._handing import as_told, collecting_over, seconds_of
    from ._in_tasks import drive_async

    seconds, wishes = seconds_of(wait), as_told(journal, out, concurrency)
    async with entered(
        begun(client, None, journal, wishes, on_outcome=on_outcome, progress=progress)
    ) as ongoing:
        after = partial(told_awaited, ongoing)
        keep = partial(drive_async, ongoing.engine, client, client, ongoing.stopper, after)
        await run_errands_async(collecting_over(ongoing, client, seconds), client, ongoing.stopper, keep)
        await in_thread(ongoing.engine.finish)
        await told_awaited(ongoing, last=True)
        return ongoing.report()
