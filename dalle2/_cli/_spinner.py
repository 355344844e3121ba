"""What a terminal shows while a command waits: seconds, host, and what is tried again. Nothing in a pipe.

The rule: the line is made from the client's events and shows nothing that they do not hold. Whether anybody
sees it is decided once, by stderr, and rich and the events are loaded only then.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, cast

from ._screen import Lenient, harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from rich.spinner import Spinner

    from ..errors import Dalle2Error
    from ..events import Event


class Progress:
    """What is known of a call under way, as one line of text."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._doing = "painting"
        self._call = ""
        self._trouble = ""
        self._until: float | None = None
        self._images = 0
        self._fetched = 0

    @classmethod
    def on_terminal(cls) -> Progress | None:
        """What a terminal's stderr is told; `None` where nobody would see it."""
        return cls() if sys.stderr is not None and sys.stderr.isatty() else None

    def listen(self, event: Event) -> None:
        """Take in an event of the client."""
        from .. import events

        if isinstance(event, events.AttemptStarted):
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            self._call, self._until = f"{event.model} at {event.host}{again}", None
        elif isinstance(event, events.AttemptFailed):
            self._trouble = _short(event.error)
        elif isinstance(event, events.Waiting):
            self._until = self._clock() + event.seconds
        elif isinstance(event, events.ImageFetched):
            self._fetched += 1

    def saving(self, images: int) -> None:
        """From now on so many images are saved."""
        self._doing, self._images = "saving", images
        self._call = self._trouble = ""

    def line(self) -> str:
        """The line, as of now."""
        now = self._clock()
        parts = [f"{self._doing} {now - self._start:.0f} s", self._call]
        if self._until is not None:
            parts.append(f"next attempt in {max(self._until - now, 0.0):.0f} s")
        if self._images > 1:
            parts.append(f"{self._fetched} of {self._images} fetched")
        if self._trouble:
            parts.append(f"before: {self._trouble}")
        return harmless(" · ".join(filter(None, parts)))


def _short(error: Dalle2Error) -> str:
    """An error in a few words: its status, and its first sentence."""
    status = getattr(error, "status_code", None)
    words = " ".join(error.message.split()).partition(": ")[0]
    return f"{status} {words[:60]}" if status else words[:60]


@contextlib.contextmanager
def turning(progress: Progress | None) -> Iterator[None]:
    """Show the line, and a spinner before it, while this is open."""
    if progress is None:
        yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(file=cast("TextIO", Lenient(sys.stderr)))
    mark = Spinner("dots" if console.encoding.startswith("utf") else "line")

    def frame() -> Spinner:
        line = Text(progress.line())
        line.truncate(console.width - 2, overflow="ellipsis")  # one line, whatever the host is called
        mark.update(text=line)
        return mark

    with Live(
        get_renderable=frame, console=console, refresh_per_second=10, transient=True, redirect_stdout=False
    ) as live:
        live.refresh()  # at once: a quick call should be seen too
        yield
