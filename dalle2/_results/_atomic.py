"""Decides how bytes become a file.

The rule: a reader sees a whole file or none. Bytes go to a hidden part beside the target, which is published
in one step; whatever goes wrong, the part goes and an older file stays. The parts of dead processes are
removed by the next save. The local disk speaks in the built-in `OSError`s, which name the caller's path.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

PART = ".dalle2-"
"""How the name of each part begins: `.dalle2-PID-MACHINE-RANDOM.part`."""

_TRIES = 4
_LISTED = 100  # names for each save, on average
_REMEMBERED = 256  # directories
_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What systems say where there are no hard links (FAT, some network disks); all else is a failure."""

_living: set[str] = set()  # names of this process's own parts: a thread may not have locked its yet
_until_swept: dict[Path, int] = {}
"""Saves into a directory before its parts are looked for again: a large one is listed but rarely."""


class AtomicFile:
    """A file that appears at its target whole, or not at all.

    The part is opened at once, so that a missing or read-only directory is known before a download:
    `FileNotFoundError`, `NotADirectoryError` and `PermissionError` name the directory, other `OSError`s the
    target. As a context manager it removes the part unless it was committed. `overwrite` says beforehand that
    the target itself will be replaced. One thread at a time uses it; `abort` waits for the one at work.
    """

    _part, _pid = "", -1
    _settled = False
    _locked: bool | None = None
    _identity: tuple[int, int] | None = None
    _published: Path | None = None

    def __init__(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self._open_fds: list[int] = []
        self._working = threading.RLock()
        self._pid = os.getpid()
        self._target = Path(target)
        older = None
        with _naming(self._target):
            # Kept absolute: the process may change its directory before the file is published.
            self._place = self._target.absolute()
            if overwrite:
                from ._replacing import replaceable

                self._place, older = replaceable(self._place)
        try:
            with _naming(self._target.parent):
                _sweep(self._place.parent)
                self._open(0o666 if older is None else 0o600)  # the older file may be private
            with _naming(self._target), suppress(FileNotFoundError):
                # A name that is too long, or a directory's, is refused now rather than after the download.
                os.lstat(self._place)
                if self._place.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except BaseException:
            self.abort()
            raise

    def _open(self, mode: int) -> None:
        """A part of our own, locked: until it is, another process may take it for an abandoned one."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        for _ in range(_TRIES):
            name = f"{PART}{os.getpid()}-{_machine()}-{os.urandom(8).hex()}.part"
            self._part = os.path.join(self._place.parent, name)
            _living.add(name)
            fd = self._take(self._part, flags, mode)  # the system applies the umask, as for every new file
            self._locked = lock(fd)
            found = os.fstat(fd)
            self._identity = _identity(found)
            if self._locked is not False and found.st_nlink:
                return
            self.abort()
        raise OSError(errno.EBUSY, "other processes remove its parts")

    def write(self, data: bytes) -> None:
        """Append `data`. A full disk is an `OSError`; leaving the context removes what was written."""
        view = memoryview(data)
        with self._working, _naming(self._target):
            while view:
                view = view[os.write(self._fd(), view) :]

    def restart(self) -> None:
        """Forget what was written: the download begins again."""
        with self._working, _naming(self._target):
            os.ftruncate(self._fd(), 0)
            os.lseek(self._fd(), 0, os.SEEK_SET)

    def commit(self, name: Path | None = None, *, overwrite: bool) -> Path:
        """Publish the file and return its path: the target, or `name`, which must lie in the same directory.

        Without `overwrite` an existing file is never replaced, not even one that appears at this very moment:
        `FileExistsError` names it, and the bytes are kept for a `commit` under another name. With it, the
        file that a link leads to is replaced, and the new one gets its mode and, if that is allowed, its
        owner; other hard links keep the older bytes.
        """
        final = self._target if name is None else name
        place = self._place if name in (None, self._target) else self._place.with_name(final.name)
        with self._working, _naming(final):
            self._settle()
            fresh = True
            if overwrite:
                place, fresh = self._replace(place)
            else:
                self._publish(place)
            self._done(place, fresh=fresh)
        return final

    def commit_unique(self, name: Path | None = None) -> Path:
        """Publish under a free one of `name.png`, `name-2.png`, `name-3.png`, …; returns that path.

        Two processes that save the same name at once get two files.
        """
        wanted = self._target if name is None else name
        with self._working:
            with _naming(wanted):
                self._settle()
            number = 1
            while not self._published_as(final := numbered(wanted, number)):
                number = self._free_after(number, wanted)
        return final

    def _published_as(self, final: Path) -> bool:
        place = self._place.with_name(final.name)
        try:
            with _naming(final):
                self._publish(place)
                self._done(place, fresh=True)
        except FileExistsError:
            return False
        return True

    def _free_after(self, taken: int, wanted: Path) -> int:
        from ._numbers import free_number

        looks = free_number(taken)
        number = next(looks)
        while True:
            place = self._place.with_name(numbered(wanted, number).name)
            try:
                number = looks.send(not os.path.lexists(place))
            except StopIteration as found:
                return int(found.value)

    def _fd(self) -> int:
        if not self._part or self._settled:
            raise ValueError("this file is already committed or aborted")
        return self._open_fds[0]

    def _settle(self) -> None:
        """Bring the bytes to the disk before the name: a crash must not leave a name without bytes."""
        if not self._part or not self._settled:  # else an earlier commit met an existing file
            os.fsync(self._fd())
            self._settled = True
            if not self._locked:  # some systems move no open file
                self._close()

    def _replace(self, place: Path) -> tuple[Path, bool]:
        """Put the file in the place of an older one; gives the place, and whether there was none."""
        from ._replacing import put, replaceable, take_over

        place, older = replaceable(place)
        if older is not None:
            take_over(self._part, older)
        put(self._part, place, lock)
        return place, older is None

    def _publish(self, place: Path) -> None:
        try:
            # A hard link fails if the name exists; no look beforehand could be as sure.
            os.link(self._part, place)
        except (OSError, AttributeError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LINKS:
                raise
            from ._moves import move

            move(self._part, place)

    def _done(self, place: Path, *, fresh: bool) -> None:
        self._published = place if fresh else None
        self.abort()
        with suppress(OSError):  # not every system lets a directory be synced
            os.fsync(self._take(place.parent, os.O_RDONLY))
        self._close()

    def abort(self) -> None:
        """Remove the part. Does nothing after `commit`, or the second time; interrupted, it is repeated."""
        with self._working:
            if self._part and self._pid == os.getpid():  # a forked process leaves its parent's alone
                with suppress(OSError):
                    os.unlink(self._part)
                _living.discard(os.path.basename(self._part))
            self._part = ""
            self._close()

    def _take(self, path: str | Path, flags: int, mode: int = 0o777) -> int:
        """Open, and keep the descriptor: not even a signal handler that raises comes between the two."""
        self._open_fds.extend(map(os.open, (path,), (flags,), (mode,)))
        return self._open_fds[-1]

    def _close(self) -> None:
        with suppress(OSError, IndexError):
            list(map(os.close, iter(self._open_fds.pop, None)))

    def withdraw(self) -> None:
        """Abort, and take back what was published under a new name: its caller was cancelled meanwhile."""
        with self._working:
            place, self._published = self._published, None
            with suppress(OSError):
                if place is not None and self._identity == _identity(os.lstat(place)):
                    os.unlink(place)
            self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __del__(self) -> None:
        # An interrupt can fall between the constructor and `with`; a fork must not remove its parent's file.
        if self._pid == os.getpid():
            try:
                self.abort()
            finally:  # another one may come even now
                self.abort()


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _machine() -> str:
    """This machine in a part's name: what is locked elsewhere may look free from here."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def lock(fd: int) -> bool | None:
    """Lock a part for as long as it is open: `False` if another process has, `None` where nobody can."""
    try:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _sweep(directory: Path) -> None:
    """Remove what killed processes left in a directory."""
    left = _until_swept.get(directory, 0)
    if left:
        _until_swept[directory] = left - 1
        return
    with suppress(OSError):
        names = os.listdir(directory)
        if len(_until_swept) >= _REMEMBERED:
            _until_swept.clear()
        if len(names) >= _LISTED:
            _until_swept[directory] = len(names) // _LISTED
        for name in names:
            if name.startswith(PART) and name not in _living:
                from ._parts import remove_abandoned

                remove_abandoned(directory / name, _machine(), lock)


def numbered(wanted: Path, number: int) -> Path:
    """`name.png`, `name-2.png`, `name-3.png`, …"""
    if number == 1:
        return wanted
    stem, suffix = (wanted.stem, wanted.suffix) if has_image_suffix(wanted) else (wanted.name, "")
    return wanted.with_name(f"{stem}-{number}{suffix}")


def has_image_suffix(path: str | os.PathLike[str]) -> bool:
    """Whether a path ends in a file suffix: a dot, a letter, up to five more letters or digits.

    `photo.png` does and `photo v1.2` does not: what looks like a version number is part of the name.
    """
    stem, _, suffix = os.path.basename(os.fspath(path)).rpartition(".")
    return bool(stem) and len(suffix) <= 6 and suffix.isascii() and suffix.isalnum() and suffix[0].isalpha()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an `OSError` name `path`, which the caller knows, and not the part."""
    try:
        yield
    except OSError as error:
        there = error.errno == errno.EEXIST
        reason = "File exists (overwrite=True replaces it)" if there else error.strerror
        raise OSError(error.errno, reason, str(path)) from None
