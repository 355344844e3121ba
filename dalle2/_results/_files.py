"""Decides where an image is saved and what the file is called.

The rule: a name that was given is kept, and gets the suffix of the bytes if it has none; a directory gets a
name made from the prompt, under which nothing is. What is no place on this disk is refused with what to
call instead.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._image._media import suffix_for
from .._secrets import shown_url
from ..errors import InvalidRequestError
from ._atomic import AtomicFile, has_image_suffix

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_CHARACTERS = 60
_MAX_BYTES = 200
_MAX_MARKS = 8
_RESERVED = "(?i)" r"(?:con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\Z"
_JOINERS = "\u200c\u200d"  # Persian and Indic spelling needs them, and so do many emoji
_URL = r"[A-Za-z][A-Za-z0-9+.-]+:/"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".avif", ".bmp", ".tif", ".tiff")


class Target:
    """Where an image is to be saved: a file, or a name of its own in a directory.

    `stem` is that name, or gives it if it is wanted; `inside` says that `path` is a directory. Raises
    `InvalidRequestError` for what is no place on this disk.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stem: str | Callable[[], str],
        *,
        overwrite: bool,
        inside: bool = False,
    ) -> None:
        text = _local_path(path)
        self._named = not (inside or is_directory_target(text))
        self._path = Path(text)
        if not self._named:
            self._path /= stem if isinstance(stem, str) else stem()
        self._overwrite = overwrite

    def open(self) -> AtomicFile:
        """The file that will become it. Raises the built-in `OSError`s, `FileExistsError` for a
        taken name.
        """
        if self._named and not self._overwrite and os.path.lexists(self._path):
            raise FileExistsError(errno.EEXIST, "File exists (overwrite=True replaces it)", str(self._path))
        if self._named and self._overwrite and not self._complete:
            from ._replacing import refuse_device

            with suppress(OSError):  # what can be saved there is told by the file that gets the suffix
                refuse_device(self._path)  # `/dev/stdout` is meant as it stands
        return AtomicFile(self._path, overwrite=self._overwrite and self._complete)

    def publish(self, file: AtomicFile, media_type: str) -> Path:
        """Give the file its name: a missing suffix comes from the bytes."""
        path = self._path
        if not self._complete:
            path = path.with_name(path.name + suffix_for(media_type))
        if self._named or self._overwrite:
            return file.commit(path, overwrite=self._overwrite)
        return file.commit_unique(path)

    @property
    def _complete(self) -> bool:
        return self._named and has_image_suffix(self._path)


def _local_path(path: str | os.PathLike[str], *, directory: bool = False) -> str:
    """A path of this disk as a text. Raises `InvalidRequestError` that says what to call for anything else.

    `directory`: it is to hold several images.
    """
    field = "directory" if directory else "path"
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise InvalidRequestError(
            f"{field} must be a text or a path; it is {type(path).__name__} "
            "(into an open file: file.write(image.read()))",
            field=field,
        ) from None
    problem = None
    if not text:
        problem = "is empty"
    elif "\0" in text or not _encodable(text):
        problem = "holds a character that no file name can hold"
    elif is_url(text):
        problem = (
            "is a URL, and save() writes to the local disk: upload() puts into a store such as s3://, or "
            "give a path (one that begins with './' if a folder really has such a name)"
        )
        text = shown_url(text)
    elif directory and text.lower().endswith(PICTURES) and not os.path.isdir(text):
        problem = "names one picture: save one with images[0].save(...), or give a directory for all of them"
    if problem:
        raise InvalidRequestError(f"{field} {problem}; it is {text!r:.80}", field=field)
    return text


def made_directory(path: str | os.PathLike[str]) -> str:
    """The directory for several images, made if it is missing.

    Raises `InvalidRequestError` for what is none, and the built-in `OSError`s.
    """
    text = _local_path(path, directory=True)
    os.makedirs(text, exist_ok=True)
    return text


def is_url(path: str) -> bool:
    """Whether a text is meant as a URL; one that has become a path has one slash left."""
    return re.match(_URL, path) is not None


def _encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeError:
        return False
    return True


def is_directory_target(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a place for files: an existing directory, or text that ends in a separator."""
    text = os.fspath(path)
    return text.endswith((os.sep, os.altsep or os.sep)) or os.path.isdir(text)


def safe_stem(prompt: str, *, fallback: str = "image") -> str:
    """A file name without its suffix, from any prompt: short, readable, and legal on every common system.

    Letters, digits and emoji of every script stay (NFC), a run of anything else becomes one `-`. At most 60
    characters and 200 bytes of UTF-8, so that a counter and a suffix fit; never cut between a character and
    its marks. `fallback` stands for a prompt of which nothing remains.
    """
    import unicodedata

    # Format characters (bidi overrides among them), lone surrogates and private ones vanish without a trace.
    text = "".join(
        char
        for char in prompt[:2000]
        if char in _JOINERS
        or (char not in "'\u2019" and unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn"))
    )
    clusters: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        last = clusters[-1] if clusters else "-"
        if kind[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff":
            if last != "-" and len(last) <= _MAX_MARKS:
                clusters[-1] += char
        elif char in _JOINERS:
            if last[-1] > "\x7f" and last[-1] not in _JOINERS and len(last) <= _MAX_MARKS:
                clusters[-1] += char
        elif kind[0] in "LN" or kind == "So" or char == "_":
            if last[-1] == _JOINERS[1]:
                clusters[-1] += char
            else:
                clusters.append(char)
        elif last != "-":
            clusters.append("-")
    stem = unicodedata.normalize("NFC", _cut(clusters))
    stem = re.sub(f"[{_JOINERS}]+(?=-|$)", "", stem).strip("-")
    if re.match(_RESERVED, stem):
        return f"{stem}-{fallback}"
    return stem or fallback


def _cut(clusters: list[str]) -> str:
    """The first whole clusters that fit, up to the end of a word if one ends near."""
    room = _MAX_BYTES
    for place, cluster in enumerate(clusters):
        room -= len(cluster.encode())
        if place == _MAX_CHARACTERS or room < 0:
            kept = clusters[:place]
            # Scripts without spaces have no such place, and a very long word is cut where it must be.
            dashes = [at for at, text in enumerate(kept) if text == "-" and at >= place * 2 // 3]
            return "".join(kept[: dashes[-1]] if dashes and cluster != "-" else kept)
    return "".join(clusters)
