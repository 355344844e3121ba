"""A run from its arguments to its report: what both `run` and `arun` do around their loops.

The rule: whatever can be refused is refused here, before anything is sent; and once the journal is open, it
is closed again, whatever happens.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import attrs

from .._client import Client
from ..errors import ConfigurationError, InvalidRequestError, JournalError
from ._engine import Engine
from ._journal import Journal
from ._load import check_with, load_jobs
from ._naming import Naming
from ._out import awaited_store, folder_of, place_of
from ._pacer import Pace
from ._place import is_place
from ._planner import Limits, Planner
from ._progress import Display, Progress
from ._receipt import nano
from ._recover import recover, verify
from ._schema import journal_path
from ._shared_pace import SharedPace, path_of_pace
from ._signals import Stopper
from ._spool import Spool
from ._standing import Report, counts, report_of, rows_of

if TYPE_CHECKING:
    from os import PathLike

    from .._money import Budget
    from ._jobs import Job
    from ._load import Sender
    from ._place import Out
    from ._progress import Listener

Outcome: TypeAlias = Callable[[dict[str, object]], object]
SPOOL_LIMIT = 2 * 1024**3


@attrs.frozen(kw_only=True)
class Wishes:
    """The arguments of a run, checked. `out` is `None` where it is not known yet."""

    out: Out | None
    name: str
    concurrency: int
    images_per_minute: float | None
    pace: str | None
    max_images: int | None
    max_usd: float | None
    on_unknown: Literal["hold", "retry"]
    spool_limit: int
    more: Mapping[str, object]
    provenance: bool = False

    def __attrs_post_init__(self) -> None:
        _check_whole("concurrency", self.concurrency)
        _check_whole("spool_limit", self.spool_limit)
        if self.images_per_minute is not None and not _is_positive(self.images_per_minute):
            raise InvalidRequestError(
                f"images_per_minute must be a number above 0, or None; it is {self.images_per_minute!r:.40}",
                field="images_per_minute",
            )
        if self.on_unknown not in ("hold", "retry"):
            raise InvalidRequestError(
                f'on_unknown must be "hold" or "retry"; it is {self.on_unknown!r:.40}',
                field="on_unknown",
                allowed=("hold", "retry"),
            )
        Naming.parse(self.name)

    @classmethod
    def checked(
        cls,
        *,
        out: Out | None,
        name: str,
        concurrency: int,
        images_per_minute: float | None,
        pace: str | PathLike[str] | None,
        budget: Budget | None,
        on_unknown: str,
        spool_limit: int = SPOOL_LIMIT,
        more: Mapping[str, object] | None = None,
        provenance: bool = False,
    ) -> Wishes:
        """The arguments as they are given. Raises `InvalidRequestError` naming the first that is wrong."""
        return cls(
            out=out,
            name=name,
            concurrency=concurrency,
            images_per_minute=images_per_minute,
            pace=path_of_pace(pace),
            max_images=None if budget is None else budget.max_images,
            max_usd=None if budget is None else budget.max_usd,
            on_unknown=cast('Literal["hold", "retry"]', on_unknown),
            spool_limit=spool_limit,
            more=more or {},
            provenance=provenance,
        )

    def noted(self) -> dict[str, object]:
        """What the journal keeps of them, so that a resumed run need not be told again."""
        here = isinstance(self.out, (str, os.PathLike))
        return {
            **{
                field.name: getattr(self, field.name) for field in attrs.fields(Wishes) if field.name != "out"
            },
            "out": os.fspath(cast("PathLike[str]", self.out)) if here else None,
            "folder": folder_of(self.out),
            "pace": None if self.pace is None else os.path.abspath(self.pace),
            "more": dict(self.more),
        }

    def noted_after(self, before: Mapping[str, object]) -> dict[str, object]:
        """The same after what an earlier run was told: its `out` stays where none is said now."""
        kept = {name: before.get(name) for name in ("out", "folder")} if self.out is None else {}
        return {**self.noted(), **kept}


def _check_whole(name: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise InvalidRequestError(f"{name} must be an integer from 1 up; it is {value!r:.40}", field=name)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def check_client(client: Sender, kind: type, other: str) -> None:
    """That this is the client for this function, and has no budget of its own."""
    if not isinstance(client, kind):
        raise InvalidRequestError(
            f"client must be a dalle2.{kind.__name__} here, not a {type(client).__name__}; with the other "
            f"client use {other}",
            field="client",
        )
    if client._session.budget is not None:
        raise ConfigurationError(
            "the client has a budget of its own, which would count beside the journal: give the budget to "
            "the run, and take a client without one"
        )


def refuse_path(jobs: object) -> None:
    """Raise for a path, or what else is no jobs, in the place of jobs."""
    if isinstance(jobs, (str, bytes, os.PathLike)):
        raise InvalidRequestError("jobs is a path: dalle2.bulk.read_jobs makes jobs of it", field="jobs")
    if not (jobs is None or isinstance(jobs, Iterable)):
        raise InvalidRequestError(f"jobs must be Job values or prompts; it is {jobs!r:.40}", field="jobs")


class Ongoing:
    """A run that has begun: its engine, who is shown what, and how it ended."""

    def __init__(self, engine: Engine, display: Display, on_outcome: Outcome | None) -> None:
        self.engine = engine
        self.stopper = Stopper()
        self.outcomes: list[object] = []
        """What `on_outcome` gave back."""
        self.why: str | None = None
        """Why not everything was done, where that is no stop and no error."""
        self._display = display
        self._on_outcome = on_outcome
        self._began = time.monotonic()
        self._images = engine.planner.spent_images

    def after(self, *, last: bool = False) -> None:
        """After each step: tell who wants to know."""
        ended, self.engine.ended = self.engine.ended, []
        if self._on_outcome is not None:
            for number in ended:
                for row in rows_of(self.engine.journal.db, number):
                    try:
                        self.outcomes.append(self._on_outcome(row))
                    except Exception:
                        logging.getLogger("dalle2").exception("on_outcome failed")
        if self._display.due(last=last):
            planner = self.engine.planner
            self._display.show(
                Progress(
                    images=planner.spent_images - self._images,
                    seconds=time.monotonic() - self._began,
                    under_way=len(planner.sending) + len(planner.keeping),
                    **counts(self.engine.journal.db),  # type: ignore[arg-type]
                )
            )

    def report(self) -> Report:
        """The report in the end. Raises what stopped the run, with `.report`."""
        engine = self.engine
        report = report_of(engine.journal.db, engine.journal.path, self._why())
        problem = self.stopper.interrupt if self.stopper.count else engine.error if engine.raises else None
        if problem is not None:
            problem.report = report  # type: ignore[attr-defined]
            raise problem
        return report

    def _why(self) -> str | None:
        reason, error = self.engine.planner.stopped, self.engine.error
        if self.stopper.count:
            return "interrupted"
        if reason == "budget":
            return "the budget is reached"
        if reason == "spool":
            return f"{self.engine.vault.spool.folder} is full of images that could not be kept"
        return self.why if reason is None or error is None else f"{type(error).__name__}: {error}"


@contextmanager
def begun(
    client: Sender,
    jobs: Iterable[Job | str] | None,
    journal: str | PathLike[str],
    wishes: Wishes | Callable[[Mapping[str, object]], Wishes],
    *,
    on_outcome: Outcome | None,
    progress: bool | Listener | None,
) -> Iterator[Ongoing]:
    """A run from the lock to the report. Raises `JournalError`, `InvalidRequestError`, `BudgetExceededError`
    and `OSError`, all before anything is sent.
    """
    refuse_path(jobs)
    path = journal_path(journal)
    book = Journal(path, create=jobs is not None)
    shared: SharedPace | None = None
    engine: Engine | None = None
    ready = False
    try:
        wishes = wishes if isinstance(wishes, Wishes) else wishes(book.last_options())
        naming = Naming.parse(wishes.name)
        place = place_of(cast("Out", wishes.out))
        if isinstance(client, Client) and inspect.iscoroutinefunction(place.put):
            raise awaited_store()
        spool = Spool(path)
        spooled = recover(book, spool)
        if jobs is not None:
            load_jobs(book, jobs, check_with(client, priced=wishes.max_usd is not None), naming)
        verify(book, place, naming)
        if is_place(place):
            place.probe()
        base = Pace.per_minute(wishes.images_per_minute)
        images, spent = book.spent()
        planner = Planner(
            concurrency=wishes.concurrency,
            pace=base,
            limits=Limits(wishes.max_images, None if wishes.max_usd is None else nano(wishes.max_usd)),
            spent_images=images,
            spent_nano=spent,
            spool_limit=wishes.spool_limit,
        )
        shared = None if wishes.pace is None else SharedPace(wishes.pace, base)
        book.begin_run(wishes.noted())
        engine = Engine(
            book,
            spool,
            place,
            planner,
            retry_unknown=wishes.on_unknown == "retry",
            pace=shared,
            provenance=wishes.provenance,
        )
        engine.begin(spooled)
        engine.vault.at_once = on_outcome is not None or callable(progress)
        ready = True
        with Display(progress) as display:
            yield Ongoing(engine, display, on_outcome)
    except OSError as problem:
        if not ready:  # a full or forbidden disk, met before anything was sent
            problem.report = report_of(book.db, path)  # type: ignore[attr-defined]
        raise
    finally:
        if engine is not None:
            engine.finish()
        if shared is not None:
            shared.close()
        book.close()


def from_notes(told: Mapping[str, object], given: Mapping[str, object], journal: Path) -> Wishes:
    """The arguments of a resumed run: those given, else what the last run was told."""
    if not told:  # its rows were refused, or what is at their place
        raise JournalError(
            f"no run has begun on the journal {str(journal)!r}: begin with bulk.run or bulk.submit"
        )
    before = told.get("out")
    out = given.get("out") or told.get("folder") or before
    if isinstance(before, str) and folder_of(before) == out:
        out = before  # as its caller named it
    if out is None:
        raise JournalError(
            f"the journal {str(journal)!r} does not say where its images go: give out=..., as the first "
            "run did"
        )
    values = {name: told[name] for name in told if name not in ("folder", "out")}
    budget = cast("Budget | None", given.get("budget"))
    if budget is not None:
        values["max_images"], values["max_usd"] = budget.max_images, budget.max_usd
    values |= {
        name: value for name, value in given.items() if value is not None and name not in ("out", "budget")
    }
    return Wishes(out=cast("Out", out), **values)  # type: ignore[arg-type]
