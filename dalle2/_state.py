"""Who is told what happens: the caller's listener and `logging` (logger `dalle2`).

The rule: nothing is made up unless somebody listens, a listener that fails never fails the call, and no line
holds a key, a prompt or a signed URL.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import logging

    from .events import Event, Listener

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
        from . import events

        log, level = _logger(), _level(name)
        event: Event = getattr(events, name)(**facts)
        if log is not None and log.isEnabledFor(level):
            log.log(level, "%s", events.line(event))
        if self._listener is not None:
            try:
                self._listener(event)
            except Exception:
                if log is not None:
                    log.exception("on_event failed for %s", name)


_log: logging.Logger | None = None


def _level(name: EventName) -> int:
    return 30 if name in LOUD else 10  # logging.WARNING, logging.DEBUG


def _logger() -> logging.Logger | None:
    """The logger, once anybody imported `logging`: until then nobody can have asked for its lines."""
    global _log
    module = sys.modules.get("logging")
    if module is None:
        return None
    if _log is None:
        _log = module.getLogger("dalle2")
    if not _log.handlers:
        _log.addHandler(module.NullHandler())
    return _log
