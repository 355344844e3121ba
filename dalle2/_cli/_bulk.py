"""`dalle2 bulk`: many pictures from a file of rows, in a run that can be stopped and goes on.

The rule: before anything is spent, the plan is shown and somebody says yes: a person on a terminal, or
`--yes`. The exit status is 0 only if every row is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import typer

from ._agreed import agree, counted, go, plan, told_batches
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
    as_before,
    beside,
    client_of,
    limit_of,
)
from ._halves import collect, submit
from ._options import (
    Argument,
    BaseUrl,
    Count,
    Host,
    HostOptions,
    Json,
    Model,
    Option,
    Quality,
    Size,
    Successor,
    open_client,
)
from ._screen import document, say

bulk = typer.Typer(
    help="Many pictures from a file of rows: a run that can be stopped at any moment and goes on.",
    no_args_is_help=False,
)

bulk.command()(submit)
bulk.command()(collect)

EXAMPLES = """
Examples:
  dalle2 bulk run products.csv --prompt "Studio photo of {Title}" \\
      --id SKU --size 512x512 --out pictures --budget 20
  dalle2 bulk status pictures.db
  dalle2 bulk resume pictures.db --yes
  dalle2 bulk export pictures.db > pictures.jsonl
  dalle2 bulk gallery pictures.db -o pictures.html

  dalle2 bulk submit products.csv --prompt "Studio photo of {Title}" --id SKU \\
      --model gpt-image-2 --quality low --journal pictures.db
  dalle2 bulk collect pictures.db --out pictures
"""


@bulk.command(epilog=EXAMPLES)
def run(
    rows: Rows,
    prompt: Prompt,
    out: Annotated[
        str,
        Option(("--out", "-o"), "DIR", "The directory for the pictures, or s3://bucket/dir."),
    ],
    id: Column = None,
    journal: JournalFile = None,
    size: Size = None,
    n: Count = None,
    quality: Quality = None,
    name: Name = "{id}-{index}",
    budget: Dollars = None,
    max_images: MaxImages = None,
    images_per_minute: Annotated[
        float | None,
        Option(("--images-per-minute",), "NUMBER", "Not more than these, evenly spaced."),
    ] = None,
    concurrency: Concurrency = None,
    provenance: Annotated[
        bool, Option(("--provenance",), "", "Put NAME.json beside each: prompt, model, id.")
    ] = False,
    yes: Yes = False,
    provider: Host = None,
    base_url: BaseUrl = None,
    model: Model = None,
    successor: Successor = None,
) -> None:
    """Paint a picture for each row. The same command again goes on where the last run stopped."""
    from ..bulk._ongoing import Wishes
    from ..bulk._rows import read_jobs

    host: HostOptions = {"provider": provider, "base_url": base_url, "model": model, "successor": successor}
    path = journal or beside(out)
    jobs = read_jobs(rows, prompt=prompt, id=id, n=n, size=size, quality=quality)
    wishes = Wishes.checked(
        out=out,
        name=name,
        concurrency=8 if concurrency is None else concurrency,
        images_per_minute=images_per_minute,
        pace=None,
        budget=limit_of(budget, max_images),
        on_unknown="hold",
        more=cast("Mapping[str, object]", host),
        provenance=provenance,
    )
    with open_client(host) as client:
        plan(client, jobs, path, wishes, yes)
        go(client, path, wishes)


@bulk.command()
def resume(
    journal: Journal,
    concurrency: Concurrency = None,
    yes: Yes = False,
    provider: Host = None,
    base_url: BaseUrl = None,
    model: Model = None,
    successor: Successor = None,
) -> None:
    """Go on with a journal, without its rows; what is not said is as the last run was told."""
    from ..bulk._outlook import outlook

    found = outlook(journal)
    with client_of(journal, provider, base_url, model, successor) as client:
        if found.remaining:
            agree(found.lines(), yes)
        go(client, journal, as_before(journal, concurrency))


@bulk.command()
def release(
    journal: Journal,
    ids: Annotated[list[str] | None, Argument("[ID]...", "Else all that are held.")] = None,
    concurrency: Concurrency = None,
    yes: Yes = False,
    provider: Host = None,
    base_url: BaseUrl = None,
    model: Model = None,
    successor: Successor = None,
) -> None:
    """Send what is held once more, knowingly: what was paid for it, if it was, is paid again. Then go on."""
    from .. import bulk as room
    from ..bulk._outlook import outlook

    found = outlook(journal)
    with client_of(journal, provider, base_url, model, successor) as client:
        what = f"all {found.held}" if not ids else f"{len(ids)} of {found.held}"
        told = f"to be sent once more: {what} that are held, which may be paid for twice"
        agree([told, *found.lines()], yes)
        room.release(journal, ids or None)
        go(client, journal, as_before(journal, concurrency))


@bulk.command()
def status(journal: Journal, as_json: Json = False) -> None:
    """How a journal stands, also while a run goes on."""
    from ..bulk._standing import Counts, status

    report = status(journal)
    if as_json:
        document({name: getattr(report, name) for name in (*_names(Counts), "total")})
    else:
        say(*counted(report), *told_batches(report))


def _names(kind: type) -> list[str]:
    import attrs

    return [field.name for field in attrs.fields(kind)]


@bulk.command()
def export(journal: Journal) -> None:
    """Every row as a line of JSON: id, state, paths, usd, error, and the columns of the row."""
    from ..bulk._standing import status

    for row in status(journal).rows():
        say(json.dumps(row))


@bulk.command()
def gallery(
    journal: Journal,
    output: Annotated[Path, Option(("-o", "--output"), "PAGE", "The page to write, such as page.html.")],
) -> None:
    """Write a page with every picture, its prompt, its state and its cost, to look through in a browser."""
    from ..bulk._gallery import write_gallery

    say(str(write_gallery(journal, output)))
