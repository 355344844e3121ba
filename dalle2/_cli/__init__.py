"""The shell: `dalle2 generate`, `dalle2 serve` and the others.

The rule: exit status 0 is done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM; what was
asked for goes to stdout, all else to stderr; an error is one line and never a traceback. This file imports
nothing of the extra `cli`, so that a plain installation can say which extra is missing, and `--version`
costs nothing.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` unless given) and return the exit status."""
    if argv is None:  # the process is ours; neither trio nor httpx's own command is loaded if installed
        for name in ("trio", "httpx._main"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if find_spec("typer") is None:
            from ._screen import tell

            tell("the command line needs an extra: pip install 'dalle2-sdk[cli]'")
            return 1
        if words == ["--version"]:
            from .. import __version__
            from ._screen import say

            say(f"dalle2 {__version__}")
            return 0
        from ._app import run

        return run(words)
    except KeyboardInterrupt:  # while the command itself was being loaded
        return 130
