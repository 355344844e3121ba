"""Where a picture's bytes come from, whatever a caller has at hand: read once, and nothing but bytes after.

The rule: a path, bytes, an open binary file or what holds bytes is read as it is; the text forms in which a
picture travels (base64, a data URI) are decoded; what this package cannot read is refused by its kind, with
the call that makes bytes of it. No message repeats what may be a whole picture.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_to_bytes

from .._image._media import described
from ..errors import InvalidRequestError

if TYPE_CHECKING:
    from typing import TypeGuard

    from PIL.Image import Image

_URL = r"\s*([a-zA-Z][a-zA-Z0-9+.-]+)://"
_LONG_NAME = 200
"""Characters: a longer path is told in short."""
_SHORTEST_TEXT = 40
"""Characters: no picture is smaller than this as base64."""
_HEAD = 64
_OTHER_LETTERS = str.maketrans("-_", "+/")
"""The alphabet of base64 in URLs, which also means no more than 64 letters."""


def is_pillow(source: object) -> TypeGuard[Image]:
    """Whether this is a Pillow image, without importing Pillow."""
    return not isinstance(source, (str, bytes, os.PathLike)) and hasattr(source, "getbands")


def read_source(source: object, field: str, most: int) -> bytes:
    """The bytes of a picture, no more than `most` + 1 of them; a Pillow image is another matter.

    Raises `InvalidRequestError` for what holds none, the built-in `OSError`s for a file that cannot be read,
    `DownloadError` for a result that cannot be fetched.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        text = data if data[: _HEAD + 1].isascii() else b""
        return _written_out(text.decode("latin-1"), field) or data
    if isinstance(source, str):
        written = _written_out(source, field)
        return _read_file(source, field, most) if written is None else written
    if isinstance(source, os.PathLike):
        return _read_file(source, field, most)
    for name in ("content", "data"):  # a result of this package, an HTTP answer, an input that was read
        held = getattr(source, name, None)
        if isinstance(held, bytes):
            return held
    if hasattr(source, "expires_at"):  # a result of this package that holds only its URL
        fetched: object = source.read()  # type: ignore[attr-defined]
        if isinstance(fetched, bytes):
            return fetched
        fetched.close()  # type: ignore[attr-defined] # or the coroutine complains later
        raise InvalidRequestError(
            f"{field} is an AsyncImageResult whose bytes are not held: await its read() first", field=field
        )
    if hasattr(source, "__array_interface__") or hasattr(source, "__array__"):
        raise InvalidRequestError(
            f"{field} is an array of numbers ({type(source).__name__}): give PIL.Image.fromarray(array), in "
            "the order red, green, blue",
            field=field,
        )
    if hasattr(source, "read"):
        return _read_stream(source.read, field, most)
    raise InvalidRequestError(
        f"{field} must be a path, bytes, a binary file, a result or a Pillow image; "
        f"it is {type(source).__name__}",
        field=field,
    )


def read_written(text: object, field: str) -> bytes:
    """The bytes of base64 or of a data URI: no file is opened for a text that came from elsewhere.

    Raises `InvalidRequestError` for anything else.
    """
    if not isinstance(text, str):
        raise InvalidRequestError(f"{field} must be base64; it is {type(text).__name__}", field=field)
    if text[:5].lower() == "data:":
        return _of_data_uri(text, field)
    try:
        return _of_base64(text)
    except binascii.Error:
        raise InvalidRequestError(f"{field} must be base64, or a data URI of it", field=field) from None


def _written_out(text: str, field: str) -> bytes | None:
    """The bytes that a text holds as a data URI or as base64, or `None` if it may be a path."""
    start = text[:_HEAD].lstrip()
    if start[:5].lower() == "data:":
        return _of_data_uri(text.strip(), field)
    if found := re.match(_URL, start):
        http = found[1].lower() in ("http", "https")
        way = "give client.image(url).read()" if http else "read it there, and give its bytes or its path"
        raise InvalidRequestError(f"{field} is a URL, and none is fetched for an upload: {way}", field=field)
    kind = _kind_of_base64(text)
    if kind is None or os.path.exists(text):
        return None
    try:
        return _of_base64(text)
    except binascii.Error:
        raise InvalidRequestError(
            f"{field} begins as the base64 of {kind} does and is cut off or damaged", field=field
        ) from None


def _kind_of_base64(text: str) -> str | None:
    """What a text is the base64 of, by its beginning; `None` if of no picture."""
    start = "".join(text[: 2 * _HEAD].split())[:_HEAD]
    if len(start) < _SHORTEST_TEXT or not start.isascii():
        return None
    try:
        return described(_of_base64(start[: len(start) // 4 * 4]))
    except binascii.Error:
        return None


def _of_base64(text: str) -> bytes:
    """Broken into lines or not, in either alphabet, with or without the signs that fill it up."""
    letters = "".join(text.split()).translate(_OTHER_LETTERS).rstrip("=")
    if not letters.isascii():
        raise binascii.Error("not ASCII")
    return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)


def _of_data_uri(text: str, field: str) -> bytes:
    """What stands behind the comma, as RFC 2397 has it."""
    head, comma, body = text.partition(",")
    data = unquote_to_bytes(body)
    try:
        if comma and head.lower().rstrip().endswith(";base64"):
            data = _of_base64(data.decode("ascii"))
    except ValueError:
        comma = ""
    if not comma or not data:
        raise InvalidRequestError(
            f"{field} is a data URI that holds no picture: it must be data:image/png;base64, and then the "
            "whole base64",
            field=field,
        )
    return data


def _read_file(path: str | os.PathLike[str], field: str, most: int) -> bytes:
    if os.path.isdir(path):
        raise InvalidRequestError(f"{field} is a directory: {os.fspath(path)!r:.100}", field=field)
    try:
        with open(path, "rb") as file:
            return file.read(most + 1)
    except ValueError as problem:  # a path with a null character: often the image itself, read as text
        raise InvalidRequestError(f"{field} is no path: {problem}", field=field) from None
    except OSError as problem:
        name = str(os.fspath(path))
        if problem.errno == errno.ENAMETOOLONG:
            raise InvalidRequestError(
                f"{field} is a text of {len(name)} characters, longer than a path can be: give a path, or "
                "the bytes of the picture",
                field=field,
            ) from None
        if len(name) <= _LONG_NAME:
            raise
        raise OSError(problem.errno, problem.strerror, f"{name[:60]}…{name[-60:]}") from None


def _read_stream(read: Callable[[int], object], field: str, most: int) -> bytes:
    """All that is left in an open file. One `read` may give less than was asked for: pipes do."""
    data = bytearray()
    while len(data) <= most:
        try:
            part = read(most + 1 - len(data))
        except (ValueError, TypeError) as problem:
            raise InvalidRequestError(f"{field} cannot be read: {problem}", field=field) from None
        if isinstance(part, str):
            raise InvalidRequestError(f"{field} is a text file: open it in binary mode ('rb')", field=field)
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise _unread(part, field)
        if not part:
            break
        data += part
    return bytes(data)


def _unread(part: object, field: str) -> InvalidRequestError:
    """The error of a `read()` that gave no bytes. A coroutine is closed, or it would complain later."""
    if not hasattr(part, "__await__"):
        return InvalidRequestError(
            f"{field} is no plain binary file: its read() gave {type(part).__name__}", field=field
        )
    if hasattr(part, "close"):
        cast("Callable[[], object]", part.close)()
    return InvalidRequestError(
        f"{field} is an awaited file: give await file.read(), which is the bytes; for an UploadFile its "
        ".file does, too",
        field=field,
    )
