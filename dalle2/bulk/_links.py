"""A second name for a file that is whole and flushed, where that is as good as a copy.

The rule: whoever looks at the new name finds what a file made there would have been. Where that is not sure,
nothing is linked, and the caller writes the file.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def alike(one: str, other: str) -> bool:
    """Whether a new file is the same in both directories: its disk, group, access lists, security label."""
    try:
        return _given(one) == _given(other)
    except OSError:
        return False


def linked(source: str, target: str) -> bool:
    """Whether `target` is now a name of the file at `source`; flush its directory (`flush`) to make that
    last. Raises `FileExistsError`: nothing is replaced.
    """
    if not alike(os.path.dirname(source), os.path.dirname(target)):
        return False
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except (OSError, AttributeError):  # another disk, or one without links: writing will tell
        return False
    return True


def _given(directory: str) -> object:
    found = os.stat(directory)
    names = os.listxattr(directory) if hasattr(os, "listxattr") else []
    inherits = found.st_mode & stat.S_ISGID
    return found.st_dev, found.st_gid, inherits, [(name, os.getxattr(directory, name)) for name in names]


def flush(directory: str) -> None:
    """Make the names in a directory last."""
    with suppress(OSError):  # not every system lets a directory be synced
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
