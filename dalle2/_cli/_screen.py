"""The one place through which all output passes: what may stand on a user's terminal, pipe or log.

The rule: a text from a host, a file or an argument cannot write escape sequences, line breaks or bidi marks:
they are shown as backslash escapes. What the stream's encoding does not have is shown so too, and JSON is
plain ASCII, so that neither a path nor a URL of a paid image is ever lost to a codec or to a full disk.
Answers go to stdout, all else to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
from unicodedata import category

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_JOINERS = "\u200c\u200d"  # Persian and Indic spelling needs them, and so do many emoji: they move nothing
_ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def harmless(text: str) -> str:
    """`text` as it may be shown: controls, bidi marks and halves of characters as backslash escapes."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if category(char) in _ACTING and char not in _JOINERS
        else char
        for char in text
    )


def say(*lines: str, paid: bool = False) -> None:
    """Lines on stdout.

    A stdout that takes nothing (a full disk, a reader that left) raises an `OSError` that names it. What was
    `paid` for is told on stderr then.
    """
    if lines:
        _say("\n".join(map(harmless, lines)), paid)


def document(value: object, *, paid: bool = False) -> None:
    """One JSON document on stdout, in ASCII. Raises like `say`."""
    _say(json.dumps(value, indent=2).replace("\x7f", "\\u007f"), paid)


def _say(text: str, paid: bool) -> None:
    try:
        print(text, flush=True)
    except (OSError, ValueError) as error:
        if paid:
            _write_err(text)
        raise _lost(error) from None


def picture(data: bytes) -> None:
    """The bytes of a picture on stdout. Raises like `say`."""
    left = memoryview(data)
    try:
        while left:  # without a buffer (`python -u`) a pipe takes what it has room for
            left = left[sys.stdout.buffer.write(left) or _full() :]
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        raise _lost(error) from None


def _full() -> int:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _lost(error: OSError | ValueError) -> OSError:
    """What is raised for a stdout that took nothing: a file that was closed is a `ValueError` to Python."""
    _give_up(sys.stdout)
    number = (error.errno if isinstance(error, OSError) else None) or errno.EBADF
    return OSError(number, os.strerror(number), "standard output")


def tell(message: str, prefix: str = "dalle2: ") -> None:
    """One line on stderr, by whom it is said first; a stderr that takes nothing is let be."""
    line = re.sub(r"[ \t]*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+[ \t]*", " ", message)
    _write_err(prefix + harmless(line.strip()))


def _write_err(line: str) -> None:
    if sys.stderr is None:  # a process without a console; `print` would take stdout
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _give_up(sys.stderr)


class Lenient:
    """A stream for what may be missed: a terminal that goes away meanwhile is no failure of a paid call."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if it can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _give_up(stream: TextIO) -> None:
    """Send what is still buffered to nowhere, or the interpreter complains of it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Let both streams show what their encoding does not have as backslash escapes, while this is open."""
    with contextlib.ExitStack() as undo:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                undo.callback(_set_errors, stream, stream.errors or "strict")
                _set_errors(stream, "backslashreplace")
        yield


def _set_errors(stream: io.TextIOWrapper, errors: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # it may be full, or closed by now
        stream.reconfigure(errors=errors)
