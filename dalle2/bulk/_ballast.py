"""Room on the disk that nobody else can take: what is under way when the disk fills up is written into it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

PER_CALL = 4 * 1024 * 1024
"""Bytes for each call under way: a large picture and its record."""


class Ballast:
    """A file that only takes up room, so that giving it up makes some."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, calls: int) -> None:
        """Take the room for so many calls, at most a quarter of what is free. Raises `OSError` for a
        full disk.
        """
        free = shutil.disk_usage(self._path.parent).free
        size = max(min(calls * PER_CALL, free // 4), 64 * 1024)
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size)
            else:
                os.ftruncate(fd, size)
        except OSError:
            self.give_up()
            raise
        finally:
            os.close(fd)

    def give_up(self) -> None:
        """Make the room free. The second time does nothing."""
        with suppress(OSError):
            self._path.unlink()
