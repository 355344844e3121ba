"""One command line, and what its failures look like.

The rule: a command raises, and only this file turns an error into a line on stderr and an exit status, by the
error's type. A command is loaded when it is called; typer, which is half of a command's cost, only for what
people read: help, completion, and what is wrong with a line that is not plain.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ..errors import InvalidRequestError, ModelRetirementWarning
from ._halt import how, stoppable
from ._screen import forgiving, tell
from ._words import WrongUsage, describe, in_own_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPLETING = "_DALLE2_COMPLETE"
"""Set by the shell when it asks for completions."""


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    with forgiving(), stoppable(), _one_line_warnings():
        try:
            return _invoke(list(argv) or ["--help"])
        except SystemExit as end:  # the way in which the shell's completion ends
            return end.code if isinstance(end.code, int) else 0
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
    if argv[0] in ("generate", "edit", "vary") and not completing:
        from . import _paint
        from ._plainly import read

        command = getattr(_paint, argv[0])
        given = read(command, argv[1:])
        if given is not None:
            command(**given)
            return 0
    from ._typed import invoke

    return invoke(argv, completing=completing)


def _complain(message: str, status: int) -> int:
    tell(message)
    return status


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
