"""`dalle2 doctor` and `dalle2 models`: what is there and what to change, without spending anything."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from .._secrets import one_line
from ._options import Argument, BaseUrl, Host, Json, Model, Option, open_client
from ._screen import document, say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._doctor._checked import Check
    from .._doctor._scan import Finding

TO_CHANGE = ("retired", "retiring", "error")
"""The kinds of finding that are certain."""
_LONGEST = 1000
EXAMPLES = {
    "models": """
Examples:
  dalle2 models
  dalle2 models --provider cometapi --json | jq -r '.models[].id'
""",
    "doctor": """
Examples:
  dalle2 doctor                       # key, host and model; costs nothing
  dalle2 doctor --provider cometapi
  dalle2 doctor src/ notebooks/       # calls that a retirement breaks
  dalle2 doctor --json src/ | jq -r '.findings[].file'
""",
}

MARKS = {"ok": "ok", "note": "", "warning": "warning", "problem": "PROBLEM"}


Strict = Annotated[
    bool,
    Option(
        ("--strict",),
        "",
        "With PATH: exit status 1 also for calls whose host is not known or that are not understood, "
        "and for files that are not read.",
    ),
]


def doctor(
    paths: Annotated[list[Path] | None, Argument("[PATH]...", "Python files or directories to scan.")] = None,
    provider: Host = None,
    model: Model = None,
    base_url: BaseUrl = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Check key, host and model; or, with PATH, find the calls in Python source that a retirement breaks.

    The exit status is 1 if there is a problem, or a call to change; with --strict also if a call cannot
    be judged.
    """
    if paths:
        _scan(paths, strict=strict, as_json=as_json)
    else:
        _check(provider, model, base_url, as_json=as_json)


def _check(provider: str | None, model: str | None, base_url: str | None, *, as_json: bool) -> None:
    from .._doctor._checks import diagnose

    today = datetime.now(UTC).date()
    checks = diagnose(os.environ, provider=provider, model=model, base_url=base_url, today=today)
    if as_json:
        document({"checks": [attrs.asdict(check) for check in checks]})
    else:
        _print_checks(checks)
    if any(check.status == "problem" for check in checks):
        raise typer.Exit(1)


def _print_checks(checks: Sequence[Check]) -> None:
    """A table of what was looked at, and a list of what changes on the successor."""
    changes = [check for check in checks if check.name.startswith("on ")]
    for check in checks:
        if check not in changes:
            say(f"{MARKS[check.status]:9}{check.name:6} {one_line(check.detail, _LONGEST)}")
    if changes:
        say("", f"What usual requests become {one_line(changes[0].name)}:")
    for change in changes:
        say(f"  {one_line(change.detail, _LONGEST)}")


def _scan(paths: list[Path], *, strict: bool, as_json: bool) -> None:
    from .._doctor._scan import scan_path

    today = datetime.now(UTC).date()
    for path in paths:
        if not os.path.lexists(path):
            raise FileNotFoundError(2, "No such file or directory", str(path))
    found = [finding for path in paths for finding in scan_path(path, today=today)]
    if as_json:
        document(
            {
                "findings": [attrs.asdict(one) for one in found if one.kind not in ("unclear", "unread")],
                "not_understood": [attrs.asdict(one) for one in found if one.kind == "unclear"],
                "not_read": [attrs.asdict(one) for one in found if one.kind == "unread"],
            }
        )
    else:
        _print_findings(found)
        tell(_summed_up(found), prefix="")
    if (strict and found) or any(one.kind in TO_CHANGE for one in found):
        raise typer.Exit(1)


def _print_findings(findings: Sequence[Finding]) -> None:
    """A line each where another program reads; on a terminal the changes below it, one by one."""
    for finding in findings:
        if not sys.stdout.isatty():
            say(str(finding))
            continue
        say(str(attrs.evolve(finding, change="")))
        for change in filter(None, finding.change.split("; ")):
            say(f"    {change}")


def _summed_up(findings: Sequence[Finding]) -> str:
    """What is certain, what hangs on the host, and what was not understood or read, each counted apart."""
    certain = [one for one in findings if one.kind in TO_CHANGE]
    of_host, unclear, unread = (
        sum(one.kind == kind for one in findings) for kind in ("host", "unclear", "unread")
    )
    told = []
    if certain:
        told.append(f"{len(certain)} to change in {_counted(len({one.file for one in certain}), 'file')}")
    if of_host:
        told.append(f"{of_host} {'more ' if certain else ''}to change if the host is OpenAI's")
    if unclear:
        told.append(f"{_counted(unclear, 'call')} not understood")
    if not told:
        told.append("nothing to change" + (" in what could be read" if unread else ""))
    if unread:
        told.append(f"{_counted(unread, 'file')} not read")
    return "; ".join(told)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def models(
    provider: Host = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """List the models of the host, with the day on which each ends."""
    with open_client({"provider": provider, "base_url": base_url}) as client:
        rows = client.list_models()
    if as_json:
        listed = [
            {
                "id": row.id,
                "owned_by": row.owned_by,
                "shutdown_date": row.shutdown_date and str(row.shutdown_date),
            }
            for row in rows
        ]
        document({"models": listed})
        return
    today = datetime.now(UTC).date()
    names = [one_line(row.id) for row in rows]
    width = max(map(len, names), default=0)
    lines = []
    for name, row in zip(names, rows, strict=True):
        end = row.shutdown_date
        told = "" if end is None else f"{'ended' if end <= today else 'ends'} {end}"
        lines.append(f"{name:{width}}  {told}".rstrip())
    say(*lines)
