"""`dalle2 serve`: the emulator as an HTTP server, for other programs and other languages."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    api_key: Annotated[str, typer.Option(help="The only key that is accepted.")] = "sk-test",
) -> None:
    """Serve the image API locally: it costs nothing, and needs no network.

    The base URL is printed on a line of its own once the server is ready.
    """
    from ..testing import run

    run(host, port, api_key)
