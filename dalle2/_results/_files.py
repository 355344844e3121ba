"""Decides how bytes become a file, and what the file is called.

The rule: a reader sees a whole file or none. Bytes go to a hidden temporary file beside the target and are
published in one step; whatever goes wrong, the temporary file goes and an older file stays. The local disk
speaks in the built-in `OSError`s, which name the path that the caller gave.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_MAX_CHARACTERS = 60
_MAX_BYTES = 200
_MAX_MARKS = 8
_RESERVED = "(?i)" r"(?:con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\Z"
_JOINERS = "\u200c\u200d"  # Persian and Indic spelling needs them, and so do many emoji


class AtomicFile:
    """A file that appears at its target whole, or not at all.

    The temporary file is opened at once, so that a missing or read-only directory is known before a download:
    `FileNotFoundError`, `NotADirectoryError` and `PermissionError` name the directory, other `OSError`s the
    target. As a context manager it removes the temporary file unless it was committed. For one thread only.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self._fd = -1
        self._temporary = ""
        self._pid = os.getpid()
        self._target = Path(target)
        # Kept absolute: the process may change its directory before the file is published.
        absolute = self._target.absolute()
        self._directory = absolute.parent
        temporary = os.path.join(self._directory, f".{os.urandom(8).hex()}.part")
        flags = (
            os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        )
        try:
            with _naming(self._target.parent):
                self._temporary = temporary
                # The system applies the umask, as it does for every new file.
                self._fd = os.open(temporary, flags, 0o666)
            with _naming(self._target), suppress(FileNotFoundError):
                # A name that is too long, or a directory's, is refused now rather than after the download.
                os.lstat(absolute)
                if absolute.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except BaseException:
            self.abort()
            raise

    @property
    def target(self) -> Path:
        """The path asked for."""
        return self._target

    def write(self, data: bytes) -> None:
        """Append `data`. A full disk is an `OSError`; leaving the context removes what was written."""
        view = memoryview(data)
        with _naming(self._target):
            while view:
                view = view[os.write(self._open_fd(), view) :]

    def restart(self) -> None:
        """Forget what was written: the download begins again."""
        with _naming(self._target):
            os.ftruncate(self._open_fd(), 0)
            os.lseek(self._open_fd(), 0, os.SEEK_SET)

    def commit(self, name: Path | None = None, *, overwrite: bool) -> Path:
        """Publish the file and return its path: the target, or `name`, which must lie in the same directory.

        Without `overwrite` an existing file is never replaced, not even one that appears at this very moment:
        `FileExistsError` names it, and the bytes are kept for a `commit` under another name.
        """
        final = self._target if name is None else name
        self._settle(final)
        with _naming(final):
            self._publish(final, overwrite)
        self._done()
        return final

    def commit_unique(self, name: Path | None = None) -> Path:
        """Publish under the first free of `name.png`, `name-2.png`, `name-3.png`, …; returns that path.

        Two processes that save the same name at once get two files.
        """
        wanted = self._target if name is None else name
        stem, suffix = (wanted.stem, wanted.suffix) if has_image_suffix(wanted) else (wanted.name, "")
        self._settle(wanted)
        final, number = wanted, 1
        while not self._publish_free(final):
            number += 1
            final = wanted.with_name(f"{stem}-{number}{suffix}")
        self._done()
        return final

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise ValueError("this file is already committed or aborted")
        return self._fd

    def _settle(self, final: Path) -> None:
        """Bring the bytes to the disk before the name: a crash must not leave a name without bytes."""
        if self._fd < 0 and self._temporary:
            return  # an earlier commit met an existing file
        with _naming(final):
            os.fsync(self._open_fd())
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _publish(self, final: Path, overwrite: bool) -> None:
        path = self._directory / final.name
        if overwrite:
            os.replace(self._temporary, path)
            return
        try:
            # A hard link fails if the name exists; no look beforehand could be as sure.
            os.link(self._temporary, path)
        except FileExistsError:
            raise
        except (OSError, AttributeError):
            # No hard links here (FAT, some network disks): reserve the name, then put the file in its place.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            try:
                os.replace(self._temporary, path)
            except BaseException:
                if os.path.lexists(self._temporary):
                    os.unlink(path)
                raise

    def _publish_free(self, final: Path) -> bool:
        try:
            with _naming(final):
                self._publish(final, overwrite=False)
        except FileExistsError:
            return False
        return True

    def _done(self) -> None:
        self.abort()
        with suppress(OSError):  # not every system lets a directory be synced
            fd = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def abort(self) -> None:
        """Remove the temporary file. Does nothing after `commit`, or the second time."""
        fd, self._fd = self._fd, -1
        temporary, self._temporary = self._temporary, ""
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __del__(self) -> None:
        # An interrupt can fall between the constructor and `with`; a fork must not remove its parent's file.
        if self._pid == os.getpid():
            self.abort()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an `OSError` name `path`, which the caller knows, and not the temporary file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.EEXIST:
            reason = "File exists (overwrite=True replaces it)"
        raise OSError(error.errno, reason, str(path)) from None


def has_image_suffix(path: str | os.PathLike[str]) -> bool:
    """Whether a path ends in a file suffix: a dot, a letter, up to five more letters or digits.

    `photo.png` does and `photo v1.2` does not: what looks like a version number is part of the name.
    """
    stem, _, suffix = os.path.basename(os.fspath(path)).rpartition(".")
    return bool(stem) and len(suffix) <= 6 and suffix.isascii() and suffix.isalnum() and suffix[0].isalpha()


def is_directory_target(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a place for files: an existing directory, or text that ends in a separator."""
    text = os.fspath(path)
    return text.endswith((os.sep, os.altsep or os.sep)) or os.path.isdir(text)


def safe_stem(prompt: str, *, fallback: str = "image") -> str:
    """A file name without its suffix, from any prompt: short, readable, and legal on every common system.

    Letters, digits and emoji of every script stay (NFC), a run of anything else becomes one `-`. At most 60
    characters and 200 bytes of UTF-8, so that a counter and a suffix fit; never cut between a character and
    its marks. `fallback` stands for a prompt of which nothing remains.
    """
    import unicodedata

    # Format characters (bidi overrides among them), lone surrogates and private ones vanish without a trace.
    text = "".join(
        char
        for char in prompt[:2000]
        if char in _JOINERS
        or (char not in "'\u2019" and unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn"))
    )
    clusters: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        last = clusters[-1] if clusters else "-"
        if kind[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff":
            if last != "-" and len(last) <= _MAX_MARKS:
                clusters[-1] += char
        elif char in _JOINERS:
            if last[-1] > "\x7f" and last[-1] not in _JOINERS and len(last) <= _MAX_MARKS:
                clusters[-1] += char
        elif kind[0] in "LN" or kind == "So" or char == "_":
            if last[-1] == _JOINERS[1]:
                clusters[-1] += char
            else:
                clusters.append(char)
        elif last != "-":
            clusters.append("-")
    stem = unicodedata.normalize("NFC", _cut(clusters))
    stem = re.sub(f"[{_JOINERS}]+(?=-|$)", "", stem).strip("-")
    if re.match(_RESERVED, stem):
        return f"{stem}-{fallback}"
    return stem or fallback


def _cut(clusters: list[str]) -> str:
    """The first whole clusters that fit, up to the end of a word if one ends near."""
    room = _MAX_BYTES
    for place, cluster in enumerate(clusters):
        room -= len(cluster.encode())
        if place == _MAX_CHARACTERS or room < 0:
            kept = clusters[:place]
            # Scripts without spaces have no such place, and a very long word is cut where it must be.
            dashes = [at for at, text in enumerate(kept) if text == "-" and at >= place * 2 // 3]
            return "".join(kept[: dashes[-1]] if dashes and cluster != "-" else kept)
    return "".join(clusters)
