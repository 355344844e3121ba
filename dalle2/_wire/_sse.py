"""Server-sent events: lines become events, chunk by chunk, however the chunks fall.

Only what image streams use of the format (https://html.spec.whatwg.org/multipage/server-sent-events.html):
`event:` and `data:` lines, comments, an empty line to end an event, any of the three line ends. A `data` line
of megabytes goes straight into a `JsonBody`; what says nothing (empty lines, comments, other fields) is
passed over many lines at a time and never gathered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from ._body import JsonBody

_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOTHING = re.compile(rb"(?:(?!data|event|\xef\xbb\xbf)[^\r\n]*+[\r\n]++)++")
_LONGEST_NAME = 256
"""Bytes, of a field and of an event: no longer one means anything."""


@attrs.define
class Event:
    """One event: its name (may be empty) and its data, unread."""

    name: str = ""
    data: JsonBody = attrs.Factory(JsonBody)


class EventParser:
    """Feed it chunks; it gives the events that they complete."""

    def __init__(self) -> None:
        self._event = Event()
        self._field: str | None = None  # the field of the line that is open, once its name is known
        self._line = bytearray()
        self._after_cr = False
        self._has_data = False

    @property
    def open(self) -> Event | None:
        """The event that has data and has not ended."""
        return self._event if self._has_data else None

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that end in this chunk."""
        if not chunk:
            return
        at = 1 if self._after_cr and chunk[:1] == b"\n" else 0
        self._after_cr = chunk[-1:] == b"\r"
        while at < len(chunk):
            if not (self._has_data or self._event.name or self._line) and self._field is None:
                nothing = _NOTHING.match(chunk, at)
                at = nothing.end() if nothing else at
            end = _LINE_END.search(chunk, at)
            self._take(chunk[at : end.start()] if end else chunk[at:])
            if end is None:
                return
            at = end.end()
            if self._end_line():
                event, self._event = self._event, Event()
                yield event

    def _take(self, piece: bytes) -> None:
        """More of the line that is open. The value of a `data` line is read as it comes, never gathered."""
        if self._field == "data":
            self._event.data.feed(piece)
            return
        if self._field == "event":
            self._line += piece[: max(0, _LONGEST_NAME - len(self._line))]
        if self._field is not None:
            return
        line = bytes(self._line) + piece
        if b":" not in line:
            self._line = bytearray(line[: _LONGEST_NAME + 1])
            if len(line) > _LONGEST_NAME:
                self._field = ""
            return
        name, _, rest = line.partition(b":")
        if name == b"data" and not rest:
            self._line = bytearray(line)  # the space that may follow is not here yet
            return
        self._field = name.decode("utf-8", "replace").removeprefix("\ufeff")
        rest = rest.removeprefix(b" ")
        self._line = bytearray(rest[:_LONGEST_NAME] if self._field == "event" else b"")
        if self._field == "data":
            if self._has_data:
                self._event.data.feed(b"\n")
            self._has_data = True
            self._event.data.feed(rest)

    def _end_line(self) -> bool:
        """The line is whole; whether it ends an event that has data."""
        empty = self._field is None and not self._line
        if self._field == "event":
            self._event.name = self._line.decode("utf-8", "replace").strip()
        self._field, self._line = None, bytearray()
        if not empty:
            return False
        had, self._has_data = self._has_data, False
        if not had:
            self._event = Event()
        return had
