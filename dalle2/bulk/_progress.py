"""What a run shows of itself while it goes on.

The rule: showing never fails the run and never slows it: at most some four times a second. A bar where
somebody looks (terminal, notebook), else a line now and then on stderr.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ._standing import Counts

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_EVERY, _LINE_EVERY = 0.25, 10.0


@attrs.frozen(kw_only=True)
class Progress(Counts):
    """How far a run is: the counts of the journal, and of this run `images` that came, `seconds` since it
    began, `images_per_second`, and `seconds_left` (`None` until that can be told).
    """

    __module__ = "dalle2.bulk"

    images: int = 0
    seconds: float = 0.0
    under_way: int = 0

    @property
    def images_per_second(self) -> float:
        """Of this run, on average."""
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this pace; `None` until an image came."""
        return self.remaining * self.seconds / self.images if self.images else None


Listener: TypeAlias = Callable[[Progress], object]


def line(progress: Progress) -> str:
    """A progress as one line of text."""
    parts = [f"{progress.total - progress.remaining} of {progress.total}"]
    if progress.images:
        parts.append(f"{progress.images_per_second:.2g} images/s")
    parts.append(f"${progress.usd:.2f}")
    left = progress.seconds_left
    if left is not None and progress.remaining:
        parts.append(f"{_time(left)} left")
    parts += [
        f"{number} {state}"
        for state in ("refused", "failed", "held", "expired")
        if (number := getattr(progress, state))
    ]
    return ", ".join(parts)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    )


class Display:
    """Whoever is shown the progress: a listener, a bar, lines, or nobody. A context manager."""

    def __init__(self, progress: bool | Listener | None) -> None:
        self._listener = progress if callable(progress) else None
        self._lines = progress is True
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Display:
        if self._lines and _somebody_looks():
            try:
                if not sys.stderr.isatty():
                    import_module("ipywidgets")  # rich draws with it in a notebook, and complains without
                from rich.console import Console
                from rich.progress import BarColumn, TextColumn
                from rich.progress import Progress as Bar
            except ImportError:
                return self
            self._bar = Bar(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True))
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def due(self, *, last: bool = False) -> bool:
        """Whether it is time to show something."""
        if self._listener is None and not self._lines:
            return False
        every = _EVERY if self._listener is not None or self._bar is not None else _LINE_EVERY
        return last or time.monotonic() - self._last >= every

    def show(self, progress: Progress) -> None:
        """Show it. A listener that fails is logged and changes nothing."""
        self._last = time.monotonic()
        if self._listener is not None:
            try:
                self._listener(progress)
            except Exception:
                logging.getLogger("dalle2").exception("progress failed")
        elif self._bar is not None and self._task is not None:
            finished = progress.total - progress.remaining
            self._bar.update(self._task, total=progress.total, completed=finished, description=line(progress))
        else:
            print(line(progress), file=sys.stderr, flush=True)


def _somebody_looks() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
