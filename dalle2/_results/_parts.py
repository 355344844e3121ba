"""Decides whether a part of a file was left by a process that is dead, and removes it then.

The rule: a part of a living process is never touched. Its lock goes with its process, so one that is free on
this machine is abandoned, unless it is so new that its process may be about to lock it. Where there are no
locks, or the part is another machine's (whose locks may not be seen from here), it must have been left alone
for a day.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = "[.]dalle2-([0-9]{1,18})-([0-9a-f]{8})-[0-9a-f]{16}[.]part"
_FORGOTTEN = 86_400.0
"""Seconds."""
_NEW = 60.0
"""Seconds in which a process locks the part that it made; nothing is written before."""


def remove_abandoned(part: Path, machine: str, lock: Callable[[int], bool | None]) -> None:
    """Remove a part if its process is dead; nothing else, and no error if it cannot be done.

    `machine` is how this one is called in the names of parts, `lock` how they are locked.
    """
    named = re.fullmatch(_NAME, part.name)
    if named is None:
        return
    with suppress(OSError):
        fd = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            found = os.fstat(fd)
            age = time.time() - found.st_mtime
            forgotten = age > _FORGOTTEN
            new = not found.st_size and 0 <= age < _NEW
            if not stat.S_ISREG(found.st_mode) or (new and (named[2] != machine or _lives(int(named[1])))):
                return
            held = lock(fd)
            if held and (forgotten or named[2] == machine):
                os.unlink(part)
        finally:
            os.close(fd)
        if held is None and forgotten:
            os.unlink(part)


def _lives(process: int) -> bool:
    """Whether a process of this machine may still be there."""
    if os.name == "nt":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True
