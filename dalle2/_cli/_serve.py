"""`dalle2 serve`: the emulator as an HTTP server, for other programs and other languages."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from ._words import WrongUsage, in_own_words

EXAMPLES = {
    "serve": """
Examples:
  dalle2 serve
  dalle2 serve --today 2026-06-01                  # after the retirement
  dalle2 serve --persona cometapi --latency 2.5    # another host, a slow one

In another terminal:
  export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=sk-test
  dalle2 generate "a corgi astronaut"
"""
}


def _day(text: str) -> date:
    return date.fromisoformat(text)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    api_key: Annotated[str, typer.Option(help="The only key that is accepted.")] = "sk-test",
    persona: Annotated[
        str | None,
        typer.Option(help="The host to imitate: openai, cometapi, azure, litellm, localai, one-api."),
    ] = None,
    today: Annotated[
        date | None,
        typer.Option(
            parser=_day, metavar="YYYY-MM-DD", help="Turn retirements on, as they stand on that day."
        ),
    ] = None,
    latency: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long a paid call takes.")
    ] = None,
) -> None:
    """Serve the image API locally: it costs nothing, and needs no network.

    The base URL is printed on a line of its own once the server is ready. It ends on Ctrl-C and on SIGTERM.
    """
    from ..testing import Emulator, run

    wanted: dict[str, Any] = {"persona": persona, "today": today, "latency": latency}
    given = {name: value for name, value in wanted.items() if value is not None}
    try:
        emulator = Emulator(api_key=api_key, keep=1000, **given)
    except ValueError as problem:  # the emulator's word for a value that it does not take
        raise WrongUsage(in_own_words(str(problem))) from None
    run(host, port, emulator=emulator)
