"""What was carried out and billed, and how much of the rate limit is left.

The rule: a request is billed when its last check has passed, never later and never twice. The limit
counts images, over the last sixty seconds of the emulator's clock.
"""

from __future__ import annotations

import math
import threading
from collections import deque

from . import _refusals as refuse
from ._exchange import BilledRequest

_USUAL_LIMIT = 500


class Ledger:
    """The account; safe to use from several threads."""

    def __init__(self, *, images_per_minute: int | None, keep: int | None) -> None:
        self._limit = images_per_minute
        self.billed: list[BilledRequest] = []
        self._keep = keep
        self._recent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def enter(self, entry: BilledRequest) -> None:
        """Enter it, whatever the limit: a line of a batch does not count there."""
        with self._lock:
            self._enter(entry)

    def _enter(self, entry: BilledRequest) -> None:
        self.billed.append(entry)
        if self._keep is not None:
            del self.billed[: -self._keep]

    def bill(self, entry: BilledRequest) -> None:
        """Enter it, or refuse it with 429 if it would pass the limit."""
        now = entry.at.timestamp()
        with self._lock:
            self._forget(now)
            current = sum(n for _, n in self._recent) + entry.n
            if self._limit is not None and current > self._limit:
                wait = math.ceil(60 - (now - self._recent[0][0])) if self._recent else 60
                raise refuse.rate_limited(self._limit, current, wait)
            self._recent.append((now, entry.n))
            self._enter(entry)

    def headers(self, now: float) -> dict[str, str]:
        """The rate-limit headers of the image endpoints."""
        with self._lock:
            self._forget(now)
            calls, images = len(self._recent), sum(n for _, n in self._recent)
            wait = 60 - (now - self._recent[0][0]) if self._recent else 0
        limit = _USUAL_LIMIT if self._limit is None else self._limit
        reset = f"{max(round(wait), 0)}s"
        return {
            "x-ratelimit-limit-requests": str(_USUAL_LIMIT),
            "x-ratelimit-remaining-requests": str(max(_USUAL_LIMIT - calls, 0)),
            "x-ratelimit-reset-requests": reset,
            "x-ratelimit-limit-images": str(limit),
            "x-ratelimit-remaining-images": str(max(limit - images, 0)),
            "x-ratelimit-reset-images": reset,
        }

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] <= now - 60:
            self._recent.popleft()
