"""Whether an address is one of an image, and the images that a text names.

The rule: a suffix or a forced type proves it, another suffix the contrary; what looks like a page is an image
only where a name says so; what is left is open, and its place in the answer decides.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from .._image._data import declared_type


def words(text: str) -> frozenset[str]:
    """A set of words, as one reads it."""
    return frozenset(text.split())


Look: TypeAlias = Literal["image", "open", "page", "never"]

_IMAGES = words(
    """
    png jpg jpeg jpe jfif webp gif svg avif heic bmp tif tiff ico jxl
    """
)
_OTHERS = words(
    """
    html htm xhtml md txt pdf doc docx json jsonl xml yaml csv js css mp4 mov webm mp3 wav zip gz tar
    """
)
_PAGES = words(
    """
    doc docs documentation help support faq terms tos policy policies usage-policies privacy legal
    license licence pricing billing account login signin signup console dashboard settings status error
    errors guide guides about contact blog news api-reference reference
    """
)
_LONGEST = 65_536
_BARE = r"https?://[^\s<>\"'`\])(]{1,8192}"
_DATA = r"data:image/[\w.+-]{1,40};base64,[A-Za-z0-9+/=_-]+"
_MARKDOWN = r"!\[[^\]\[]{0,2000}\]\(\s{0,9}<?([^\s)>]{1,8192})"
_TAG = r"<img\s[^<>]{0,500}?\bsrc\s{0,9}=\s{0,9}[\"']?([^\s\"'<>]{1,8192})"
_MOST_WORDS = 12
"""Beside the only address of a text: a longer one speaks of something else."""


def is_address(text: str) -> bool:
    """Whether a text is one http(s) URL and nothing else."""
    return (
        text[:8].lower().startswith(("http://", "https://"))
        and len(text) <= _LONGEST
        and not re.search(r"[\s<>\"]", text)
    )


def look_of(url: str) -> Look:
    """What an address says of itself."""
    try:
        parts = urlsplit(url[:_LONGEST])
        host = (parts.hostname or "").lower()
    except ValueError:
        return "never"
    suffix = suffix_of(parts.path)
    if suffix in _IMAGES or (declared_type(url) or "").startswith("image/"):
        return "image"
    segments = {segment.lower() for segment in parts.path.split("/") if segment}
    if suffix in _OTHERS or not (segments or parts.query):
        return "never"
    if host.split(".")[0] in _PAGES or segments & _PAGES:
        return "page"
    return "open"


def suffix_of(path: str) -> str:
    """The suffix of a path in lower case, or an empty text."""
    name = path.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_path(text: str) -> bool:
    """Whether a text is a path to an image, relative to where it stands."""
    return (
        len(text) <= 1024
        and suffix_of(text) in _IMAGES
        and not re.search(r"[\s<>\"\\:]", text)
        and "/" in text.strip("/")
    )


def addresses(text: str) -> list[str]:
    """The images that a text names: data URIs, else Markdown images and tags, else addresses of images.

    The only address of a short text counts as well, if it may be one.
    """
    found = re.findall(_DATA, text) or re.findall(_MARKDOWN, text) or re.findall(_TAG, text, re.IGNORECASE)
    if not found:
        bare = [url.rstrip(".,;:!?*_") for url in re.findall(_BARE, text)]
        found = [url for url in bare if look_of(url) == "image"]
        few = len(set(bare)) == 1 and len(text.split()) <= _MOST_WORDS
        if not found and few and look_of(bare[0]) == "open":
            found = bare
    return list(dict.fromkeys(found))
