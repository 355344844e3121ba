"""What happens next: a pure planner. It is told what happened, and says what to send, to keep, and how long
to wait.

The rule: nothing is sent beyond the pace, the limits on money and the room of the spool; keeping what was
paid for comes before paying for more; and once something stops the run, only what is under way is finished.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Literal, TypeAlias

import attrs

from ._pacer import Allowance, Pace

Reason: TypeAlias = Literal["budget", "interrupted", "error", "limited", "unreachable", "spool"]

ATTEMPTS = 3
"""How often one job meets trouble in one run while others succeed."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
PATIENCE = 120.0
"""Seconds of nothing but trouble after which a run that has worked gives up."""
LEAST_TROUBLES = 4
LEAD = 0.5
"""Seconds by which a call is prepared before its moment: its order has to be durable by then, on a disk that
is busy, too. What is killed meanwhile is held although it was not sent.
"""
_INSTANT = 1e-6  # a clock may not be able to move by less


@attrs.frozen
class Unit:
    """One call of the run: its number in the journal, its images, what it may cost (billionths of a dollar,
    `None` if unknown).
    """

    number: int
    images: int = 1
    reserve: int | None = 0


@attrs.frozen
class Limits:
    """What the run may spend altogether, what was spent before it included."""

    images: int | None = None
    nano: int | None = None


@attrs.frozen
class Step:
    """What is to be done now. Without anything to do, `wait` is how long at most (`None`: until
    something ends).
    """

    send: tuple[Unit, ...] = ()
    keep: tuple[Unit, ...] = ()
    wait: float | None = None


class Planner:
    """The state of a run, without disk and clock: each method is an event, `next` gives the next step."""

    def __init__(
        self,
        *,
        concurrency: int,
        pace: Pace | None = None,
        limits: Limits | None = None,
        spent_images: int = 0,
        spent_nano: int = 0,
        spool_limit: int = 2**31,
    ) -> None:
        self.concurrency = concurrency
        self.pace = Pace() if pace is None else pace
        self.limits = Limits() if limits is None else limits
        self.spent_images = spent_images
        self.spent_nano = spent_nano
        self.spool_limit = spool_limit
        self.spooled = 0
        self.stopped: Reason | None = None
        self.exhausted = False
        self.succeeded = False
        self.sending: dict[int, tuple[Unit, float]] = {}
        """The calls under way or prepared, with the moment of each."""
        self._moved: set[int] = set()
        self.keeping: dict[int, Unit] = {}
        self._ready: deque[Unit] = deque()
        self._to_keep: deque[Unit] = deque()
        self._later: list[tuple[float, int, Unit, bool]] = []
        self._failures: dict[int, tuple[int, int]] = {}
        self._successes = 0
        self._troubled_since: float | None = None
        self._troubles = 0
        self._trouble_at = -1.0
        self._calm_at = 0.0
        self._unkept = 0

    # What is there to do

    @property
    def wants(self) -> int:
        """How many more planned units it would take in."""
        if self.stopped is not None or self.exhausted:
            return 0
        return max(0, 2 * self.concurrency - len(self._ready))

    def offer(self, units: Iterable[Unit], *, last: bool) -> None:
        """Planned units from the journal; `last` says that there are no more."""
        self._ready.extend(units)
        self.exhausted = last

    def answered_before(self, units: Iterable[Unit]) -> None:
        """Units that an earlier run left paid for and not yet kept."""
        self._to_keep.extend(units)

    def stop(self, reason: Reason) -> None:
        """Send nothing more."""
        if self.stopped is None or (self.stopped == "budget" and reason != "budget"):
            self.stopped = reason

    # What happened

    def answered(self, unit: Unit, nano: int | None, now: float, told: Allowance | None = None) -> None:
        """Images came; they are to be kept."""
        self._end(unit, unit.images, nano)
        self._success()
        self.pace = self.pace.after_success(now, told, sum(u.images for u, _ in self.sending.values()))
        self._to_keep.append(unit)

    def ended(self, unit: Unit, *, billed: bool, heard: bool = True) -> None:
        """It will not be sent again in this run; `heard`: the host answered."""
        self._end(unit, unit.images if billed else 0, unit.reserve if billed else 0)
        if heard:
            self._success()

    def limited(self, unit: Unit, retry_after: float | None, now: float) -> None:
        """A 429: the unit is sent again once the pace allows."""
        sent_at = self._end(unit, 0, 0)
        self.pace = self.pace.after_limit(now, retry_after, sent_at)
        self._ready.appendleft(unit)
        if self.pace.lasting(now):
            self.stop("limited")

    def returned(self, unit: Unit) -> None:
        """It was prepared, and not sent: its moment was withdrawn."""
        self._end(unit, 0, 0)
        self.pace = self.pace.after_giving_back(unit.images)
        self._ready.appendleft(unit)

    def troubled(
        self, unit: Unit, now: float, *, billed: bool = False, retry_after: float | None = None
    ) -> bool:
        """Network or host failed: the unit is tried again later. False if it is given up for this run."""
        sent_at = self._end(unit, unit.images if billed else 0, unit.reserve if billed else 0)
        since = self._troubled_since
        if since is None or sent_at > self._trouble_at:  # not one that was under way when it began
            self._trouble_at = now
            self._troubled_since = since = now if since is None else since
            self._troubles += 1
            pause = min(FIRST_WAIT * 2.0 ** (min(self._troubles, 30) - 1), LONGEST_WAIT)
            self._calm_at = now + (retry_after or pause)
        if self._troubles >= LEAST_TROUBLES and now - since >= (PATIENCE if self.succeeded else 0.0):
            self.stop("unreachable")
        tries, mark = self._failures.get(unit.number, (0, self._successes))
        tries += 1
        if tries >= ATTEMPTS and (billed or self._successes > mark):
            self._failures.pop(unit.number, None)
            return False
        self._failures[unit.number] = tries, mark
        heapq.heappush(self._later, (self._calm_at, unit.number, unit, False))
        return True

    def kept(self, unit: Unit) -> None:
        """Its images are where they belong, or never will be."""
        del self.keeping[unit.number]
        self._failures.pop(unit.number, None)
        self._unkept = 0

    def left(self, unit: Unit) -> None:
        """Its images are left to the next run."""
        del self.keeping[unit.number]

    def keep_failed(self, unit: Unit, now: float) -> bool:
        """Its images could not be kept just now. False if that is left to the next run."""
        del self.keeping[unit.number]
        tries = self._failures.get(unit.number, (0, 0))[0] + 1
        self._unkept += 1
        if tries >= ATTEMPTS or self.stopped is not None:
            self._failures.pop(unit.number, None)
            return False
        self._failures[unit.number] = tries, 0
        heapq.heappush(self._later, (now + FIRST_WAIT * 2.0 ** (tries - 1), unit.number, unit, True))
        return True

    def _end(self, unit: Unit, images: int, nano: int | None) -> float:
        _, sent_at = self.sending.pop(unit.number)
        self._moved.discard(unit.number)
        self.spent_images += images
        self.spent_nano += nano or 0
        return sent_at

    def _success(self) -> None:
        self.succeeded = True
        self._successes += 1
        self._troubled_since = None
        self._troubles = 0

    # What follows

    def next(self, now: float) -> Step:
        """The next step. What it sends and keeps counts as begun."""
        while self._later and self._later[0][0] <= now + _INSTANT:
            _, _, unit, to_keep = heapq.heappop(self._later)
            (self._to_keep if to_keep else self._ready).append(unit)
        keep: list[Unit] = []
        while self._to_keep and self._room():
            unit = self._to_keep.popleft()
            self.keeping[unit.number] = unit
            keep.append(unit)
        send: list[Unit] = []
        wait: float | None = None
        while self._ready and self.stopped is None and self._room():
            wait = self._hindrance(self._ready[0], now)
            if wait is None or wait > _INSTANT:
                break
            wait = None
            unit = self._ready.popleft()
            self._grant(unit, now)
            send.append(unit)
        if self.stopped is None and self._later:
            due = max(self._later[0][0] - now, 0.0)
            wait = due if wait is None else min(wait, due)
        return Step(tuple(send), tuple(keep), wait)

    def launch(self, unit: Unit, now: float) -> float | None:
        """Seconds until a call that is prepared may be made, 0 for now; `None` if it is not to be made."""
        at = self.sending[unit.number][1]
        if self.stopped is not None or self.pace.withdrawn(at, now):
            return None
        if self.pace.missed(at, now) and unit.number not in self._moved:
            self._moved.add(unit.number)  # once: a machine that is always late sends all the same
            self.pace = self.pace.after_giving_back(unit.images)
            at = self._grant(unit, now)
        return at - now if at > now + _INSTANT else 0.0

    def _grant(self, unit: Unit, now: float) -> float:
        at = now + self.pace.wait(now)
        self.sending[unit.number] = unit, at
        self.pace = self.pace.after_sending(unit.images, at)
        return at

    def _room(self) -> bool:
        return len(self.sending) + len(self.keeping) < self.concurrency

    def _hindrance(self, unit: Unit, now: float) -> float | None:
        """Seconds until the unit may be sent; `None` if that depends on what is under way. May stop
        the run.
        """
        if self.spooled >= self.spool_limit:
            if not (self.keeping or self._to_keep or self._later):
                self.stop("spool")
            return None
        if self._unkept >= ATTEMPTS:  # pay for no more that cannot be kept
            if not (self.keeping or self._to_keep or any(keep for *_, keep in self._later)):
                self.stop("unreachable")
            return None
        if not self._affordable(unit):
            if not self.sending:
                self.stop("budget")
            return None
        wait = max(self.pace.wait(now) - LEAD, 0.0)
        if self._troubled_since is None:
            return None if self.pace.probing and self.sending else wait
        return None if self.sending else max(wait, self._calm_at - now)

    def _affordable(self, unit: Unit) -> bool:
        under_way = [unit, *(other for other, _ in self.sending.values())]
        images = self.spent_images + sum(each.images for each in under_way)
        nano = self.spent_nano + sum(each.reserve or 0 for each in under_way)
        limits = self.limits
        return (limits.images is None or images <= limits.images) and (
            limits.nano is None or nano <= limits.nano
        )

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        if self.sending or self.keeping or self._to_keep:
            return False
        if self.stopped is not None:
            return True
        return self.exhausted and not self._ready and not self._later
