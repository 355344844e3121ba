"""What annotations mean at run time, in the rooms beside the client's own: `bulk`, `compat` and `testing`.

They name more than the code needs, in blocks that only type checkers read. Whoever asks for their meaning
(`typing.get_type_hints`, and so pydantic, cattrs, typer) evaluates them in the private file, which does
without: there each name of such a block gets a stand-in that is loaded only then.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, ForwardRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_BLOCK = re.compile(r"^if TYPE_CHECKING:\n((?:    .*\n|\n)+)", re.M)


def explain(package: str) -> None:
    """Let the annotations of a room be evaluated, in all of its files that are loaded."""
    for module in [one for name, one in list(sys.modules.items()) if name.startswith(f"{package}.")]:
        source = _source(module)
        _fill(module, source)
        for name in re.findall(r"^class (\w+)", source, re.M):
            _answer(vars(module).get(name), module)


def _source(module: ModuleType) -> str:
    try:
        return Path(getattr(module, "__file__", None) or "").read_text(encoding="utf-8")
    except OSError:  # a program that was packed without its sources
        return ""


def _fill(module: ModuleType, source: str) -> None:
    """Give the file's own names for type checkers their stand-ins."""
    names = vars(module)
    for block in _BLOCK.findall(source):
        for name, found in _stand_ins(ast.parse(dedent(block)), module, source):
            names.setdefault(name, found)


def _stand_ins(block: ast.Module, module: ModuleType, source: str) -> Iterator[tuple[str, Any]]:
    for node in block.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            home = "" if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
            if home.startswith("."):
                home = importlib.util.resolve_name(home, module.__package__)
            for one in node.names:
                name = one.asname or one.name
                place = (home, one.name) if home else (one.name, "")
                looked_into = name.islower() or f"{name}[" in source  # a module, or what is made of a kind
                yield name, _LookedInto(*place) if looked_into else _named(*place)
        elif isinstance(node, ast.Assign):
            yield ast.unparse(node.targets[0]), ForwardRef(ast.unparse(node.value))
        elif isinstance(node, ast.ClassDef):
            yield node.name, object


def _named(home: str, name: str) -> ForwardRef:
    return ForwardRef(f"__import__({__name__!r}, fromlist=['meant']).meant({home!r}, {name!r})")


class _LookedInto:
    """A stand-in of which a part is named: it is loaded then."""

    def __init__(self, home: str, name: str) -> None:
        self._place = home, name

    def __getattr__(self, part: str) -> Any:
        return getattr(meant(*self._place), part, object)

    def __getitem__(self, kinds: Any) -> Any:
        return meant(*self._place)[kinds]


def meant(home: str, name: str) -> Any:
    """What a name stands for; any object where only type checkers know it, or its library is missing."""
    try:
        module = importlib.import_module(home)
        found = getattr(module, name) if name else module
    except (ImportError, AttributeError):
        return object
    if isinstance(found, str):  # an alias that is written as a text
        _fill(module, _source(module))
        return eval(found, vars(module))
    return found


def _answer(kind: Any, module: ModuleType) -> None:
    """A public class shows another module as its own, where its annotations mean nothing."""
    if not isinstance(kind, type) or kind.__module__ == module.__name__:
        return
    for owner in (kind, kind.__init__):  # type: ignore[misc]
        texts = getattr(owner, "__annotations__", None)
        if texts and getattr(owner, "__globals__", {}) is not vars(module):
            owner.__annotations__ = {
                name: eval(text, vars(module)) if isinstance(text, str) else text
                for name, text in texts.items()
            }
