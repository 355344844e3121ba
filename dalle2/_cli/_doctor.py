"""`dalle2 doctor` and `dalle2 models`: what is there and what to change, without spending anything."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ._paint import BaseUrl, Host, Json, Model

MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def _print_json(document: dict[str, object]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))


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
    from .._doctor import diagnose

    today = datetime.now(UTC).date()
    checks = diagnose(os.environ, provider=provider, model=model, base_url=base_url, today=today)
    if as_json:
        _print_json({"checks": [attrs.asdict(check) for check in checks]})
    else:
        for check in checks:
            print(f"{MARKS[check.status]}{check.name}: {check.detail}")
    if any(check.status == "problem" for check in checks):
        raise typer.Exit(1)


def _scan(paths: list[Path], *, as_json: bool) -> None:
    from .._scan import scan_path

    today = datetime.now(UTC).date()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(2, "No such file or directory", str(path))
    findings = [finding for path in paths for finding in scan_path(path, today=today)]
    if as_json:
        _print_json({"findings": [attrs.asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(finding)
        if not findings:
            print("nothing to change was found", file=sys.stderr)
    if findings:
        raise typer.Exit(1)


def models(
    provider: Host = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """List the models of the host, with the day on which each ends."""
    import dalle2

    with dalle2.Client(provider=provider, base_url=base_url) as client:
        rows = client.list_models()
    if as_json:
        listed = [
            {"id": row.id, "owned_by": row.owned_by, "shutdown_date": row.shutdown_date and str(row.shutdown_date)}
            for row in rows
        ]
        _print_json({"models": listed})
        return
    width = max((len(row.id) for row in rows), default=0)
    for row in rows:
        print(f"{row.id:{width}}  ends {row.shutdown_date}" if row.shutdown_date else row.id)
