"""A run of many pictures from the plan to its end: who agrees to it, and how its end is told.

The rule: one line says what is left and how to go on, whatever ended the run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from ..errors import Dalle2Error
from ._halt import Stopped
from ._screen import say, tell
from ._words import WrongUsage, describe

if TYPE_CHECKING:
    from .._client import Client
    from ..bulk._jobs import Job
    from ..bulk._load import Check
    from ..bulk._ongoing import Wishes
    from ..bulk._standing import Report


def agree(lines: list[str], yes: bool) -> None:
    """Show the plan and have it agreed to. Raises `WrongUsage` where nobody can."""
    for line in lines:
        tell(line, prefix="")
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage("nothing was sent: add --yes to go on with this plan")
    if not typer.confirm("Go on?", err=True):
        raise WrongUsage("nothing was sent")


def plan(
    client: Client,
    jobs: Iterable[Job | str],
    journal: Path,
    wishes: Wishes,
    yes: bool,
    batchable: Check | None = None,
) -> None:
    """Put the rows into the journal, and have what is to be sent agreed to; `batchable` if in batches."""
    from ..bulk._outlook import prepare

    with _forgetting(None if journal.exists() else journal):
        found = prepare(client, jobs, journal, wishes, batchable)
        lines = found.lines(jobs, wishes, in_batches=batchable is not None)
        if found.priceless and wishes.max_images is None:
            raise WrongUsage("not even a rough price is known for this model: say --max-images NUMBER")
        lines.append(
            f"journal: {journal}" if wishes.out is None else f"pictures: {wishes.out}, journal: {journal}"
        )
        agree(lines, yes or not (found.remaining if batchable is None else found.calls))


@contextmanager
def _forgetting(journal: Path | None) -> Iterator[None]:
    """Around the plan: a journal that was made for it is not left behind where nothing comes of it."""
    try:
        yield
    except BaseException:
        if journal is not None:
            for end in ("", "-wal", "-shm", ".lock"):
                with suppress(OSError):
                    Path(f"{journal}{end}").unlink()
        raise


def go(client: Client, journal: Path, wishes: Wishes | Callable[[Mapping[str, object]], Wishes]) -> None:
    """Run, and tell how it ended."""
    from ..bulk._run import run_with

    onward = f"go on with: dalle2 bulk resume {journal}"
    report = _ended(partial(run_with, client, None, journal, wishes, progress=True), onward)
    _told(report, journal, onward)


def told_submitted(onward: str, submit: Callable[[], Report]) -> None:
    """Hand over, and tell how it ended; `onward` is the command that follows."""
    report = _ended(submit, "go on with the same command")
    planned = report.remaining - report.batched
    if planned:
        why = f" ({report.stopped})" if report.stopped else ""
        more = " and a higher limit" if report.stopped == "the budget is reached" else ""
        raise Dalle2Error(
            f"{report.batched} of {report.total} in batches, {planned} not handed over{why}; go on with the "
            f"same command{more}"
        )
    say(*counted(report), *told_batches(report))
    if report.batched:
        tell(f"bring the pictures with: {onward}", prefix="")


def told_collected(journal: Path, collect: Callable[[], Report]) -> None:
    """Bring back, and tell how it ended."""
    onward = f"go on with: dalle2 bulk collect {journal}"
    report = _ended(collect, onward)
    if report.remaining > report.batched:
        onward = (
            f"hand them over again with the command that did, or make them with: dalle2 bulk resume {journal}"
        )
    _told(report, journal, onward)


def _ended(work: Callable[[], Report], onward: str) -> Report:
    """The report of what is done; whatever ends it early tells how to go on."""
    try:
        return work()
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(onward)
        raise
    except SystemExit as end:
        stopped = Stopped(cast("int", end.code) - 128)
        stopped.add_note(onward)
        raise stopped from None
    except Exception as error:
        found = getattr(error, "report", None)
        if found is None:
            raise
        raise Dalle2Error(f"{describe(error)}; {_left(cast('Report', found))}; {onward}") from None


def _told(report: Report, journal: Path, onward: str) -> None:
    """The counts, or where something is left one line that says what. Raises `Dalle2Error` with it."""
    if not report.complete:
        way = onward if report.remaining else f"look at them with: dalle2 bulk export {journal}"
        why = f" ({report.stopped})" if report.stopped else ""
        raise Dalle2Error(f"{_left(report)}{why}; {way}")
    say(*counted(report))


def _left(report: Report) -> str:
    states = ("remaining", "refused", "failed", "held", "expired")
    parts = [f"{count} {state}" for state in states if (count := getattr(report, state))]
    money = f" (which may have cost ${report.usd_held:.2f})" if report.held else ""
    return f"{report.done} of {report.total} done, {', '.join(parts)}{money}"


def counted(report: Report) -> list[str]:
    """The counts for people, a line each; what is none is left out, but for what is done."""
    lines = [f"done       {report.done} of {report.total}"]
    for state in ("refused", "failed", "held", "expired", "remaining"):
        if getattr(report, state):
            lines.append(f"{state:10} {getattr(report, state)}")
    if report.batched:
        lines.append(f"in batches {report.batched} of these")
    lines.append(
        f"spent      ${report.usd:.2f}"
        + (f", and {report.unpriced} without a price" if report.unpriced else "")
    )
    if report.held:
        lines.append(f"held       may have cost ${report.usd_held:.2f}")
    return lines


def told_batches(report: Report) -> list[str]:
    """A line for each batch that is out, or that was odd."""
    return [
        f"batch {batch['part']}    {batch['id'] or 'not heard of'}: {batch['error'] or batch['status']}, "
        f"{batch['waiting']} of {batch['rows']} waiting"
        for batch in report.batches()
        if not batch["ended"] or (batch["error"] and batch["id"])
    ]
