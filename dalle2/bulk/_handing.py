"""Both halves of a batch from their arguments to their report: what is the same for threads and for tasks.

The rule: whatever can be refused is refused here, before anything is sent; and what ends a half early is
raised with the report of what was done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from .._calls._batches import check_batches
from .._calls._envelope import Options
from .._requests._draft import Draft
from ..errors import ConfigurationError, Dalle2Error, InvalidRequestError
from ._batch_rules import check_batchable
from ._collecting import Collector
from ._journal import Journal
from ._load import Sender, check_with, load_jobs
from ._naming import Naming
from ._ongoing import Wishes, from_notes, refuse_path
from ._out import place_of
from ._planner import Limits
from ._receipt import nano
from ._recover import recover, verify
from ._schema import journal_path
from ._signals import Stopper
from ._spool import Spool
from ._standing import report_of
from ._submitting import Submitter

if TYPE_CHECKING:
    from os import PathLike

    from .._money import Budget
    from .._requests._values import Request
    from ._errands import Errands
    from ._jobs import Job
    from ._load import Calls, Check
    from ._ongoing import Ongoing
    from ._place import Out
    from ._standing import Report


def wishes_of(
    out: Out | None, budget: Budget | None, name: str, more: Mapping[str, object] | None = None
) -> Wishes:
    """The arguments of `submit` as those of a run, which may say later where the images go."""
    return Wishes.checked(
        out=out,
        name=name,
        concurrency=8,
        images_per_minute=None,
        pace=None,
        budget=budget,
        on_unknown="hold",
        more=more,
    )


def check_for_batches(client: Sender, *, priced: bool, force: bool) -> Check:
    """The check of a request that is to be a line of a batch. Raises `ConfigurationError` for a client that
    has none.
    """
    session = client._session
    check_batches(session.settings)
    if session.settings.moderate is not None:
        raise ConfigurationError(
            "a client with moderate='before' checks each prompt before its call, and a batch has no such "
            "moment: check the prompts with client.moderate(), and take a client without"
        )
    check = check_with(client, priced=priced)

    def both(request: Request) -> Calls:
        sent = session.plan(Draft.of(request), Options()).request
        check_batchable(sent.operation, sent.model or session.settings.model, force=force)
        return check(request)

    return both


class Handing:
    """The first half as it goes on, and how it ended."""

    def __init__(self, journal: Journal, submitter: Submitter) -> None:
        self.stopper = submitter.stopper
        self._journal = journal
        self._submitter = submitter
        self._problem: BaseException | None = None

    def steps(self) -> Errands:
        """What is to be done. What it ends in is told with the report."""
        try:
            yield from self._submitter.submitting()
        except (Dalle2Error, OSError) as error:
            self._problem = error

    def report(self) -> Report:
        """The report in the end. Raises what stopped it, with `.report`."""
        asked, problem = self.stopper.count > 0, self._problem
        why = None if problem is None else f"{type(problem).__name__}: {problem}"
        why = "interrupted" if asked else why or self._submitter.why
        report = report_of(self._journal.db, self._journal.path, why)
        problem = self.stopper.interrupt if asked else problem
        if problem is not None:
            problem.report = report  # type: ignore[attr-defined]
            raise problem
        return report


@contextmanager
def handing_over(
    client: Sender,
    jobs: Iterable[Job | str] | None,
    journal: str | PathLike[str],
    wishes: Wishes,
    force: bool,
) -> Iterator[Handing]:
    """The first half from the lock to the report. Raises before anything is sent, like `submit`."""
    refuse_path(jobs)
    check = check_for_batches(client, priced=wishes.max_usd is not None, force=force)
    path = journal_path(journal)
    book = Journal(path, create=jobs is not None)
    try:
        recover(book, Spool(path))
        if jobs is not None:
            load_jobs(book, jobs, check, Naming.parse(wishes.name))
        if wishes.out is not None:
            verify(book, place_of(wishes.out), Naming.parse(wishes.name))
        book.begin_run(wishes.noted_after(book.last_options()))
        limits = Limits(wishes.max_images, None if wishes.max_usd is None else nano(wishes.max_usd))
        yield Handing(book, Submitter(book, client._session, Stopper(), limits, force))
    finally:
        book.close()


def seconds_of(wait: object) -> float | None:
    """How long to wait at most; `None` for as long as it takes."""
    if isinstance(wait, bool):
        return None if wait else 0.0
    if not isinstance(wait, (int, float)) or not wait >= 0:
        raise InvalidRequestError(
            f"wait must be True, False, or a number of seconds from 0 up; it is {wait!r:.40}", field="wait"
        )
    return None if wait == math.inf else float(wait)


def as_told(
    journal: str | PathLike[str], out: Out | None, concurrency: int | None
) -> Callable[[Mapping[str, object]], Wishes]:
    """The arguments of `collect`: those given, else what the last run was told."""
    return partial(from_notes, given={"out": out, "concurrency": concurrency}, journal=journal_path(journal))


def collecting_over(ongoing: Ongoing, client: Sender, seconds: float | None) -> Errands:
    """The second half, over a run that sends nothing. What it ends in is told with the report."""
    engine = ongoing.engine
    engine.planner.exhausted = True
    collector = Collector(engine, client._session, ongoing.stopper, seconds)
    try:
        yield from collector.collecting()
    except (Dalle2Error, OSError) as error:
        collector.problem = error
    ongoing.why = collector.why
    if collector.problem is not None and not engine.raises:
        engine.error, engine.raises = collector.problem, True
