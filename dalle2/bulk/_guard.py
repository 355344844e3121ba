"""One writer for a journal: a lock on a file beside it that dies with its process.

The rule: the lock belongs to the operating system, so that a killed run leaves none behind; the file itself
stays, because removing it could give two runs a lock each.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import JournalError

_held: dict[str, int] = {}
"""The journals that this process has locked, with its process id: the system's own locks count by process."""


class Guard:
    """The lock of one journal, taken at once. Raises `JournalError` if another run has it."""

    def __init__(self, journal: Path) -> None:
        self._name = str(journal)
        if _held.get(self._name) == os.getpid():
            raise _taken(self._name)
        try:
            self._fd = os.open(f"{self._name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise JournalError(
                f"{self._name!r} cannot be locked: {problem.strerror} (its folder must exist and be writable)"
            ) from None
        try:
            _lock(self._fd)
        except OSError:
            os.close(self._fd)
            raise _taken(self._name) from None
        _held[self._name] = os.getpid()

    def release(self) -> None:
        """Give it back. The second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            del _held[self._name]


def _taken(name: str) -> JournalError:
    return JournalError(
        f"{name!r} is in use by another run: wait until it ends, or look at it with dalle2.bulk.status"
    )


def _lock(fd: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
