"""One source for the scanner, Python or a notebook: read, parsed, judged.

The rule: what cannot be read or parsed is a finding of kind `"error"`, never an exception.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import attrs

from ._image_calls import Site
from ._judge import Finding, judge
from ._walk import Walker

_LARGEST = 20_000_000
_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_OTHER_LANGUAGE = re.compile(
    r"\s*%%(?:bash|cmd|file|html|javascript|js|latex|markdown|perl|ruby|script|sh|sql|svg|writefile|R)\b"
)
_MAGIC = re.compile(r"^(\s*)(?:[\w, ]+=\s*)?[%!].*$|^(\s*)\S.*\?\s*$", re.MULTILINE)


@attrs.define
class Source:
    """A parsed source. `starts` are the lines before each cell of a notebook, whose cells are read as one."""

    filename: str
    body: list[ast.stmt] = attrs.field(factory=list)
    errors: list[Finding] = attrs.field(factory=list)
    starts: list[int] = attrs.field(factory=list)
    relevant: bool = False

    @classmethod
    def of_file(cls, file: Path) -> Source:
        """Read and parse a file."""
        name = str(file)
        try:
            if file.stat().st_size > _LARGEST:
                raise OSError(f"more than {_LARGEST} bytes")
            return cls.of_text(_decoded(file.read_bytes(), name), name)
        except (OSError, SyntaxError, UnicodeDecodeError, LookupError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            return cls(name, errors=[_error(name, f"cannot be read: {reason:.100}")])

    @classmethod
    def of_text(cls, text: str, filename: str) -> Source:
        """Parse a text."""
        lowered = text.lower()
        source = cls(filename, relevant="openai" in lowered or "dall" in lowered)
        try:
            cells = _cells(text) if filename.endswith(".ipynb") else [text]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            source.errors.append(_error(filename, "cannot be read as a notebook"))
            return source
        line = 0
        for cell in cells:
            source._add(cell, line)
            line += cell.count("\n") + 2
        return source

    def _add(self, text: str, line: int) -> None:
        notebook = self.filename.endswith(".ipynb")
        if notebook:
            self.starts.append(line)
        try:
            tree = _parsed(text, notebook=notebook)
        except SyntaxError as problem:
            self.errors.append(_unparsed(self.filename, problem.msg, line + (problem.lineno or 1)))
        except (ValueError, RecursionError, MemoryError) as problem:
            self.errors.append(_unparsed(self.filename, str(problem), line + 1))
        else:
            ast.increment_lineno(tree, line)
            self.body += tree.body

    def too_deep(self) -> None:
        """Note that the source cannot be followed."""
        self.errors = [_error(self.filename, "is nested too deeply to be followed")]

    def findings(self, sites: Sequence[Site], today: date) -> list[Finding]:
        """What is wrong with these calls, and with the file itself, in the order of the source."""
        found = {one for site in sites for one in judge(site, self.filename, today)}
        ordered = sorted(found.union(self.errors), key=lambda one: (one.line, one.column, one.model or ""))
        return [self._in_cell(one) for one in ordered]

    def _in_cell(self, finding: Finding) -> Finding:
        number = sum(start < finding.line for start in self.starts)
        if not number:
            return finding
        return attrs.evolve(finding, cell=number, line=finding.line - self.starts[number - 1])


def scan_source(text: str, filename: str, *, today: date) -> list[Finding]:
    """Scan one source: Python, or a notebook if `filename` ends in `.ipynb`. `today` is the day to judge by.

    The order is that of the source. Nothing is run, and no argument is shown but models and sizes.
    """
    source = Source.of_text(text, filename)
    walker = Walker()
    if source.relevant:
        try:
            walker.read(source.body)
            walker.finish()
        except RecursionError:
            source.too_deep()
    return source.findings(walker.found(), today)


def _decoded(data: bytes, name: str) -> str:
    if name.endswith(".ipynb"):
        return data.decode("utf-8-sig")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


def _parsed(text: str, *, notebook: bool) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler thinks of a regex is not our subject
        try:
            tree = compile(text, "<source>", "exec", _FLAGS, dont_inherit=True)
        except SyntaxError:
            if not notebook:
                raise
            # Magics and shell lines of a notebook are not Python; the rest of the cell is.
            cleaned = _MAGIC.sub(lambda match: f"{match[1] or match[2] or ''}pass", text)
            tree = compile(cleaned, "<source>", "exec", _FLAGS, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def _cells(text: str) -> list[str]:
    """The code cells of a notebook; those in another language (`%%bash`) are empty."""
    cells: list[str] = []
    notebook = json.loads(text)
    if notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python") != "python":
        return cells
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            source = source if isinstance(source, str) else "".join(source)
            cells.append("" if _OTHER_LANGUAGE.match(source) else source)
    return cells


def _error(filename: str, problem: str, line: int = 1) -> Finding:
    return Finding(filename, line, 1, "", None, problem, "", kind="error")


def _unparsed(filename: str, reason: str, line: int) -> Finding:
    return _error(filename, f"cannot be read as Python: {reason:.100}", line)
