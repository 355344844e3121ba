"""Reading a document that is none: cut short, with bytes that JSON does not allow, nested without end.

The rule: a string that stands whole between its quotes was said, whatever is wrong around it, and a string
that does not end was not. Nothing is made up, nothing raises, and the work grows with the text and no faster.
Python's way of writing (single quotes, `None`) is read as well: some relays print what they should encode.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_STRING = r"{0}(?P<text>[^{0}\\]*+(?:\\.[^{0}\\]*+)*+){0}|(?P<mark>[{{}}\[\],:])|(?P<open>{0})"
_TOKEN = _STRING + r"|(?P<word>[^\s{{}}\[\],:{0}]++)"
_ESCAPE = r"\\(u[0-9a-fA-F]{4}|.)"
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WORDS: Mapping[str, object] = {"true": True, "True": True, "false": False, "False": False}
_MOST = 1_000_000
"""Words and signs that are looked at: an answer of ten images has some hundred."""
_LONGEST_NUMBER = 30
"""Characters: nothing that an answer counts needs more, and Python refuses to read very many."""


def read_loosely(raw: bytes) -> tuple[object, bool]:
    """What can be made out of a body, and whether all that was opened was closed, too.

    Several documents one after another are a list of them.
    """
    text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    quotes = re.search("[\"']", text)
    builder = _Builder()
    tokens = re.finditer(_TOKEN.format(quotes[0] if quotes else '"'), text, re.DOTALL)
    for number, token in enumerate(tokens):
        if token["open"] is not None or number > _MOST:  # a string that does not end holds all the rest
            builder.torn = True
            break
        builder.take(token)
    roots = builder.roots
    whole = bool(roots) and not builder.levels and not builder.torn
    return roots[0] if len(roots) == 1 else roots, whole


class _Builder:
    """Puts containers together, level by level and without recursion."""

    def __init__(self) -> None:
        self.roots: list[object] = []
        self.levels: list[list[object] | dict[str, object]] = []
        self.torn = False
        self._names: list[str | None] = []  # of each level: the name that waits for its value

    def take(self, token: re.Match[str]) -> None:
        mark = token["mark"]
        if mark is None:
            self._put(_value(token))
        elif mark in "{[":
            made: list[object] | dict[str, object] = {} if mark == "{" else []
            self._put(made)
            self.levels.append(made)
            self._names.append(None)
        elif mark in "}]":
            if self.levels:
                self.levels.pop()
                self._names.pop()
        elif mark == "," and self.levels:
            self._names[-1] = None

    def _put(self, value: object) -> None:
        if not self.levels:
            if isinstance(value, (dict, list)):  # loose words around a document are no part of it
                self.roots.append(value)
            return
        level = self.levels[-1]
        if isinstance(level, list):
            level.append(value)
        elif self._names[-1] is None:
            self._names[-1] = str(value)
        else:
            level[self._names[-1]] = value
            self._names[-1] = None


def _value(token: re.Match[str]) -> object:
    if token["text"] is not None:
        return unescaped(token["text"])
    word = token["word"]
    if len(word) <= _LONGEST_NUMBER:
        try:
            return int(word)
        except ValueError:
            pass
    return _WORDS.get(word)


def unescaped(text: str) -> str:
    """The text of a string's inside; an escape that JSON does not know stands for what it escapes."""
    if "\\" not in text:
        return text
    try:
        read = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return re.sub(_ESCAPE, _unescape, text, flags=re.DOTALL)
    return str(read)


def _unescape(found: re.Match[str]) -> str:
    escape = found[1]
    return chr(int(escape[1:], 16)) if len(escape) == 5 else _SHORT.get(escape, escape)


def deeper_than(document: object, levels: int) -> bool:
    """Whether a document is nested more than so many levels deep."""
    level: list[object] = [document]
    for _ in range(levels + 1):
        level = [
            inner
            for item in level
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
