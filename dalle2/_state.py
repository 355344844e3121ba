"""What the calls of one client share: the clock, rate limits, what is known of models, and who is told.

The rule for who is told (the caller's listener, and `logging` under the name `dalle2`): nothing is made up
unless somebody listens, a listener that fails never fails the call, and no line holds a key, a prompt or a
signed URL.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from . import catalog
from ._dates import ServerClock

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from datetime import date
    from typing import Protocol

    from . import errors as e
    from .events import Event, Listener

    class HasNow(Protocol):
        """A clock that tells the time (aware, UTC)."""

        def now(self) -> datetime: ...

    EventName = Literal[
        "AttemptStarted",
        "AttemptFailed",
        "OutcomeUnknown",
        "Waiting",
        "CallSucceeded",
        "ImageFetched",
        "ImageLost",
    ]

LOUD = ("OutcomeUnknown", "ImageLost")


class Reporter:
    """Hands events to the listener and to the log."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener

    @property
    def listening(self) -> bool:
        """Whether the caller listens."""
        return self._listener is not None

    def wanted(self, name: EventName) -> bool:
        """Whether anybody listens to or logs such an event."""
        if self._listener is not None:
            return True
        log = _logger()
        return log is not None and log.isEnabledFor(_level(name))

    def __call__(self, name: EventName, **facts: object) -> None:
        """Report one event."""
        if not self.wanted(name):
            return
        try:
            from . import events
        except (ImportError, OSError) as problem:  # no file can be read any more
            if getattr(problem, "errno", 0) is None:  # a signal handler's own
                raise
            return
        log, level = _logger(), _level(name)
        event: Event = getattr(events, name)(**facts)
        if log is not None and log.isEnabledFor(level):
            with suppress(Exception):  # a handler's failure is not the call's
                log.log(level, "%s", events.line(event))
        if self._listener is not None:
            try:
                self._listener(event)
            except Exception:
                if log is not None:
                    with suppress(Exception):
                        log.exception("on_event failed for %s", name)


_log: logging.Logger | None = None


def _level(name: EventName) -> int:
    return 30 if name in LOUD else 10  # logging.WARNING, logging.DEBUG


def _logger() -> logging.Logger | None:
    """The logger, once anybody imported `logging`: until then nobody can have asked for its lines."""
    global _log
    if "logging" not in sys.modules:
        return None
    import logging  # waits for another thread that is still at it; what is in `sys.modules` may be half made

    if _log is None:
        _log = logging.getLogger("dalle2")
    if not _log.handlers:
        _log.addHandler(logging.NullHandler())
    return _log


def utc_now() -> datetime:
    """The local time, aware, UTC."""
    return datetime.now(UTC)


MOST_LANES = 256


class RateLimits:
    """Rate limits met so far: until when (monotonic seconds) the calls of a lane wait, and why."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, e.APIStatusError]] = {}

    def hold(self, lane: str, until: float, why: e.APIStatusError) -> None:
        """Hold the lane back until then, unless it is held back longer already."""
        if len(self._until) >= MOST_LANES:  # a model name may be anything: forget those that end first
            latest = sorted(self._until.items(), key=lambda lane: lane[1][0])[MOST_LANES // 2 :]
            self._until = dict(latest)
        if self._until.get(lane, (0.0,))[0] < until:
            self._until[lane] = until, why

    def held(self, lane: str, now: float) -> tuple[float, e.APIStatusError] | None:
        """Seconds that the lane is still held back, and the answer that caused it; `None` if it is free."""
        held = self._until.get(lane)
        if held is None:
            return None
        if held[0] <= now:
            self._until.pop(lane, None)
            return None
        return held[0] - now, held[1]


class ClientState:
    """What the calls of one client and of its copies share."""

    __slots__ = ("clock", "known", "limits", "monotonic", "now", "report")

    def __init__(
        self,
        report: Reporter | None = None,
        *,
        known: KnownModels | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.clock = ServerClock()
        self.limits = RateLimits()
        self.known = KnownModels() if known is None else known
        self.report = Reporter() if report is None else report
        self.monotonic = monotonic
        self.now = now

    def follow(self, emulated: HasNow | None) -> None:
        """Take the time from the clock of an emulator in this process; what a host sends never has this."""
        if emulated is not None:
            from ._dates import FollowedClock

            self.clock = FollowedClock(emulated.now)

    def today(self) -> date:
        """The host's day."""
        return self.clock.now(self.now()).date()


class KnownModels:
    """What is known of models: the catalogue, a host's live list once it was read, and which it has not."""

    __slots__ = ("gone", "live", "models")

    def __init__(
        self, models: Mapping[str, catalog.Model] = catalog.MODELS, live: frozenset[str] = frozenset()
    ) -> None:
        self.models = models
        self.live = live
        self.gone: frozenset[str] = frozenset()

    def learn(self, dates: Mapping[str, date | None]) -> None:
        """Put the live list's shutdown dates in: they win over the catalogue's."""
        self.models = catalog.with_dates(dates, models=self.models)
        self.live |= frozenset(dates)
