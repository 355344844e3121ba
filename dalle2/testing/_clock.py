"""The emulator's clock: what time it is for signed URLs, `created` and the `Date` header.

The rule: it starts at the real time and runs with it, plus an offset that only tests move. Nothing else in
the emulator asks the machine for the time.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Real time plus an offset; safe to use from several threads."""

    __module__ = "dalle2.testing"

    def __init__(self) -> None:
        self._offset = 0.0
        self._lock = threading.Lock()

    def timestamp(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time() + self._offset

    def now(self) -> datetime:
        """The current time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds; a negative number moves it back."""
        with self._lock:
            self._offset += seconds

    def set(self, when: datetime) -> None:
        """Make it `when` (an aware datetime) now; from there the clock runs on."""
        if when.tzinfo is None:
            raise ValueError(
                "the emulator's clock needs an aware datetime, for example datetime(..., tzinfo=UTC)"
            )
        with self._lock:
            self._offset = when.timestamp() - time.time()
