"""One source for the scanner, Python or a notebook: read, parsed, judged.

The rule: what cannot be read or parsed is a finding, never an exception: of kind `"error"` if it speaks of
image models, else of kind `"unread"`. A file that speaks of neither the vendor nor its models is parsed only
if another one imports it. Nothing but regular files is opened.
"""

from __future__ import annotations

import ast
import bisect
import io
import os
import re
import stat
import tokenize
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import attrs

from ..._secrets import one_line
from ._image_calls import Site
from ._judge import Finding, judged
from ._notebook import code_cells, in_other_language, without_magics
from ._syntax import VERSION, Unparsable, statements
from ._walk import Walker

_LARGEST = 20_000_000
_IMAGES = re.compile(
    r"(?i)dall[-_ ·]?e\b|dalleapi|gpt-image|\bimages?\.a?(?:create|generate|edit)|images/(?:gen|edit|var)"
)
# Codecs that turn bytes into texts, but are no encoding of a source file.
_NO_SOURCE = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})


@attrs.define
class Source:
    """A parsed source. `starts` are the lines before each cell of a notebook, whose cells are read as one."""

    filename: str
    relevant: bool = False
    parsed: bool = False
    body: list[ast.stmt] = attrs.field(factory=list)
    problems: list[Finding] = attrs.field(factory=list)
    starts: list[int] = attrs.field(factory=list)

    @classmethod
    def of_file(cls, file: Path, *, asked: bool = False) -> Source:
        """Read a file, and parse it if it is relevant or `asked` for."""
        name = str(file)
        try:
            data = _bytes_of(file)
        except (OSError, ValueError) as problem:
            return _unread(name, f": {getattr(problem, 'strerror', None) or problem}", "")
        try:
            text = _decoded(data, name)
        except (SyntaxError, ValueError, LookupError) as problem:
            return _unread(name, f": {problem}", data.replace(b"\0", b"").decode("latin-1"))
        return cls.of_text(text, name, asked=asked)

    @classmethod
    def of_text(cls, text: str, filename: str, *, asked: bool = False) -> Source:
        """A source from its text, parsed if it is relevant or `asked` for."""
        lowered = text.lower()
        relevant = "dall" in lowered or ("openai" in lowered and "image" in lowered)
        source = cls(filename, relevant=relevant)
        source.parsed = asked or source.relevant
        if not source.parsed:
            return source
        if not filename.endswith(".ipynb"):
            source._add(text, 0)
            return source
        try:
            cells = code_cells(text)
        except ValueError:
            return _unread(filename, " as a notebook", text)
        line = 0
        for cell in cells:
            source.starts.append(line)
            source._add_cell(cell, line)
            line += (cell or "").count("\n") + 2
        return source

    def _add_cell(self, cell: str | None, line: int) -> None:
        if cell is None:
            self.problems.append(problem_of(self.filename, "cannot be read as a cell", line=line + 1))
        elif not in_other_language(cell):
            try:
                self.body += _moved(statements(cell), line)
            except Unparsable:
                self._add(without_magics(cell), line)

    def _add(self, text: str, line: int) -> None:
        try:
            self.body += _moved(statements(text), line)
        except Unparsable as problem:
            reason = f"cannot be read as Python {VERSION}: {problem}"
            self.problems.append(problem_of(self.filename, reason, text, line + problem.line))

    def findings(self, sites: Iterable[Site], lost: Iterable[int], today: date) -> list[Finding]:
        """What is wrong with these calls, and with the file itself, in the order of the source."""
        found = judged(sites, self.filename, today).union(self.problems)
        for line in lost:
            reason = "not understood: it is nested too deeply to be followed"
            found.add(Finding(self.filename, line, 1, "", None, reason, "", kind="unclear"))
        ordered = sorted(found, key=lambda one: (one.line, one.column, one.model or ""))
        return [self._in_cell(one) for one in ordered]

    def _in_cell(self, finding: Finding) -> Finding:
        number = bisect.bisect_left(self.starts, finding.line)
        if not number:
            return finding
        return attrs.evolve(finding, cell=number, line=finding.line - self.starts[number - 1])


def scan_source(text: str, filename: str, *, today: date) -> list[Finding]:
    """Scan one source: Python, or a notebook if `filename` ends in `.ipynb`. `today` is the day to judge by.

    The order is that of the source. Nothing is run, and no argument is shown but models and sizes.
    """
    source = Source.of_text(text, filename)
    walker = Walker()
    walker.read(source.body)
    walker.finish()
    return source.findings(walker.found(), walker.lost, today)


def _bytes_of(file: Path) -> bytes:
    """The bytes of a regular file; a pipe or a device, which may never end, is not even opened."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise OSError("it is no regular file")
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(f"more than {_LARGEST} bytes")
    return data


def _decoded(data: bytes, name: str) -> str:
    if name.endswith(".ipynb"):
        return data.decode("utf-8-sig")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding.replace("-", "_") in _NO_SOURCE:
        raise LookupError(f"unknown encoding: {encoding}")
    return data.decode(encoding)


def _moved(body: list[ast.stmt], lines: int) -> list[ast.stmt]:
    for node in body if lines else ():
        ast.increment_lineno(node, lines)
    return body


def _unread(filename: str, reason: str, text: str) -> Source:
    return Source(filename, parsed=True, problems=[problem_of(filename, f"cannot be read{reason}", text)])


def problem_of(filename: str, reason: str, text: str = "", line: int = 1) -> Finding:
    """A finding about what cannot be read; if its text speaks of images, it counts."""
    kind = "error" if _IMAGES.search(text) else "unread"
    return Finding(filename, line, 1, "", None, one_line(reason, 150), "", kind=kind)
