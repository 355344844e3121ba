"""Reading a command line without typer, as far as it is plain.

The rule: what is read here is read exactly as typer would; whatever needs a second look (a word that begins
with a dash and is no option's name, a value that is no plain number, a repetition, something missing) is left
to it, and so are all mistakes and their messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import get_type_hints

from ._options import Argument, Option

_NUMBERS: Mapping[object, tuple[str, Callable[[str], object]]] = {
    int | None: (r"[0-9]{1,6}", int),
    float | None: (r"[0-9]{1,6}(\.[0-9]{1,6})?", float),
}


def read(command: Callable[..., None], words: Sequence[str]) -> dict[str, object] | None:
    """The arguments of a command by their names, or `None`."""
    places: list[str] = []
    options: dict[str, tuple[str, object]] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        told = getattr(hint, "__metadata__", (None,))[0]
        if isinstance(told, Argument):
            places.append(name)
        elif isinstance(told, Option):
            options.update((each, (name, hint.__origin__)) for each in told.names)
    given: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        name, kind = options.get(word) or ("", str)
        if name:
            value = True if kind is bool else _value(next(rest, "-?"), kind)
        else:
            name, value = places.pop(0) if places else "", _value(word, kind)
        if value is None or not name or name in given:
            return None
        given[name] = value
    return None if places else given


def _value(text: str, kind: object) -> object:
    """The value that a word stands for; `None` if it is not plain."""
    if (text[:1] == "-" and text != "-") or not text.isprintable():
        return None
    pattern, made = _NUMBERS.get(kind, ("", str))
    return made(text) if not pattern or re.fullmatch(pattern, text) else None
