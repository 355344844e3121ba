"""The options of `dalle2 bulk`, and the client, limits and arguments that they mean.

The rule: a journal remembers whom it called; what is said anew wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

from ._options import Argument, Option, open_client
from ._words import WrongUsage

if TYPE_CHECKING:
    from .._client import Client
    from .._money import Budget
    from ..bulk._ongoing import Wishes
    from ._options import HostOptions

Rows: TypeAlias = Annotated[
    Path,
    Argument("ROWS", "A file that ends in .csv, .tsv or .jsonl."),
]
Prompt: TypeAlias = Annotated[
    str,
    Option(("--prompt",), "TEMPLATE", 'What to paint: "Photo of {title}", with names of columns.'),
]
Column: TypeAlias = Annotated[
    str | None,
    Option(("--id",), "COLUMN", "The column that names a row; else its number from 1."),
]
Name: TypeAlias = Annotated[
    str, Option(("--name",), "TEMPLATE", "What a file is called, without its suffix.")
]
Dollars: TypeAlias = Annotated[
    float | None,
    Option(("--budget",), "USD", "Stop before more dollars than these are spent in all."),
]
MaxImages: TypeAlias = Annotated[
    int | None,
    Option(("--max-images",), "NUMBER", "Stop before more images than these are made."),
]
JournalFile: TypeAlias = Annotated[Path | None, Option(("--journal",), "FILE", "Else OUT.db beside OUT.")]
Journal: TypeAlias = Annotated[Path, Argument("JOURNAL", "The journal of a run.")]
Yes: TypeAlias = Annotated[bool, Option(("--yes",), "", "Do not ask; go on with the plan.")]
Concurrency: TypeAlias = Annotated[
    int | None, Option(("--concurrency",), "NUMBER", "So many calls at once; 8 unless said.")
]


def limit_of(usd: float | None, images: int | None) -> Budget | None:
    """The budget that two options mean."""
    from .._money import Budget

    return None if usd is None and images is None else Budget(max_images=images, max_usd=usd)


def beside(out: str) -> Path:
    """The journal of a local directory: `pictures.db` for `pictures/`."""
    if "://" in out:
        raise WrongUsage("say --journal FILE: beside a store there is no place for it")
    folder = Path(out)
    return folder.with_name(f"{folder.name}.db") if folder.name else Path("bulk.db")


def client_of(
    journal: Path, provider: str | None, base_url: str | None, model: str | None, successor: str | None
) -> Client:
    """The client of the last run, but for what is said now."""
    from ..bulk._standing import notes_of

    more = notes_of(journal).get("more")
    before = more if isinstance(more, Mapping) else {}
    said = {"provider": provider, "base_url": base_url, "model": model, "successor": successor}
    if provider is not None or base_url is not None:
        before = {name: before.get(name) for name in ("model", "successor")}
    host = {name: before.get(name) if value is None else value for name, value in said.items()}
    return open_client(cast("HostOptions", host))


def as_before(journal: Path, concurrency: int | None) -> Callable[[Mapping[str, object]], Wishes]:
    """The arguments of the last run, but for what is said now."""
    from functools import partial

    from ..bulk._ongoing import from_notes

    return partial(from_notes, given={"concurrency": concurrency}, journal=journal)
