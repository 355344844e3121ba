"""The commands that make pictures: options in, one paid call, files out."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias, cast

from ._deliver import Delivery
from ._options import (
    Argument,
    BaseUrl,
    Count,
    DryRun,
    Format,
    Host,
    HostOptions,
    Json,
    Model,
    Option,
    Output,
    Overwrite,
    Quality,
    Size,
    Source,
    Successor,
    Timeout,
    open_client,
)
from ._output import Place
from ._words import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._client import Client
    from .._results._blocking import Images

EXAMPLES = {
    "generate": """
Examples:
  dalle2 generate "a corgi astronaut, studio photo" -o corgi.png
  dalle2 generate "a corgi" --provider emulator         # no key, no cost
  dalle2 generate "a corgi" -n 4 --size 256x256 -o corgis/
  dalle2 generate "a corgi" -n 4 --dry-run              # what it would cost
  dalle2 generate - -o - < prompt.txt > corgi.png       # in a pipe
  dalle2 generate "a corgi" --json | jq -r '.images[].path'
""",
    "edit": """
Examples:
  dalle2 edit dog.png "a dog with a hat" --mask mask.png -o hat.png
  dalle2 edit dog.png "a dog with a hat" --mask-box 20,0,120,60
  dalle2 edit dog.png "a dog on the moon" --dry-run     # what it would cost
""",
    "vary": """
Examples:
  dalle2 vary dog.png -n 3 -o dogs/
  dalle2 generate "a dog" -o - | dalle2 vary - -o another.png
""",
}

Prompt: TypeAlias = Annotated[
    str, Argument("PROMPT", "What the whole picture should show; - reads standard input.")
]
LONGEST_PROMPT = 1_000_000
"""Characters read from standard input: far more than any model takes."""


class Order(NamedTuple):
    """One call as it was asked for on the command line."""

    operation: Literal["generate", "edit", "vary"]
    arguments: Mapping[str, object]
    host: HostOptions
    place: Place
    as_json: bool
    dry_run: bool

    @property
    def images(self) -> int:
        """How many images are asked for."""
        return cast("int", self.arguments.get("n")) or 1

    def call(self, client: Client) -> Images:
        """Make the call."""
        return cast("Images", getattr(client, self.operation)(**self.arguments))


def generate(
    prompt: Prompt,
    n: Count = None,
    size: Size = None,
    quality: Quality = None,
    output: Output = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    dry_run: DryRun = False,
    provider: Host = None,
    model: Model = None,
    successor: Successor = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    response_format: Format = None,
) -> None:
    """Paint images from a text, save them, and print their paths."""
    place = Place.from_option(output, overwrite=overwrite)
    host = HostOptions(
        provider=provider, model=model, successor=successor, base_url=base_url, timeout=timeout
    )
    arguments = {
        "prompt": _prompt(prompt),
        "n": n,
        "size": size,
        "quality": quality,
        "response_format": response_format,
    }
    carry_out(Order("generate", arguments, host, place, as_json, dry_run))


def edit(
    image: Source,
    prompt: Prompt,
    mask: Annotated[
        str | None, Option(("--mask",), "PATH", "A PNG of the same size; transparent is repainted.")
    ] = None,
    mask_box: Annotated[
        str | None,
        Option(
            ("--mask-box",), "LEFT,TOP,RIGHT,BOTTOM", "The box to repaint, in pixels, in place of a mask."
        ),
    ] = None,
    n: Count = None,
    size: Size = None,
    quality: Quality = None,
    output: Output = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    dry_run: DryRun = False,
    provider: Host = None,
    model: Model = None,
    successor: Successor = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    response_format: Format = None,
) -> None:
    """Repaint a part of an image: where it, or the mask, is transparent."""
    place = Place.from_option(output, overwrite=overwrite)
    host = HostOptions(
        provider=provider, model=model, successor=successor, base_url=base_url, timeout=timeout
    )
    if mask is not None and mask_box is not None:
        raise WrongUsage("--mask and --mask-box both say what to repaint: give one of them")
    if image == "-" and prompt == "-":
        raise WrongUsage("IMAGE and PROMPT cannot both come from standard input: give one as it is")
    source = _image(image)
    arguments = {
        "image": source,
        "prompt": _prompt(prompt),
        "mask": mask if mask_box is None else _mask(source, mask_box),
        "n": n,
        "size": size,
        "quality": quality,
        "response_format": response_format,
    }
    carry_out(Order("edit", arguments, host, place, as_json, dry_run))


def vary(
    image: Source,
    n: Count = None,
    size: Size = None,
    output: Output = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    dry_run: DryRun = False,
    provider: Host = None,
    model: Model = None,
    successor: Successor = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    response_format: Format = None,
) -> None:
    """Paint variations of an image."""
    place = Place.from_option(output, overwrite=overwrite)
    host = HostOptions(
        provider=provider, model=model, successor=successor, base_url=base_url, timeout=timeout
    )
    arguments = {"image": _image(image), "n": n, "size": size, "response_format": response_format}
    carry_out(Order("vary", arguments, host, place, as_json, dry_run))


def _prompt(text: str) -> str:
    """The prompt as it was typed, or from standard input, without the line break at its end."""
    if text != "-":
        return text
    if sys.stdin is None:
        raise WrongUsage("PROMPT is - and there is no standard input")
    try:
        text = sys.stdin.read(LONGEST_PROMPT + 1)
    except ValueError:
        raise WrongUsage("PROMPT on standard input is no text in this terminal's encoding") from None
    if len(text) > LONGEST_PROMPT:
        raise WrongUsage(f"PROMPT on standard input is longer than {LONGEST_PROMPT} characters")
    return text.removeprefix("\ufeff").rstrip("\r\n")


def _image(path: str) -> str | bytes:
    """The image's path, or its bytes from standard input."""
    if path != "-":
        return path
    stdin = getattr(sys.stdin, "buffer", None)
    if stdin is None:
        raise WrongUsage("IMAGE is - and there is no standard input of bytes")
    from .._requests._inputs import LARGEST

    return cast("bytes", stdin.read(LARGEST + 1))


def _mask(image: str | bytes, box: str) -> bytes:
    """The mask that repaints a box of the image."""
    from .._requests._pictures import mask_from_box

    try:
        left, top, right, bottom = (int(edge) for edge in box.split(","))
    except ValueError:
        raise WrongUsage(
            f"--mask-box must be LEFT,TOP,RIGHT,BOTTOM in pixels, such as 0,0,128,64; it is {box!r:.60}"
        ) from None
    return mask_from_box(image, (left, top, right, bottom))


def carry_out(order: Order) -> None:
    """Refuse what can be refused, make the call, and bring the images to their place."""
    order.place.check(order.images, as_json=order.as_json)
    if order.dry_run:
        _preview(order)
    else:
        _paint(order)


def _preview(order: Order) -> None:
    from ._preview import DeadLine, show

    line = DeadLine()
    with line.client, open_client(order.host, http_client=line.client) as client:
        call = functools.partial(order.call, client)
        show(call, line, order.place, order.images, as_json=order.as_json)


def _paint(order: Order) -> None:
    from ..errors import Dalle2Error, DownloadError
    from ._spinner import Progress, turning

    delivery = Delivery(order.place, order.images, model=order.host.get("model"), as_json=order.as_json)
    progress = Progress.on_terminal()
    listener = None if progress is None else progress.listen
    trouble: Dalle2Error | None = None
    try:
        with open_client(order.host, on_event=listener) as client, turning(progress):
            try:
                delivery.take(order.call(client))
            except Dalle2Error as error:
                if not error.images:
                    raise
                delivery.take(client.images_of(error))
                trouble = error
            except KeyboardInterrupt as interrupt:
                delivery.take(getattr(interrupt, "images", ()))  # what had been answered by then
                raise
            if progress is not None:
                progress.saving(delivery.count)
            delivery.save()
        delivery.tell()
    except BaseException:
        delivery.break_off()
        raise
    errors = delivery.failures()
    if trouble is not None:
        raise trouble
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise DownloadError(f"{len(errors)} of {delivery.count} images not saved; the first: {errors[0]}")
