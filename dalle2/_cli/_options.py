"""The options that several commands share, and the client that they make.

The rule: what was typed is checked one by one by the house's own checks, under the names of the command line,
so that a mistake there is `WrongUsage` by its type, and whatever else a client lacks (a key, a good variable)
is not. They are declared as plain values, of which typer's are made (`_typed`) where typer is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias, TypedDict

from ._words import WrongUsage, in_own_words

if TYPE_CHECKING:
    import httpx

    from .._client import Client
    from ..events import Listener


class Argument(NamedTuple):
    """What stands without a name."""

    metavar: str
    help: str


class Option(NamedTuple):
    """What has a name, with the values that a shell completes; the metavar of a flag is empty."""

    names: tuple[str, ...]
    metavar: str
    help: str
    panel: str | None = None
    completed: Callable[[], list[str]] | None = None


_PICTURE, _PLACE, _HOST = "The picture", "What comes out", "Who paints it"


def _known_providers() -> list[str]:
    from ..providers import PROVIDERS

    return list(PROVIDERS)


def _known_models() -> list[str]:
    from ..catalog import MODELS

    return list(MODELS)


Source: TypeAlias = Annotated[str, Argument("IMAGE", "A square PNG under 4 MB; - reads standard input.")]
Count: TypeAlias = Annotated[
    int | None, Option(("-n", "--n"), "NUMBER", "How many images; 1 unless said.", _PICTURE)
]
Size: TypeAlias = Annotated[
    str | None,
    Option(
        ("--size",),
        "SIZE",
        "Pixels: 256x256, 512x512 or 1024x1024; more on newer models.",
        _PICTURE,
        lambda: ["256x256", "512x512", "1024x1024"],
    ),
]
Quality: TypeAlias = Annotated[
    str | None,
    Option(
        ("--quality",),
        "QUALITY",
        "For newer models: low, medium, high, auto (dall-e-3: standard, hd).",
        _PICTURE,
        lambda: ["low", "medium", "high", "auto", "standard", "hd"],
    ),
]
Output: TypeAlias = Annotated[
    str | None,
    Option(
        ("-o", "--output"),
        "PATH",
        "A file, a directory (several images are numbered), or - for standard output.",
        _PLACE,
    ),
]
Overwrite: TypeAlias = Annotated[bool, Option(("--overwrite",), "", "Replace files that exist.", _PLACE)]
Json: TypeAlias = Annotated[
    bool, Option(("--json",), "", "Print one JSON document instead of lines.", _PLACE)
]
DryRun: TypeAlias = Annotated[
    bool,
    Option(("--dry-run",), "", "Say what would be sent and what it would cost; send nothing.", _PLACE),
]
Host: TypeAlias = Annotated[
    str | None,
    Option(
        ("--provider",),
        "NAME",
        "openai, cometapi, cometapi-responses, or emulator (no key, no network, no cost). "
        "Else DALLE2_PROVIDER, else the host whose key is set.",
        _HOST,
        _known_providers,
    ),
]
BaseUrl: TypeAlias = Annotated[
    str | None,
    Option(("--base-url",), "URL", "Any compatible host. Else OPENAI_BASE_URL or COMETAPI_BASE_URL.", _HOST),
]
Model: TypeAlias = Annotated[
    str | None,
    Option(("--model",), "NAME", "Else DALLE2_MODEL, else dall-e-2.", _HOST, _known_models),
]
Successor: TypeAlias = Annotated[
    str | None,
    Option(
        ("--successor",),
        "NAME",
        "The living model that paints what is meant for a retired one; auto or none. Else DALLE2_SUCCESSOR.",
        _HOST,
        lambda: ["auto", "none", *_known_models()],
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    Option(
        ("--timeout",),
        "SECONDS",
        "How long to wait for the host in each phase (connect, send, answer).",
        _HOST,
    ),
]
Format: TypeAlias = Annotated[
    str | None,
    Option(
        ("--response-format",),
        "FORMAT",
        "url or b64_json: how the host hands the picture over.",
        _HOST,
        lambda: ["url", "b64_json"],
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
