"""The commands put together, and what their failures look like.

The rule: a command raises, and only this file turns an error into a line on stderr and an exit status, by the
error's type. A command is loaded when it is called; all of them only for the help.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, TextIO

import typer

from .. import __version__
from ..errors import InvalidRequestError, ModelRetirementWarning
from ._halt import how, stoppable
from ._screen import forgiving, say, tell
from ._words import WrongUsage, describe, in_own_words

COMPLETING = "_DALLE2_COMPLETE"
"""Set by the shell when it asks for completions."""

EPILOG = """
Examples:
  dalle2 generate "a corgi astronaut" --provider emulator   # no key, no cost
  dalle2 generate "a corgi astronaut" -n 2 --size 512x512 -o corgi.png
  dalle2 generate "a corgi astronaut" --dry-run             # what it costs
  dalle2 doctor                                             # key, host, model
  dalle2 COMMAND --help                                     # more examples

Environment:
  OPENAI_API_KEY, COMETAPI_KEY         the key; the first that is set is used
  OPENAI_BASE_URL, COMETAPI_BASE_URL   another address for its host
  OPENAI_ORG_ID, OPENAI_PROJECT_ID     who is billed
  DALLE2_PROVIDER, DALLE2_MODEL        in place of --provider and --model
  DALLE2_SUCCESSOR                     in place of --successor

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 SIGTERM.
"""


def _module(command: str) -> ModuleType:
    """The file that holds a command."""
    if command in ("generate", "edit", "vary"):
        from . import _paint

        return _paint
    if command in ("models", "doctor"):
        from . import _diagnose

        return _diagnose
    if command == "bulk":
        from . import _bulk

        return _bulk
    from . import _serve

    return _serve


COMMANDS = ("generate", "edit", "vary", "bulk", "models", "doctor", "serve")
"""In the order of the help."""


def show_version(wanted: bool) -> None:
    """Print the version and stop, if it was asked for."""
    if wanted:
        say(f"dalle2 {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Images from DALL·E 2, on every host that still speaks it."""


def assemble(commands: Sequence[str]) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="dalle2",
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
    )
    app.callback()(options)
    for name in commands:
        found = _command(name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, epilog=getattr(_module(name), "EXAMPLES", {}).get(name))(found)
    return app


def _command(name: str) -> typer.Typer | Callable[..., None]:
    """A command, or a group of them."""
    found: typer.Typer | Callable[..., None] = getattr(_module(name), name)
    return found


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    with forgiving(), stoppable(), _one_line_warnings():
        try:
            return _invoke(list(argv) or ["--help"])
        except typer.Exit as end:
            return end.exit_code
        except SystemExit as end:  # the way in which the shell's completion ends
            return end.code if isinstance(end.code, int) else 0
        except typer.TyperException as error:
            return _complain(f"{error.format_message()} (see: {_path(error)} --help)", error.exit_code)
        except (WrongUsage, InvalidRequestError) as error:
            return _complain(describe(error), 2)
        except Exception as error:  # the last line of defence: a user is never shown a traceback
            return _complain(describe(error), 1)
        except KeyboardInterrupt as interrupt:
            said, status = how(interrupt)
            notes = [note.removeprefix("dalle2: ") for note in getattr(interrupt, "__notes__", ())]
            return _complain("; ".join([said, *notes]), status)


def _invoke(argv: list[str]) -> int:
    completing = COMPLETING in os.environ
    known = argv[0] in COMMANDS and not completing
    if len(argv) == 1 and known and isinstance(_command(argv[0]), typer.Typer):
        argv.append("--help")  # a group alone, as the command alone
    shell = typer.main.get_command(assemble([argv[0]] if known else COMMANDS))
    if completing:
        shell.main(args=argv, prog_name="dalle2", standalone_mode=False)
    with shell.make_context("dalle2", argv) as context:
        shell.invoke(context)
    return 0


def _complain(message: str, status: int) -> int:
    tell(message)
    return status


def _path(error: typer.TyperException) -> str:
    """The command that was typed wrong, such as `dalle2 generate`."""
    return str(getattr(getattr(error, "ctx", None), "command_path", "dalle2"))


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Warnings as one line each, without the source line that Python adds; none of ours becomes an error."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        tell(f"warning: {in_own_words(str(message))}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.filterwarnings("always", category=ModelRetirementWarning)
        yield
