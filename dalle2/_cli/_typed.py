"""The commands put together for typer: for help, completion, and all lines that are not plain.

The rule: a command is loaded when it is called; all of them only for the help. The options that commands
declare as plain values become typer's here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Annotated, Any, get_type_hints

import typer

from .. import __version__
from ._options import Argument, Option
from ._screen import say, tell

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
            for command in found.registered_commands:
                command.callback = command.callback and with_options(command.callback)
            app.add_typer(found, name=name)
        else:
            epilog = getattr(_module(name), "EXAMPLES", {}).get(name)
            app.command(name, epilog=epilog)(with_options(found))
    return app


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, its plain options made typer's."""
    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        told = getattr(hint, "__metadata__", (None,))[0]
        if isinstance(told, Argument):
            hints[name] = Annotated[hint.__origin__, typer.Argument(metavar=told.metavar, help=told.help)]
        elif isinstance(told, Option):
            option = typer.Option(
                *told.names,
                metavar=told.metavar,
                help=told.help,
                autocompletion=told.completed,
                rich_help_panel=told.panel,
            )
            hints[name] = Annotated[hint.__origin__, option]
    code: Any = command
    made = FunctionType(code.__code__, code.__globals__, code.__name__, code.__defaults__)
    made.__doc__, made.__annotations__ = command.__doc__, hints
    return made


def _command(name: str) -> typer.Typer | Callable[..., None]:
    """A command, or a group of them."""
    found: typer.Typer | Callable[..., None] = getattr(_module(name), name)
    return found


def invoke(argv: list[str], *, completing: bool = False) -> int:
    """Run a command line as typer reads it, and return its exit status."""
    try:
        _invoke(argv, completing)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        tell(f"{error.format_message()} (see: {_path(error)} --help)")
        return error.exit_code
    return 0


def _invoke(argv: list[str], completing: bool) -> None:
    known = argv[0] in COMMANDS and not completing
    if len(argv) == 1 and known and isinstance(_command(argv[0]), typer.Typer):
        argv.append("--help")  # a group alone, as the command alone
    shell = typer.main.get_command(assemble([argv[0]] if known else COMMANDS))
    if completing:
        shell.main(args=argv, prog_name="dalle2", standalone_mode=False)
    with shell.make_context("dalle2", argv) as context:
        shell.invoke(context)


def _path(error: typer.TyperException) -> str:
    """The command that was typed wrong, such as `dalle2 generate`."""
    return str(getattr(getattr(error, "ctx", None), "command_path", "dalle2"))
