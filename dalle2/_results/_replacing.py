"""Decides what `overwrite=True` replaces, and what of the older file stays: what `open` would do.

The rule: a link is followed, mode and owner stay, a file that may not be written is not replaced. What is no
file cannot be replaced by one. Other hard links keep the older bytes: to replace whole is to make anew.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable


def replaceable(place: Path) -> tuple[Path, os.stat_result | None]:
    """Where the file is that is to be replaced, and what it is, if it is there.

    Raises what opening it for writing would raise, and `InvalidRequestError` for a device or a pipe.
    """
    place = Path(os.path.realpath(place))
    found = refuse_device(place)
    if found is None:
        return place, None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return place, found


def refuse_device(place: Path) -> os.stat_result | None:
    """What is there, if anything. Raises `InvalidRequestError` for a device or a pipe."""
    try:
        found = os.stat(place)
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise InvalidRequestError(
            f"{str(place)!r:.200} is a device or a pipe, and only a file can be replaced by a whole one: "
            "write image.read() to it",
            field="path",
        )
    return found


def take_over(part: str, older: os.stat_result) -> None:
    """Give a file the mode of the older one and, if that is allowed, its owner."""
    with suppress(OSError, AttributeError):
        os.chown(part, older.st_uid, older.st_gid)
    os.chmod(part, stat.S_IMODE(older.st_mode))


def put(part: str, place: Path, lock: Callable[[int], object]) -> None:
    """Put a part in the place of a file. On another disk, where a link led that only the whole name has, it
    becomes a part there first.
    """
    try:
        os.replace(part, place)
        return
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
    beside = str(place.with_name(os.path.basename(part)))
    try:
        with open(part, "rb") as source, open(beside, "xb") as copy:
            lock(copy.fileno())
            while data := source.read(1 << 20):
                copy.write(data)
            copy.flush()
            os.fsync(copy.fileno())
            take_over(beside, os.fstat(source.fileno()))
            os.replace(beside, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
