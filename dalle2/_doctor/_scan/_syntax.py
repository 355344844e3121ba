"""Text to syntax tree, in bounds.

The rule: whatever a text is, the answer is its tree or an `Unparsable`; nothing that Python's compiler thinks
of it is shown, and no text is long enough to fill the memory.
"""

from __future__ import annotations

import ast
import sys
import warnings
from typing import Literal

_MOST = 1_000_000
_ANNOTATION = 500
_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Unparsable(Exception):
    """A text that is no Python, or too much of it; with the line."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def statements(text: str) -> list[ast.stmt]:
    """The statements of a module. Raises `Unparsable`."""
    if len(text) > _MOST:
        raise Unparsable(f"more than {_MOST} characters")
    tree = _tree(text, "exec")
    assert isinstance(tree, ast.Module)
    return tree.body


def expression(text: str) -> ast.expr | None:
    """The expression in a quoted annotation, or `None`."""
    if len(text) > _ANNOTATION:
        return None
    try:
        tree = _tree(text, "eval")
    except Unparsable:
        return None
    assert isinstance(tree, ast.Expression)
    return tree.body


def _tree(text: str, mode: Literal["exec", "eval"]) -> ast.AST:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler thinks of a regex is not our subject
        try:
            tree = compile(text, "<source>", mode, _FLAGS, dont_inherit=True)
        except SyntaxError as problem:
            reason, line = problem.msg, problem.lineno or 1
        except (ValueError, OverflowError, RecursionError, MemoryError) as problem:
            reason, line = str(problem) or type(problem).__name__, 1
        else:
            assert isinstance(tree, ast.AST)
            return tree
    raise Unparsable(reason, line)
