"""Where the images go: a directory, or whatever has `put`.

The rule: an image appears whole or not at all, and nothing that lies there is replaced, unless it was put
there by this very journal.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from .._results._atomic import AtomicFile
from ..errors import ConfigurationError, InvalidRequestError
from ._links import flush, linked


class Store(Protocol):
    """Any object that keeps bytes under a key. It raises `FileExistsError` if it must create and cannot."""

    def put(self, key: str, data: bytes, create: bool) -> Awaitable[object] | object:
        """Keep `data` under `key`; with `create`, only if nothing is there."""


Out: TypeAlias = "str | os.PathLike[str] | Store"


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
        """Keep an image; a whole file that holds it (`source`) is linked where that is as good, and lasts
        from the next `flush`. One that is there already with the same bytes was put by a run that was killed.
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
            raise FileExistsError(
                17, "a file that this journal does not know is there, and is not replaced", str(target)
            ) from None

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
        """The names of all files, relative, with `/` between folders."""
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

    def size(self, key: str) -> int | None:
        """The size of a file; `None` if there is none."""
        try:
            return os.stat(f"{self._base}{key}").st_size
        except OSError:
            return None


def place_of(out: Out) -> Folder | Store:
    """The place that `out` means. Raises `InvalidRequestError` or `ConfigurationError`."""
    if isinstance(out, (str, os.PathLike)):
        text = os.fspath(out)
        if not text:
            raise InvalidRequestError("out is empty: name a directory", field="out")
        if "://" in text:
            raise ConfigurationError(
                f"out {text.partition('://')[0]}://... needs the extra cloud: pip install "
                "'dalle2-sdk[cloud]', or "
                "give an object with put(key, data, create)"
            )
        return Folder(out)
    if callable(getattr(out, "put", None)):
        return out
    raise InvalidRequestError(
        f"out must be a directory or have put(key, data, create); it is a {type(out).__name__}", field="out"
    )
