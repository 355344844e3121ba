"""Reading a JSON answer as it arrives, without ever building its long strings.

An image answer is a small document around a few base64 strings of megabytes. The rule: strings are told apart
by their length alone, never by their key (a prompt can contain anything). A string over `LONG` bytes goes
straight to a `LongText`, which decodes base64 as it arrives and can give the very text back; all the rest,
the skeleton, goes through `json.loads`, so that there is one meaning of a document and not two. What came can
be given back byte for byte (`raw`), whatever it was.
"""

from __future__ import annotations

import binascii
import json
import os
from io import BytesIO

LONG = 4096
"""Strings above this many bytes are not built (bytes of the encoded document)."""

_DEEPEST = 100
"""Levels of nesting. What follows `json.loads` walks a document by recursion, and no host nests that deep."""

_PREFIX, _HEAD = 256, 8192
_LARGEST = 1 << 25  # bytes outside of long strings: read, they are twenty times as many
_MARK = "\\u0000" + os.urandom(8).hex() + ":"
_MARK_TEXT = "\0" + _MARK[6:]
_USUAL = str.maketrans("-_", "+/", " \t\r\n")


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text: padding may be missing, white space and the URL alphabet are accepted.

    Raises `ValueError` for anything else.
    """
    compact = text.translate(_USUAL).rstrip("=")
    if not compact:
        raise ValueError("no base64 text")
    return binascii.a2b_base64((compact + "=" * (-len(compact) % 4)).encode("ascii"), strict_mode=True)


class LongText:
    """A long JSON string, held as the bytes that its base64 stands for where it is base64, else as it came.

    `prefix` is what stands before the base64 (`data:image/png;base64,`), usually empty.
    """

    __slots__ = ("_decoded", "_escaped", "_pending", "_raw", "_whole", "prefix")

    def __init__(self) -> None:
        self.prefix = ""
        self._escaped: bool | None = None  # whether its slashes came escaped: all of them or none
        self._decoded = BytesIO()  # which gives what it holds without a copy
        self._pending = b""
        self._raw: bytearray | None = None
        self._whole: bytes | None = None  # what `data` gave: with the last group

    def begin(self, start: bytes) -> None:
        """Take the first `LONG` bytes or more, which tell whether a data URI comes."""
        if start.startswith(b"data:"):
            header, comma, rest = start.partition(b",")
            read = self._plainly(header)
            if comma and len(header) <= _PREFIX and read is not None and read.isascii():
                self.prefix, start = (read + comma).decode("ascii"), rest
            else:
                self._raw = bytearray()
        self.feed(start)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the string, escapes and all."""
        if self._raw is not None:
            self._raw += piece
            return
        came, begun = piece, self._pending
        if (piece := self._plainly(came) or b"") == b"" != came:
            self._give_up(came)
            return
        # The last group stays undecoded: only it may carry padding, and its text is given back as it came.
        whole = (len(begun) + len(piece) - 4) & ~3
        if whole <= 8:
            piece, begun = begun + piece, b""
        if whole <= 0:
            self._pending = piece
            return
        # A long piece is not copied: what completes the group that was begun is decoded apart.
        from ._decoder import decode

        first, end = -len(begun) % 4, whole - len(begun)
        groups = (begun + piece[:first], memoryview(piece)[first:end])
        decoded = [one for group in groups if (one := decode(group)) is not None]
        if len(decoded) < len(groups):
            self._give_up(came)
            return
        self._decoded.writelines(decoded)
        self._pending = piece[end:]

    def _give_up(self, came: bytes) -> None:
        """It is no base64: hold it as it comes."""
        self._raw, self._decoded = bytearray(self.encoded() + came), BytesIO()

    def _plainly(self, piece: bytes) -> bytes | None:
        """The piece without escaped slashes, which some gateways write; `None` if it is no such text.

        Nothing else in it is escaped, and its slashes are written like those before it.
        """
        if b"\\" not in piece:
            if self._escaped is not False and b"/" in piece:
                if self._escaped:
                    return None
                self._escaped = False
            return piece
        slashes = piece.count(b"\\/")
        if self._escaped is False or not piece.count(b"\\") == slashes == piece.count(b"/"):
            return None
        self._escaped = True
        return piece.replace(b"\\/", b"/")

    def encoded(self) -> bytes:
        """What came between the quotes, byte for byte."""
        if self._raw is not None:
            return bytes(self._raw)
        decoded = self._decoded.getvalue()
        if self._whole is not None:
            decoded = decoded[: len(decoded) - len(binascii.a2b_base64(self._pending))]
        text = self.prefix.encode() + binascii.b2a_base64(decoded, newline=False) + self._pending
        return text.replace(b"/", b"\\/") if self._escaped else text

    def check(self) -> None:
        """`ValueError` if this is no legal JSON string."""
        json_string(self.prefix.encode() + self._pending if self._raw is None else bytes(self._raw))

    @property
    def is_base64(self) -> bool:
        """Whether it is held as decoded bytes, so that `text()` would build a long string."""
        return self._raw is None

    def data(self) -> bytes:
        """The bytes behind the base64; `ValueError` if the string is not base64."""
        if self._whole is None and self._raw is None:
            try:
                self._decoded.write(binascii.a2b_base64(self._pending, strict_mode=True))
                self._whole = self._decoded.getvalue()
            except ValueError:
                pass
        if self._whole is not None:
            return self._whole
        text = self.text()
        return decode_base64(text.partition(",")[2] if text.startswith("data:") else text)

    def text(self) -> str:
        """The string itself, as an ordinary JSON parser would give it."""
        return json_string(self.encoded())


def json_string(raw: bytes) -> str:
    """The text between the quotes of a JSON string."""
    return str(json.loads('"' + raw.decode() + '"'))


class JsonBody:
    """Takes a body chunk by chunk; gives its document, the beginning of its text, or what came.

    With a `limit` what follows so many bytes is left out, and `full` tells that nothing more is wanted.
    """

    __slots__ = ("_head", "_in_string", "_limit", "_long", "_places", "_skeleton", "_slashes", "_string",
                 "_texts", "size")  # fmt: skip

    def __init__(self, limit: int | None = None) -> None:
        self.size = 0
        self._limit = limit
        self._places: list[int] = []  # in the skeleton, of the marks of the long texts
        self._head = b""
        self._skeleton = bytearray()
        self._texts: list[LongText] = []
        self._string, self._in_string = bytearray(), False
        self._long: LongText | None = None
        self._slashes = 0  # backslashes at the end of what was read of the string so far

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._limit is not None:
            chunk = chunk[: max(0, self._limit - self.size)]
        before, self.size = self.size, self.size + len(chunk)
        if self.size <= LONG:  # too short to hold a long string: left as it is
            self._head += chunk
            return
        if before <= LONG:
            chunk, self._head = self._head + chunk, b""
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]
        at = 0
        while at < len(chunk):
            quote = chunk.find(b'"', at)
            end = len(chunk) if quote < 0 else quote
            if not self._in_string:
                self._skeleton += chunk[at : end + 1]
                self._in_string = quote >= 0
                self._slashes = 0
            else:
                self._take(chunk[at:end])
                if quote >= 0:
                    if self._slashes % 2:
                        self._take(b'"')
                    else:
                        self._close()
            at = end + 1

    def _take(self, piece: bytes) -> None:
        """More of the string that is open."""
        if not piece:
            return
        kept = len(piece.rstrip(b"\\"))
        self._slashes = len(piece) - kept + (0 if kept else self._slashes)
        if self._long is not None:
            self._feed_long(piece)
            return
        self._string += piece
        if len(self._string) > LONG:
            self._long = LongText()
            start, self._string = bytes(self._string), bytearray()
            held = self._slashes % 2
            self._long.begin(start[: len(start) - held])
            self._string += start[len(start) - held :]

    def _feed_long(self, piece: bytes) -> None:
        """A long string never sees half an escape: a backslash at the end waits for what it escapes."""
        assert self._long is not None
        if self._string:
            piece = bytes(self._string) + piece
        held = self._slashes % 2
        self._string = bytearray(piece[len(piece) - held :])
        self._long.feed(piece[: len(piece) - held])

    def _close(self) -> None:
        if self._long is not None:
            self._places.append(len(self._skeleton))
            self._skeleton += (_MARK + str(len(self._texts))).encode()
            self._texts.append(self._long)
            self._long = None
        else:
            self._skeleton += self._string
        self._string, self._in_string = bytearray(), False
        self._skeleton += b'"'

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self.size >= self._limit

    @property
    def closed(self) -> bool:
        """Whether a document may end where the body ends."""
        end = self._head if self.size <= LONG else self._skeleton
        return not self._in_string and end[-64:].rstrip()[-1:] in (b"}", b"]")

    def raw(self) -> bytes:
        """What came, byte for byte. Built when it is asked for: only errors do."""
        if self.size <= LONG:
            return self._head
        parts, at = list[bytes | bytearray](), 0
        for number, (place, text) in enumerate(zip(self._places, self._texts, strict=True)):
            parts += [self._skeleton[at:place], text.encoded()]
            at = place + len(_MARK) + len(str(number))
        parts.append(self._skeleton[at:])
        parts.append(self._long.encoded() if self._long is not None else b"")
        return b"".join((*parts, self._string))

    def holds(self, text: bytes) -> bool:
        """Whether the text stands somewhere outside the pictures."""
        short = self._head if self.size <= LONG else self._skeleton
        return text in short or any(text in one.encoded() for one in self._texts if not one.is_base64)

    def document(self) -> object:
        """The document; strings over `LONG` bytes are `LongText`. `ValueError` if it is not one, whole."""
        if self._in_string or len(self._skeleton) > _LARGEST:
            raise ValueError("the document ends inside a string, or never")
        skeleton = self._head if self.size <= LONG else self._skeleton
        try:
            document = json.loads(skeleton.removeprefix(b"\xef\xbb\xbf").decode())
        except RecursionError:
            raise ValueError("the document is nested too deeply") from None
        if skeleton.count(b"[") + skeleton.count(b"{") > _DEEPEST:
            from ._loosely import deeper_than

            if deeper_than(document, _DEEPEST):
                raise ValueError("the document is nested too deeply")
        for text in self._texts:
            text.check()
        return self._restore(document) if self._texts else document

    def _restore(self, value: object) -> object:
        if isinstance(value, str) and value.startswith(_MARK_TEXT):
            return self._texts[int(value[len(_MARK_TEXT) :])]
        if isinstance(value, list):
            return [self._restore(item) for item in value]
        if isinstance(value, dict):
            return {plain(self._restore(key)): self._restore(item) for key, item in value.items()}
        return value

    def text(self) -> str:
        """The first 8 KiB as text."""
        return self._head.decode("utf-8", "replace")


def plain(value: object) -> object:
    """A decoded value without `LongText` in it."""
    if isinstance(value, LongText):
        return value.text()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
