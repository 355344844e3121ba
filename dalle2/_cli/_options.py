"""The options that several commands share, and the client that they make.

The rule: what was typed is checked one by one by the house's own checks, under the names of the command line,
so that a mistake there is `WrongUsage` by its type, and whatever else a client lacks (a key, a good variable)
is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypedDict

import typer

from ._words import WrongUsage, in_own_words

if TYPE_CHECKING:
    import httpx

    from .._client import Client
    from ..events import Listener

_PICTURE, _PLACE, _HOST = "The picture", "What comes out", "Who paints it"


def _known_providers() -> list[str]:
    from ..providers import PROVIDERS

    return list(PROVIDERS)


def _known_models() -> list[str]:
    from ..catalog import MODELS

    return list(MODELS)


Source: TypeAlias = Annotated[
    str, typer.Argument(metavar="IMAGE", help="A square PNG under 4 MB; - reads standard input.")
]
Count: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "-n", "--n", metavar="NUMBER", help="How many images; 1 unless said.", rich_help_panel=_PICTURE
    ),
]
Size: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="Pixels: 256x256, 512x512 or 1024x1024; more on newer models.",
        autocompletion=lambda: ["256x256", "512x512", "1024x1024"],
        rich_help_panel=_PICTURE,
    ),
]
Quality: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--quality",
        metavar="QUALITY",
        help="For newer models: low, medium, high, auto (dall-e-3: standard, hd).",
        autocompletion=lambda: ["low", "medium", "high", "auto", "standard", "hd"],
        rich_help_panel=_PICTURE,
    ),
]
Output: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A file, a directory (several images are numbered), or - for standard output.",
        rich_help_panel=_PLACE,
    ),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace files that exist.", rich_help_panel=_PLACE)
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON document instead of lines.", rich_help_panel=_PLACE
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="Say what would be sent and what it would cost; send nothing.",
        rich_help_panel=_PLACE,
    ),
]
Host: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="openai, cometapi, cometapi-responses, or emulator (no key, no network, no cost). "
        "Else DALLE2_PROVIDER, else the host whose key is set.",
        autocompletion=_known_providers,
        rich_help_panel=_HOST,
    ),
]
BaseUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Any compatible host. Else OPENAI_BASE_URL or COMETAPI_BASE_URL.",
        rich_help_panel=_HOST,
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Else DALLE2_MODEL, else dall-e-2.",
        autocompletion=_known_models,
        rich_help_panel=_HOST,
    ),
]
Successor: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--successor",
        metavar="NAME",
        help="The living model that paints what is meant for a retired one; auto or none. "
        "Else DALLE2_SUCCESSOR.",
        autocompletion=lambda: ["auto", "none", *_known_models()],
        rich_help_panel=_HOST,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long to wait for the host in each phase (connect, send, answer).",
        rich_help_panel=_HOST,
    ),
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--response-format",
        metavar="FORMAT",
        help="url or b64_json: how the host hands the picture over.",
        autocompletion=lambda: ["url", "b64_json"],
        rich_help_panel=_HOST,
    ),
]


class HostOptions(TypedDict, total=False):
    """Who is called, as it was typed; what was not typed is `None` or left out."""

    provider: str | None
    base_url: str | None
    model: str | None
    successor: str | None
    timeout: float | None


def open_client(
    options: HostOptions, *, on_event: Listener | None = None, http_client: httpx.Client | None = None
) -> Client:
    """The client that these options and the environment make.

    Raises `WrongUsage` for an option that no client takes, `ConfigurationError` for what else is missing.
    """
    from .._client import Client

    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        _check(name, value)
    if given.get("successor") == "none":
        given["successor"] = None
    return Client(**given, on_event=on_event, http_client=http_client)  # type: ignore[arg-type]


def _check(name: str, value: object) -> None:
    """Check one option by itself. Raises `WrongUsage`."""
    from ..errors import ConfigurationError

    try:
        _CHECKS[name](value)
    except ConfigurationError as error:
        raise WrongUsage(in_own_words(str(error), name)) from None


def _check_successor(name: str) -> None:
    from datetime import UTC, datetime

    from .._requests._successor import check_successor
    from .._texts import clean_word
    from ..catalog import MODELS

    if name != "none":
        check_successor(clean_word(name, "successor"), datetime.now(UTC).date(), MODELS)


def _check_provider(name: str) -> None:
    from ..providers import choose_provider

    choose_provider(name, None, {})


def _check_base_url(url: str) -> None:
    from .._texts import clean_base_url

    clean_base_url(url, "base_url")


def _check_model(name: str) -> None:
    from .._texts import clean_word

    clean_word(name, "model")


def _check_timeout(seconds: float) -> None:
    from ..settings import timeouts_of

    timeouts_of(seconds)


_CHECKS: dict[str, Callable[..., None]] = {
    "provider": _check_provider,
    "base_url": _check_base_url,
    "model": _check_model,
    "successor": _check_successor,
    "timeout": _check_timeout,
}
