"""Where the images go: a directory, a store, or whatever has `put`.

The rule: an image appears whole or not at all, and nothing that lies there is replaced, unless it was put
there by this very journal.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias, TypeGuard

from .._results._atomic import AtomicFile
from ..errors import InvalidRequestError
from ._links import flush, linked


class Store(Protocol):
    """Any object that keeps bytes under a key. It raises `FileExistsError` if it must create and cannot."""

    def put(self, key: str, data: bytes, create: bool) -> Awaitable[object] | object:
        """Keep `data` under `key`; with `create`, only if nothing is there."""


STRANGER = "a file that this journal does not know is there, and is not replaced"

Out: TypeAlias = str | os.PathLike[str] | Store


class Place(Protocol):
    """A store that can be looked at beforehand."""

    shown: str

    def put(self, key: str, data: bytes, create: bool) -> None:
        """Keep an image. One that is there already with the same bytes was put by a run that was killed."""

    def probe(self) -> None:
        """Raise the `OSError` that putting an image would end in, as far as it can be foreseen."""

    def entries(self, *, deep: bool) -> Iterator[str]:
        """The names of all files, relative, with `/` between folders. Raises `NotListed`."""

    def size(self, key: str) -> int | None:
        """The size of a file; `None` if there is none. Raises `NotListed`."""

    def lasts(self, error: Exception) -> bool:
        """Whether what kept an image from its place will do so in a moment, too."""


class NotListed(PermissionError):
    """The credentials for a store may put, and not list."""


def is_place(store: Place | Store) -> TypeGuard[Place]:
    """Whether a store can be looked at."""
    return hasattr(store, "entries") and hasattr(store, "lasts")


class Folder:
    """A directory of this machine, made when it is first needed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._base = os.path.join(self.path, "")
        self.shown = str(path)
        self._unflushed: set[str] = set()
        if self.path.exists() and not self.path.is_dir():
            raise InvalidRequestError(f"out {self.shown!r:.100} is a file: name a directory", field="out")

    def put(self, key: str, data: bytes, create: bool, source: str | None = None) -> None:
        """See `Place`. A whole file that holds the image (`source`) is linked where that is as good, and
        lasts from the next `flush`.
        """
        target = self.path / key
        try:
            try:
                self._put(target, data, source)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._put(target, data, source)
        except FileExistsError:
            if target.is_file() and target.read_bytes() == data:
                return
            raise FileExistsError(17, STRANGER, str(target)) from None

    def _put(self, target: Path, data: bytes, source: str | None) -> None:
        if source is not None and linked(source, os.fspath(target)):
            self._unflushed.add(os.fspath(target.parent))
            return
        with AtomicFile(target) as file:
            file.write(data)
            file.commit(overwrite=False)

    def flush(self) -> None:
        """Make what was linked last."""
        for directory in self._unflushed:
            flush(directory)
        self._unflushed.clear()

    def probe(self) -> None:
        """Raise the `OSError` that putting an image would end in, as far as it can be foreseen. What a killed
        run left unfinished goes.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with AtomicFile(self.path / "probe"):
            pass

    def entries(self, *, deep: bool) -> Iterator[str]:
        """See `Place`."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.path / folder) as found:
                for entry in found:
                    name = f"{folder}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if deep:
                            waiting.append(f"{name}/")
                    else:
                        yield name

    def lasts(self, error: Exception) -> bool:
        """A disk that refuses does not change its mind."""
        return isinstance(error, OSError)

    def size(self, key: str) -> int | None:
        """See `Place`."""
        try:
            return os.stat(f"{self._base}{key}").st_size
        except OSError:
            return None
