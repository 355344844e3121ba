"""The Python in a notebook: its code cells, without what only IPython understands.

The rule: what is taken out leaves its lines behind, so that every line keeps its number; a line is taken out
only where a statement begins, never inside a text or brackets. Each character is looked at once.
"""

from __future__ import annotations

import json
import re

_OTHER_LANGUAGE = re.compile(
    r"%%(?:!|(?:bash|cmd|html|javascript|js|latex|markdown|perl|R|ruby|script|sh|sql|svg|sx|system)\b"
    r"|(?:writefile|file)\b(?!.*\.pyw?\s*$))",
    re.MULTILINE,
)
_MAGIC = re.compile(
    r"[%!?]"
    r"|[\w.,\[\] *]*=\s*[%!]"  # files = !ls
    r"|[\w.]+\?{1,2}\s*$"  # openai.Image?
    r"|(?:pip3?|conda|mamba|uv)\s+[^\s=.(,:)]"  # installers need no mark
)
_OUTSIDE = re.compile(r"#|\"\"\"|\'\'\'|[\"\'()\[\]{}]")
_INSIDE = {quote: re.compile(rf"\\(?:.|$)|{quote}", re.DOTALL) for quote in ('"""', "'''", '"', "'")}


def code_cells(text: str) -> list[str | None]:
    """The code cells; empty where the language is another, `None` where a cell has no readable source.

    Raises `ValueError` if it is no notebook.
    """
    try:
        notebook = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("no cells")
    if _language(notebook.get("metadata")) != "python":
        return []
    return [_source(cell) for cell in cells if not isinstance(cell, dict) or cell.get("cell_type") == "code"]


def _language(metadata: object) -> object:
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    return kernel.get("language", "python") if isinstance(kernel, dict) else "python"


def _source(cell: object) -> str | None:
    source = cell.get("source", "") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source if isinstance(source, str) else None


def in_other_language(cell: str) -> bool:
    """Whether the cell is a script of another language, or a text to be written to a file."""
    return _OTHER_LANGUAGE.match(cell.lstrip()) is not None


def without_magics(cell: str) -> str:
    """The cell as Python: what is IPython's own is `pass`, on as many lines as it had."""
    place = _Place()
    lines: list[str] = []
    in_magic = False
    for line in cell.split("\n"):
        bare = line.lstrip()
        if in_magic:
            lines.append("")
        elif place.begins and _MAGIC.match(bare):
            lines.append(line[: len(line) - len(bare)] + "pass")
        else:
            lines.append(line)
            place.pass_by(line)
            continue
        in_magic = line.endswith("\\")
    return "\n".join(lines)


class _Place:
    """Where in Python a line ends: inside a text, inside brackets, or where a statement begins."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def begins(self) -> bool:
        return not (self._quote or self._depth or self._continued)

    def pass_by(self, line: str) -> None:
        at = 0
        while found := (_INSIDE[self._quote] if self._quote else _OUTSIDE).search(line, at):
            at, token = found.end(), found[0]
            if self._quote:
                if token == self._quote:
                    self._quote = ""
            elif token == "#":
                self._continued = False
                return
            elif token in _INSIDE:
                self._quote = token
            else:
                self._depth = max(0, self._depth + (1 if token in "([{" else -1))
        self._continued = line.endswith("\\")
        if len(self._quote) == 1 and not self._continued:
            self._quote = ""
