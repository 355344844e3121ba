"""Where the bytes of an answer are safe before anything else is done with them.

The rule: all images of an answer are written and flushed, then a manifest under its final name, one for the
answers that came together; an answer is spooled if and only if a manifest tells of it. What a crash leaves of
an answer without one is swept away.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from ..errors import JournalError
from ._links import flush
from ._receipt import Receipt

_MANIFEST, _IMAGE, _NEW, _BODY = ".json", ".image", ".new", ".body"


class Spool:
    """The directory `JOURNAL.spool`, made when it is first needed."""

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_name(f"{journal.name}.spool")
        self._base = os.path.join(self.folder, "")
        self._manifests: dict[str, str] = {}
        """The manifest that tells of an answer."""
        self._told = threading.Lock()  # an answer is made safe while another is forgotten

    def put(self, name: str, answer: Receipt) -> int:
        """Write the images of an answer; gives their bytes. They are spooled once a manifest tells of
        them (`confirm`). Raises `OSError`.
        """
        size = 0
        try:
            for index, (_, content) in enumerate(answer.images):
                if content is not None:
                    self.lay(name, index, content)
                    size += len(content)
        except OSError:
            self.drop(name, len(answer.images))
            raise
        return size

    def lay(self, name: str, index: int, content: bytes) -> str:
        """Write one image; gives its file, which is as readable as any: it gets a second name elsewhere.
        Raises `OSError`.
        """
        path = self.path(name, index)
        self._write(path, content, 0o666)
        return path

    def confirm(self, answers: Mapping[str, Receipt]) -> None:
        """Write the manifest of answers whose images are written: now they are spooled. Raises `OSError`."""
        base = f"{self._base}{next(iter(answers))}"
        part, manifest = f"{base}{_NEW}", f"{base}{_MANIFEST}"
        self._write(part, json.dumps({name: one.manifest() for name, one in answers.items()}).encode())
        os.replace(part, manifest)
        self.flush()
        with self._told:
            self._manifests |= dict.fromkeys(answers, manifest)

    def put_body(self, name: str, body: bytes) -> Path:
        """Keep what could not be read of an answer."""
        path = self.folder / f"{name}{_BODY}"
        self._write(path, body)
        self.flush()
        return path

    def flush(self) -> None:
        """Make what was put last."""
        flush(self._base)

    def receipts(self) -> dict[str, Receipt]:
        """The answers that are spooled, without their bytes. Raises `JournalError`."""
        found: dict[str, Receipt] = {}
        for path in self._files():
            if path.suffix == _MANIFEST:
                try:
                    told = json.loads(path.read_bytes())
                    found |= {name: Receipt.of_manifest(one) for name, one in told.items()}
                except (ValueError, LookupError, TypeError, AttributeError):
                    raise JournalError(
                        f"{str(path)!r} is malformed: move it away, and what it told of is held"
                    ) from None
                self._manifests |= dict.fromkeys(told, f"{self._base}{path.name}")
        return found

    def path(self, name: str, index: int) -> str:
        """Where one image of an answer lies, or would."""
        return f"{self._base}{name}-{index}{_IMAGE}"

    def image(self, name: str, index: int) -> bytes | None:
        """The bytes of one image of a spooled answer; `None` if it has only its URL."""
        try:
            with open(self.path(name, index), "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def drop(self, name: str, images: int) -> None:
        """Forget an answer, and its manifest with the last one that it tells of."""
        with self._told:
            manifest = self._manifests.pop(name, None)
            last = manifest is not None and manifest not in self._manifests.values()
        for path in (*([manifest] if last else ()), *(self.path(name, index) for index in range(images))):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def sweep(self, wanted: Container[str]) -> dict[str, int]:
        """Remove what belongs to no answer that is wanted; gives the bytes of those that stay."""
        self._manifests = {name: path for name, path in self._manifests.items() if name in wanted}
        kept = {os.path.basename(path) for path in self._manifests.values()}
        sizes = dict.fromkeys(self._manifests, 0)
        for path in self._files():
            name = path.stem.rpartition("-")[0]
            if path.suffix == _IMAGE and name in sizes:
                sizes[name] += path.stat().st_size
            elif path.suffix != _BODY and path.name not in kept:
                path.unlink()
        return sizes

    def tidy(self) -> None:
        """Remove the directory if nothing is in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            yield from list(self.folder.iterdir())

    def _write(self, path: str | Path, data: bytes, mode: int = 0o600) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        try:
            fd = os.open(path, flags, mode)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            flush(os.fspath(self.folder.parent))
            fd = os.open(path, flags, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
