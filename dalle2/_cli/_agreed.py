"""A run of many pictures from the plan to its end: who agrees to it, and how its end is told.

The rule: one line says what is left and how to go on, whatever ended the run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from ..errors import Dalle2Error
from ._halt import Stopped
from ._screen import say, tell
from ._words import WrongUsage, describe

if TYPE_CHECKING:
    from .._client import Client
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


@contextmanager
def forgetting(journal: Path | None) -> Iterator[None]:
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
    try:
        report = run_with(client, None, journal, wishes, progress=True)
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
    lines.append(
        f"spent      ${report.usd:.2f}"
        + (f", and {report.unpriced} without a price" if report.unpriced else "")
    )
    if report.held:
        lines.append(f"held       may have cost ${report.usd_held:.2f}")
    return lines
