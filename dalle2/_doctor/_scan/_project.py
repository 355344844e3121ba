"""A folder for the scanner: which files belong to it, and how they import one another.

The rule: folders that hold other people's code, or none, are not entered; a name that a file imports from
another file of the folder stands for what it stands for there. The packages whose calls are looked for are
never looked up here. A folder or file that cannot be read is a finding; it keeps no other from being read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ._judge import Finding
from ._known import Home
from ._source import Source, problem_of
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
    project = _Project(start if os.path.isdir(start) else start.parent)
    closed: list[Finding] = []
    files = list(_files_of(start, closed))
    for file in files:
        project.load(file)
    for file in files:
        project.finish(file)
    return closed + [finding for file in files for finding in project.findings(file, today)]


class _Project:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._sources: dict[Path, Source] = {}
        self._walkers: dict[Path, Walker] = {}
        self._found: dict[tuple[Path, str, int], Path | None] = {}
        self._depth = 0

    def load(self, file: Path, *, asked: bool = False) -> Walker | None:
        """Read a file once; one that speaks of no image model only if another file asks for it."""
        if file not in self._sources or (asked and not self._sources[file].parsed):
            self._sources[file] = Source.of_file(file, asked=asked)
        source = self._sources[file]
        if file not in self._walkers and source.parsed:
            walker = self._walkers[file] = Walker(lambda module, level: self._find(file, module, level))
            self._depth += 1
            walker.read(source.body)
            self._depth -= 1
        return self._walkers.get(file)

    def finish(self, file: Path) -> None:
        """Read what waits inside the functions of a file, once the modules of all files are read."""
        if self._sources[file].relevant:
            self._walkers[file].finish()

    def findings(self, file: Path, today: date) -> list[Finding]:
        """The findings in a file, once all files are finished: one may call into another."""
        walker = self._walkers.get(file)
        if walker is None:
            return self._sources[file].findings((), (), today)
        return self._sources[file].findings(walker.found(), walker.lost, today)

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
                if candidate != file and os.path.isfile(candidate):
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


def _files_of(path: Path, closed: list[Finding]) -> Iterator[Path]:
    """The files to scan; folders that cannot be entered go to `closed`."""
    if not os.path.isdir(path):
        yield path
        return

    def note(error: OSError) -> None:
        closed.append(problem_of(str(error.filename), f"cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(path, onerror=note):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED and not os.path.exists(here / name / "pyvenv.cfg")
        )
        yield from (here / name for name in sorted(files) if name.endswith(_SUFFIXES))
