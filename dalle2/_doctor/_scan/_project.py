"""A folder for the scanner: which files belong to it, and how they import one another.

The rule: folders that hold other people's code, or none, are not entered; a name that a file imports from
another file of the folder stands for what it stands for there. The packages whose calls are looked for are
never looked up here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ._judge import Finding
from ._known import Home
from ._source import Source
from ._walk import Walker

_SKIPPED = frozenset(
    {".git", ".hg", ".nox", ".tox", ".venv", "__pycache__", "node_modules", "site-packages", "venv"}
)
_SUFFIXES = (".py", ".pyw", ".ipynb")
_FOREIGN = frozenset({"openai", "dalle2", "langchain", "langchain_community", "langchain_classic"})
_DEPTH = 20  # modules that import modules


def scan_path(path: str | os.PathLike[str], *, today: date) -> list[Finding]:
    """Scan a file, or all Python files and notebooks below a folder, in a stable order.

    Environments, caches and version control are not entered, and symbolic links to folders are not followed.
    """
    start = Path(path)
    project = _Project(start if start.is_dir() else start.parent)
    files = list(_files_of(start))
    for file in files:
        project.load(file)
    for file in files:
        project.finish(file)
    return [finding for file in files for finding in project.findings(file, today)]


class _Project:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._sources: dict[Path, Source] = {}
        self._walkers: dict[Path, Walker] = {}
        self._found: dict[tuple[Path, str, int], Path | None] = {}
        self._depth = 0

    def load(self, file: Path, *, asked: bool = False) -> Walker | None:
        """Read a file once; one that speaks of no image model only if another file asks for it."""
        if file not in self._sources:
            self._sources[file] = Source.of_file(file)
        source = self._sources[file]
        if file not in self._walkers and (asked or source.relevant):
            walker = self._walkers[file] = Walker(lambda module, level: self._find(file, module, level))
            self._depth += 1
            try:
                walker.read(source.body)
            except RecursionError:
                source.too_deep()
            self._depth -= 1
        return self._walkers.get(file)

    def finish(self, file: Path) -> None:
        """Read what waits inside the functions of a file, once the modules of all files are read."""
        if walker := self._walkers.get(file):
            try:
                walker.finish()
            except RecursionError:
                self._sources[file].too_deep()

    def findings(self, file: Path, today: date) -> list[Finding]:
        """The findings in a file, once all files are finished: one may call into another."""
        walker = self._walkers.get(file)
        return self._sources[file].findings(walker.found() if walker else [], today)

    def _find(self, file: Path, module: str, level: int) -> Home | None:
        """The module of this project that an import in `file` means, if it is one."""
        key = (file, module, level)
        if key not in self._found:
            self._found[key] = self._search(file, module.split(".") if module else [], level)
        found = self._found[key]
        return self.load(found, asked=True) if found and self._depth <= _DEPTH else None

    def _search(self, file: Path, parts: list[str], level: int) -> Path | None:
        if not level and parts[:1] and parts[0] in _FOREIGN:
            return None
        for folder in self._folders(file, level):
            base = folder.joinpath(*parts)
            for candidate in (base / "__init__.py", *([base.with_name(f"{parts[-1]}.py")] if parts else [])):
                if candidate != file and candidate.is_file():
                    return candidate
        return None

    def _folders(self, file: Path, level: int) -> Iterator[Path]:
        """The folders in which an import looks: for a relative one its package, else all up to the root."""
        above = list(file.parents)
        if level:
            yield from above[level - 1 : level]
            return
        for folder in above:
            yield folder
            if folder == self._root:
                break
        yield self._root / "src"


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders if name not in _SKIPPED and not (here / name / "pyvenv.cfg").exists()
        )
        yield from (here / name for name in sorted(files) if name.endswith(_SUFFIXES))
