"""Decides how a file gets a name that must not be taken, on a disk without hard links.

The rule: a system call that renames and refuses in one step, where there is one. Elsewhere the folder is
locked, looked at and the file renamed: that is safe among processes of this package; a file that another
program makes in that very instant would be replaced. At no time does an unfinished file bear the name.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL
    from pathlib import Path

_RENAME_REFUSES = os.name == "nt"
_HERE = -100  # AT_FDCWD
_NO_REPLACE = 1  # RENAME_NOREPLACE, Linux
_EXCLUSIVE = 4  # RENAME_EXCL, macOS


def move(part: str, place: Path) -> None:
    """Rename `part` to `place`. Raises `FileExistsError` if that is taken."""
    if _RENAME_REFUSES:
        os.rename(part, place)
    elif not _moved_at_once(_system(), os.fsencode(part), os.fsencode(place)):
        _look_and_move(part, place)


def _system() -> CDLL | None:
    """The C library, if it can be asked."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError, TypeError):
        return None


def _moved_at_once(system: CDLL | None, part: bytes, place: bytes) -> bool:
    """Whether the system has done it in one step."""
    for name, arguments in (
        ("renameat2", (_HERE, part, _HERE, place, _NO_REPLACE)),
        ("renamex_np", (part, place, _EXCLUSIVE)),
    ):
        call = getattr(system, name, None)
        if call is not None:
            import ctypes

            if call(*arguments) == 0:
                return True
            if ctypes.get_errno() == errno.EEXIST:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    return False  # this disk cannot, or the next way tells what is wrong


def _look_and_move(part: str, place: Path) -> None:
    fd = os.open(place.parent, os.O_RDONLY)
    try:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.path.lexists(place):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(part, place)
    finally:
        os.close(fd)
