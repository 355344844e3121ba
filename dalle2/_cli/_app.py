"""The commands put together, and what their failures look like.

The rule: a command raises, and only this file turns an error into a line on stderr and an exit status.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

from .._version import __version__
from ..errors import ConfigurationError, Dalle2Error, InvalidRequestError
from ._diagnose import doctor, models
from ._paint import edit, generate, vary
from ._serve import serve

app = typer.Typer(
    name="dalle2", add_completion=False, help="Images from DALL·E 2, on every host that still speaks it."
)
for command in (generate, edit, vary, models, doctor, serve):
    app.command()(command)


def show_version(wanted: bool) -> None:
    """Print the version and stop, if it was asked for."""
    if wanted:
        typer.echo(f"dalle2 {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Images from DALL·E 2, on every host that still speaks it."""


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    shell = typer.main.get_command(app)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            status = shell.main(args=list(argv), prog_name="dalle2", standalone_mode=False)
    except typer.TyperException as error:
        return complain(f"{error.format_message()} (see: dalle2 --help)", error.exit_code)
    except InvalidRequestError as error:
        return complain(str(error), 2)
    except ConfigurationError as error:  # an argument of the command line, or something that is missing
        return complain(str(error), 2 if str(error).startswith(("provider ", "base_url ", "model ")) else 1)
    except Exception as error:  # the last line of defence: a user is never shown a traceback
        return complain(describe(error), 1)
    if status == 130:
        return complain("interrupted; a request that was under way may still be billed", 130)
    return status if isinstance(status, int) else 0


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning of ours as one line, without the source line that Python adds."""
    complain(f"warning: {message}", 0)


def describe(error: Exception) -> str:
    """What went wrong, in one line: the local disk by file and reason, our own errors by their message."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, Dalle2Error | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def complain(message: str, status: int) -> int:
    """Print one line on stderr and return the status."""
    print("dalle2:", " ".join(message.split()), file=sys.stderr)
    return status
