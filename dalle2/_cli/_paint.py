"""The commands that make pictures: options in, one paid call, files out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from ..errors import Dalle2Error, DownloadError
from ._deliver import Place, print_document, print_paths, save_all

if TYPE_CHECKING:
    from datetime import datetime

    from .._client import Client
    from .._results._blocking import ImageResult, Images

Source: TypeAlias = Annotated[str, typer.Argument(help="A square PNG under 4 MB.")]
Count: TypeAlias = Annotated[int | None, typer.Option("-n", "--n", help="How many images; 1 unless said.")]
Size: TypeAlias = Annotated[str | None, typer.Option("--size", help="Such as 256x256, 512x512 or 1024x1024.")]
Output: TypeAlias = Annotated[
    str | None, typer.Option("-o", "--output", help="A file or a directory; several images are numbered.")
]
Host: TypeAlias = Annotated[
    str | None, typer.Option("--provider", help="openai, cometapi, cometapi-responses or emulator.")
]
Model: TypeAlias = Annotated[str | None, typer.Option("--model", help="The model; dall-e-2 unless said.")]
BaseUrl: TypeAlias = Annotated[str | None, typer.Option("--base-url", help="Any compatible host.")]
Format: TypeAlias = Annotated[str | None, typer.Option("--response-format", help="url or b64_json.")]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of paths.")]


def generate(
    prompt: Annotated[str, typer.Argument(help="What to paint.")],
    n: Count = None,
    size: Size = None,
    output: Output = None,
    provider: Host = None,
    model: Model = None,
    base_url: BaseUrl = None,
    response_format: Format = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Paint images from a text, save them, and print their paths."""
    _paint(
        lambda client: client.generate(prompt, n=n, size=size, response_format=response_format),
        provider=provider,
        model=model,
        base_url=base_url,
        place=Place.from_option(output, overwrite=overwrite),
        count=n or 1,
        as_json=as_json,
    )


def edit(
    image: Source,
    prompt: Annotated[str, typer.Argument(help="What the whole picture should show.")],
    mask: Annotated[
        str | None, typer.Option("--mask", help="A PNG of the same size; transparent is repainted.")
    ] = None,
    n: Count = None,
    size: Size = None,
    output: Output = None,
    provider: Host = None,
    model: Model = None,
    base_url: BaseUrl = None,
    response_format: Format = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Repaint a part of an image: where it, or the mask, is transparent."""
    _paint(
        lambda client: client.edit(image, prompt, mask=mask, n=n, size=size, response_format=response_format),
        provider=provider,
        model=model,
        base_url=base_url,
        place=Place.from_option(output, overwrite=overwrite),
        count=n or 1,
        as_json=as_json,
    )


def vary(
    image: Source,
    n: Count = None,
    size: Size = None,
    output: Output = None,
    provider: Host = None,
    model: Model = None,
    base_url: BaseUrl = None,
    response_format: Format = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Paint variations of an image."""
    _paint(
        lambda client: client.vary(image, n=n, size=size, response_format=response_format),
        provider=provider,
        model=model,
        base_url=base_url,
        place=Place.from_option(output, overwrite=overwrite),
        count=n or 1,
        as_json=as_json,
    )


def _paint(
    ask: Callable[[Client], Images],
    *,
    provider: str | None,
    model: str | None,
    base_url: str | None,
    place: Place,
    count: int,
    as_json: bool,
) -> None:
    from .._client import Client

    place.check(count)
    with Client(provider=provider, model=model, base_url=base_url) as client:
        images: Sequence[ImageResult]
        created: datetime | None = None
        named: str | None = model
        trouble: Dalle2Error | None = None
        with _spinner("painting"):
            try:
                answer = ask(client)
                images, created, named = answer, answer.created, answer.model
            except Dalle2Error as error:
                if not error.images:
                    raise
                images, trouble = cast("Sequence[ImageResult]", error.images), error
        with _spinner("saving"):
            delivered = save_all(images, place, count=max(count, len(images)))
    if as_json:
        print_document(created, named, delivered)
    else:
        print_paths(delivered)
    errors = [each.error for each in delivered if each.error is not None]
    if trouble is not None:
        raise trouble
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise DownloadError(f"{len(errors)} of {len(delivered)} images not saved; the first: {errors[0]}")


@contextlib.contextmanager
def _spinner(doing: str) -> Iterator[None]:
    """A spinner on a terminal's stderr; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{doing} …"):
        yield
