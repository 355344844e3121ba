"""`dalle2 doctor` and `dalle2 models`: what is there and what to change, without spending anything."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from ._options import BaseUrl, Host, Json, Model, open_client
from ._screen import document, say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._doctor._checks import Check
    from .._doctor._scan import Finding

MARKS = {"ok": "ok", "note": "", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Python files or directories to scan.")
    ] = None,
    provider: Host = None,
    model: Model = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Check key, host and model; or, with PATH, find the calls in Python source that a retirement breaks.

    The exit status is 1 if there is a problem, or a call to change.
    """
    if paths:
        _scan(paths, as_json=as_json)
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
            say(f"{MARKS[check.status]:9}{check.name:6} {check.detail}")
    if changes:
        say("", f"With Client(successor='auto'), {changes[0].name}:")
    for change in changes:
        say(f"  {change.detail}")


def _scan(paths: list[Path], *, as_json: bool) -> None:
    from .._doctor._scan import scan_path

    today = datetime.now(UTC).date()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(2, "No such file or directory", str(path))
    findings = [finding for path in paths for finding in scan_path(path, today=today)]
    if as_json:
        document({"findings": [attrs.asdict(finding) for finding in findings]})
    else:
        _print_findings(findings)
    if findings:
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
    calls, files = len(findings), len({finding.file for finding in findings})
    told = (
        f"{calls} to change in {files} file{'' if files == 1 else 's'}" if findings else "nothing to change"
    )
    tell(told, prefix="")


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
    width = max((len(row.id) for row in rows), default=0)
    lines = []
    for row in rows:
        end = row.shutdown_date
        told = "" if end is None else f"{'ended' if end <= today else 'ends'} {end}"
        lines.append(f"{row.id:{width}}  {told}".rstrip())
    say(*lines)
