"""Where the bytes of an answer are safe before anything else is done with them.

The rule: all images of an answer are written and flushed, then a manifest under its final name; an answer is
spooled if and only if its manifest is there. What a crash leaves of an answer without one is swept away.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Container, Iterator
from pathlib import Path

from ._receipt import Receipt

_MANIFEST, _IMAGE, _NEW, _BODY = ".json", ".image", ".new", ".body"


class Spool:
    """The directory `JOURNAL.spool`, made when it is first needed."""

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_name(f"{journal.name}.spool")
        self._base = os.path.join(self.folder, "")

    def put(self, name: str, answer: Receipt) -> int:
        """Make an answer safe under `name`; gives its bytes. Raises `OSError`: nothing is spooled then."""
        size = 0
        try:
            for index, (_, content) in enumerate(answer.images):
                if content is not None:
                    self._write(f"{self._base}{name}-{index}{_IMAGE}", content)
                    size += len(content)
            part = f"{self._base}{name}{_NEW}"
            self._write(part, json.dumps(answer.manifest()).encode())
            os.replace(part, f"{self._base}{name}{_MANIFEST}")
            self._flush(self.folder)
        except OSError:
            self.drop(name, len(answer.images), _NEW)
            raise
        return size

    def put_body(self, name: str, body: bytes) -> Path:
        """Keep what could not be read of an answer."""
        path = self.folder / f"{name}{_BODY}"
        self._write(path, body)
        self._flush(self.folder)
        return path

    def receipt(self, name: str) -> Receipt:
        """The receipt of a spooled answer, without its bytes."""
        return Receipt.of_manifest(json.loads((self.folder / f"{name}{_MANIFEST}").read_bytes()))

    def image(self, name: str, index: int) -> bytes | None:
        """The bytes of one image of a spooled answer; `None` if it has only its URL."""
        try:
            with open(f"{self._base}{name}-{index}{_IMAGE}", "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def drop(self, name: str, images: int, *more: str) -> None:
        """Forget an answer, the manifest first."""
        for end in (_MANIFEST, *(f"-{index}{_IMAGE}" for index in range(images)), *more):
            with contextlib.suppress(OSError):
                os.unlink(f"{self._base}{name}{end}")

    def names(self) -> set[str]:
        """The answers that are spooled."""
        return {path.name.removesuffix(_MANIFEST) for path in self._files() if path.suffix == _MANIFEST}

    def sweep(self, wanted: Container[str]) -> dict[str, int]:
        """Remove what belongs to no answer that is wanted; gives the bytes of those that stay."""
        sizes: dict[str, int] = {}
        for path in self._files():
            name = path.stem.rpartition("-")[0] if path.suffix == _IMAGE else path.stem
            if path.suffix in (_IMAGE, _MANIFEST) and name in wanted:
                sizes[name] = sizes.get(name, 0) + (path.stat().st_size if path.suffix == _IMAGE else 0)
            elif path.suffix != _BODY:
                path.unlink()
        return sizes

    def tidy(self) -> None:
        """Remove the directory if nothing is in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            yield from list(self.folder.iterdir())

    def _write(self, path: str | Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._flush(self.folder.parent)
            fd = os.open(path, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def _flush(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # not every system lets a directory be synced
            fd = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
