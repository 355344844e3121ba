"""Decides whether bytes are one whole image, and what kind.

The rule: the first bytes prove the type and the image's own structure proves the end, while the bytes stream
past and none are kept. What follows the end is tolerated, as every viewer does. Nothing is decoded. What is
not an image is called by its name.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ._formats import WALKERS, ImageError, NotAnImage, Seen, Truncated

if TYPE_CHECKING:
    from ._formats import Walk

__all__ = [
    "ImageCheck",
    "ImageError",
    "ImageFacts",
    "NotAnImage",
    "Truncated",
    "described",
    "facts",
    "size_of",
    "sniff",
    "suffix_for",
]

_HEAD = 512
_PIECE = 65_536
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
    "image/avif": ".avif",
}
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_STARTS = (*(signature for signature, _ in _SIGNATURES), b"RIFF")
_OTHERS = (
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftyphev", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIF picture"),
    (4, b"ftypmsf1", "a HEIF picture"),
    (4, b"ftyp", "a video"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip-compressed data"),
)
"""What is no image here but has a name: place, first bytes, what it is."""
_SVG = (
    rb"(?:\xef\xbb\xbf)?\s{0,64}(?:<\?xml[^>]{0,120}\?>\s{0,64})?"
    rb"(?:<!(?:--|DOCTYPE svg)[^>]{0,200}>\s{0,64}){0,3}<svg[\s>]"
)


class ImageFacts(NamedTuple):
    """What an image's own header says. Width and height are in pixels; `has_alpha`: it can be transparent."""

    media_type: str
    width: int
    height: int
    has_alpha: bool


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes prove (12 are enough, except for SVG), or `None`."""
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and _avif_among(head):
        return "image/avif"
    return "image/svg+xml" if re.match(_SVG, head) else None


def _avif_among(head: bytes) -> bool:
    """Whether AVIF is one of the brands that a file of boxes names first."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return any(head[at : at + 4] in (b"avif", b"avis") for at in (8, *range(16, end, 4)))


def described(head: bytes) -> str | None:
    """What begins like this, in words such as "a PNG picture"; `None` for what has no name here."""
    known = sniff(head)
    if known is not None:
        return f"a {known.partition('/')[2].partition('+')[0].upper()} picture"
    return next((name for place, magic, name in _OTHERS if head.startswith(magic, place)), None)


def suffix_for(media_type: str) -> str:
    """The file suffix for a media type, such as `.png` for `image/png`; `.img` for one not known here."""
    return _SUFFIXES.get(media_type.partition(";")[0].strip().lower(), ".img")


def facts(data: bytes) -> ImageFacts:
    """Check a whole image and read its header. Raises `NotAnImage` or `Truncated`."""
    check = ImageCheck()
    check.feed(data)
    check.finish()
    return check.facts()


class ImageCheck:
    """Watches an image stream past: `feed` every chunk, then `finish`. Its memory does not grow.

    `sums`: whether the checksums over PNG's picture data are worked out too. They find a changed bit where
    nothing else would, at half the cost of copying the bytes.
    """

    def __init__(self, *, sums: bool = True) -> None:
        self.size = 0
        """Bytes seen so far."""
        self._head = b""
        self._media_type: str | None = None
        self._walker: Walk | None = None
        self._seen = Seen(sums)

    @property
    def media_type(self) -> str | None:
        """The type that the first bytes prove; `None` until enough of them came."""
        return self._media_type

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes. Raises `NotAnImage` once that is certain, so that a download can stop."""
        self.size += len(chunk)
        if self._media_type is None:
            missing = _HEAD - len(self._head)
            head, self._head = self._head, self._head + chunk[:missing]
            self._media_type = sniff(self._head)
            if self._media_type is None:
                if len(self._head) >= _HEAD:
                    raise NotAnImage(*_describe(self._head))
                return
            chunk = head + chunk
            self._walker = WALKERS[self._media_type](self._seen)
            next(self._walker)
        if self._walker is not None and chunk:
            walker, self._walker = self._walker, None  # a walker that raised must not be asked again
            try:
                walker.send(chunk)
            except StopIteration:
                self._seen.whole = True
            else:
                self._walker = walker

    def finish(self) -> str:
        """The media type of a whole image. Raises `NotAnImage` or `Truncated`."""
        if self._media_type is None:
            boxes = b"\0\0\0" + self._head[3:4] + b"ftypavif"  # the size of the first box may be any
            starts = self._head[:4] == b"RIFF" or any(s.startswith(self._head) for s in (*_STARTS, boxes))
            if self._head and starts:
                raise Truncated("truncated", f"an image cut off after {self.size} bytes")
            raise NotAnImage(*_describe(self._head))
        if not (self._seen.whole or self._seen.tail.rstrip().endswith(b"</svg>")):
            kind = self._media_type.partition("/")[2].upper()
            raise Truncated("truncated", f"a {kind} image without its end, cut off after {self.size} bytes")
        return self._media_type

    @property
    def size_seen(self) -> tuple[int, int] | None:
        """Width and height in pixels, once the header was seen."""
        return (self._seen.width, self._seen.height) if self._seen.width and self._seen.height else None

    def facts(self) -> ImageFacts:
        """What the header said, after `finish`. Raises `NotAnImage` if it gave no size in pixels."""
        if self._media_type is None or not (self._seen.width and self._seen.height):
            raise NotAnImage("damaged", "an image without a size in pixels")
        return ImageFacts(self._media_type, self._seen.width, self._seen.height, self._seen.has_alpha)


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels by the picture's own header, as far as it is one; else `None`."""
    check = ImageCheck(sums=False)
    with suppress(ImageError):
        for start in range(0, len(data), _PIECE):
            check.feed(data[start : start + _PIECE])
            if check.size_seen is not None:
                break
    return check.size_seen


def _describe(head: bytes) -> tuple[str, str]:
    if not head:
        return "empty", "an empty body"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<head", b"<body", b"<title")) or b"<html" in text:
        return "html", "an HTML page"
    if text.startswith(b"<"):
        return "xml", "an XML document"
    if text.startswith((b"{", b"[")):
        return "json", "a JSON document"
    if not re.search(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]", text):
        return "text", "plain text"
    if name := described(head):
        return "unknown", f"{name}, which is no kind of image that is known here"
    return "unknown", "data of an unknown kind"
