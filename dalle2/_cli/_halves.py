"""`dalle2 bulk submit` and `collect`: the provider's batches, at half the price, within a day.

The rule: handing over is what costs, so it is agreed to like a run; bringing back asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, cast

from ._agreed import plan, told_collected, told_submitted
from ._bulk_options import (
    Column,
    Concurrency,
    Dollars,
    Journal,
    JournalFile,
    MaxImages,
    Name,
    Prompt,
    Rows,
    Yes,
    beside,
    client_of,
    limit_of,
)
from ._options import BaseUrl, Count, Host, HostOptions, Model, Option, Quality, Size, Successor, open_client
from ._words import WrongUsage


def submit(
    rows: Rows,
    prompt: Prompt,
    out: Annotated[
        str | None,
        Option(("--out", "-o"), "DIR", "A directory or s3://bucket/dir; or say it to collect."),
    ] = None,
    journal: JournalFile = None,
    id: Column = None,
    size: Size = None,
    n: Count = None,
    quality: Quality = None,
    name: Name = "{id}-{index}",
    budget: Dollars = None,
    max_images: MaxImages = None,
    force: Annotated[
        bool,
        Option(("--force",), "", "Also a model that is not known to be made in batches."),
    ] = False,
    yes: Yes = False,
    provider: Host = None,
    base_url: BaseUrl = None,
    model: Model = None,
    successor: Successor = None,
) -> None:
    """Hand the rows to the provider's batches: half the price, within a day. The same again goes on."""
    from ..bulk._half_price import submit_with
    from ..bulk._handing import check_for_batches, wishes_of
    from ..bulk._rows import read_jobs

    host: HostOptions = {"provider": provider, "base_url": base_url, "model": model, "successor": successor}
    jobs = read_jobs(rows, prompt=prompt, id=id, n=n, size=size, quality=quality)
    if provider == "emulator":
        raise WrongUsage(
            "an emulator inside this command forgets its batches when it ends: start one with dalle2 serve, "
            "and say --base-url http://127.0.0.1:8000/v1"
        )
    if journal is None and out is None:
        raise WrongUsage("say --journal FILE, or --out DIR")
    path = beside(str(out)) if journal is None else journal
    wishes = wishes_of(out, limit_of(budget, max_images), name, cast("Mapping[str, object]", host))
    with open_client(host) as client:
        check = check_for_batches(client, priced=budget is not None, force=force)
        plan(client, jobs, path, wishes, yes, check)
        onward = f"dalle2 bulk collect {path}" + (" --out DIR" if out is None else "")
        told_submitted(onward, partial(submit_with, client, None, path, wishes, force))


def collect(
    journal: Journal,
    out: Annotated[
        str | None,
        Option(("--out", "-o"), "DIR", "A directory or s3://bucket/dir; else as before."),
    ] = None,
    wait: Annotated[
        float | None,
        Option(("--wait",), "SECONDS", "At most so long, 0 not at all; else until the end."),
    ] = None,
    concurrency: Concurrency = None,
    provider: Host = None,
    base_url: BaseUrl = None,
    model: Model = None,
    successor: Successor = None,
) -> None:
    """Bring the pictures of batches that have ended, and wait for the others."""
    from ..bulk._half_price import collect

    with client_of(journal, provider, base_url, model, successor) as client:
        bring = partial(collect, client, journal, out=out, concurrency=concurrency, progress=True)
        told_collected(journal, partial(bring, wait=True if wait is None else wait))
