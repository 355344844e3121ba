"""The images of an answer of any shape, found by what its values are and where they stand.

The rule: base64 that begins like an image is one, under whatever name; an address is one where its name, its
place or its own suffix says so; a text names images where nothing else holds any. What belongs to the
question (an input, a mask, a reference), to people (an avatar) or to pages (documentation, a callback) is
none, and so is what stands beside an image and is a smaller one of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias
from urllib.parse import urljoin

from .._image._media import sniff
from ._addresses import addresses, is_address, is_path, look_of, words
from ._bent import unbent
from ._body import LongText
from ._loosely import read_loosely

Text: TypeAlias = "str | LongText"

_FOREIGN = words(
    """
    input inputs init reference references ref mask masks control controlnet thumbnail thumbnails thumb
    thumbs preview previews avatar avatars logo icon favicon user users author owner creator profile doc
    docs documentation help webhook webhooks callback next previous prev cancel request prompt prompts
    source sources error errors terms license licence legal homepage website status tool instructions
    reasoning partial placeholder example examples sample_input original
    """
)
_PICTURES = words(
    """
    image images img imgs picture pictures photo photos b64 base64 artifact artifacts sample samples png
    jpg jpeg webp
    """
)
_PLACES = words(
    """
    data output outputs result results generations predictions choices items candidates parts files
    assets content contents response responses generated creations media
    """
)
_POINTERS = words(
    """
    url urls uri uris src href link links file files path paths location
    """
)
_QUALIFIERS = words(
    """
    data download file output result cdn public signed media asset final generated full hd large presigned
    """
)
_TEXTS = words(
    """
    content text output_text markdown answer response result results output data reply completion
    """
)
_TELLING = _PICTURES | _PLACES
_DEEPEST = 100
_ASKING = ("user", "system", "developer", "tool")
_BEGINNINGS = (
    r"(?i)[\s\"'<(]{0,9}(?:b['\"])?\s{0,9}(?:data\s{0,9}[:;,]|image/|base64[,:;]|ivborw0k|\\*/9j|_9j|%2f9j|"
    r"&#x?2f;9j|r0lgod|uklgr|phn2zy|pd94bw|aaaa|89504e47|ffd8ff|aVZCT1|LzlqL|UjBsR|VWtsR|ZGF0YT)"
)
_SHORTEST = 24
"""Characters: no shorter text holds an image."""


class Found(NamedTuple):
    """One image: its place in the answer, and what an item of an Images document would say of it."""

    path: str
    item: Mapping[str, object]
    used: tuple[object, ...]  # the texts that hold it


class _Place(NamedTuple):
    """A value and how one gets there."""

    path: str
    name: str  # the nearest name above it
    value: object
    words: frozenset[str]  # of all names above it: those that mean something
    depth: int = 0


def find(document: object, base_url: str) -> list[Found]:
    """The images of an answer, each once, in its order."""
    fields: list[Found] = []
    texts: list[_Place] = []
    paths: list[Found] = []
    for place in _holders(document):
        if isinstance(place.value, Mapping):
            fields += _of_mapping(place, place.value, texts, paths, base_url)
        else:
            fields += _of_list(place, texts, base_url)
    found = fields or [one for text in texts for one in _said(text, base_url)] or paths
    seen: dict[object, str] = {}
    return [one for one in found if seen.setdefault(_mark(one), _list_of(one.path)) == _list_of(one.path)]


def _list_of(path: str) -> str:
    """Where an image is listed: the same one may be listed twice, and is no other in another list."""
    return path.rpartition("[")[0]


def _mark(found: Found) -> object:
    """What makes an image the same as another."""
    value = found.item.get("url") or found.item.get("b64_json")
    return value.data() if isinstance(value, LongText) and value.is_base64 else _whole(value)


def _whole(value: object) -> object:
    return value.text() if isinstance(value, LongText) else value


def objects_of(document: object) -> Iterator[Mapping[str, object]]:
    """The objects of an answer that are not about the question, in its order."""
    for place in _holders(document):
        if isinstance(place.value, Mapping):
            yield place.value


def _holders(document: object) -> Iterator[_Place]:
    """Every object and list that may hold images, in the order of the document. Without recursion."""
    if isinstance(document, (str, LongText)):
        document = {"content": document}
    root = frozenset({"data"}) if isinstance(document, list) else frozenset[str]()
    open_ = [_Place("", "data" if root else "", document, root)]
    while open_:
        place = open_.pop()
        inner: list[_Place] = []
        if isinstance(place.value, Mapping):
            if _belongs_elsewhere(place.value):
                continue
            yield place
            for key, value in place.value.items():
                if isinstance(value, (Mapping, list)):
                    name = str(key)
                    own = words_of(name)
                    if not own & _FOREIGN:
                        path = f"{place.path}.{name[:40]}".lstrip(".")
                        told = place.words | (own & _TELLING)
                        inner.append(_Place(path, name, value, told, place.depth + 1))
        elif isinstance(place.value, list):
            yield place
            inner = [
                place._replace(path=f"{place.path}[{index}]", value=value, depth=place.depth + 1)
                for index, value in enumerate(place.value)
                if isinstance(value, (Mapping, list))
            ]
        if place.depth < _DEEPEST:
            open_ += reversed(inner)


def _belongs_elsewhere(fields: Mapping[str, object]) -> bool:
    """Whether an object is part of the question, or a picture on its way."""
    kind = fields.get("type")
    return fields.get("role") in _ASKING or (isinstance(kind, str) and bool(words_of(kind[:80]) & _FOREIGN))


def words_of(name: str) -> frozenset[str]:
    """The words of a name, however they are joined: `image_url`, `imageUrl`, `ImageURL`."""
    return frozenset(
        word.lower() for word in re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]", name[:80])
    )


def _of_mapping(
    place: _Place, fields: Mapping[str, object], texts: list[_Place], paths: list[Found], base_url: str
) -> Iterator[Found]:
    """The image that an object is, or those that it lists under numbered names."""
    addresses_: dict[str, str] = {}
    contents: dict[str, Text] = {}
    for key, value in fields.items():
        name = str(key)
        own = words_of(name)
        if not isinstance(value, (str, LongText)) or own & _FOREIGN:
            continue
        at = _Place(f"{place.path}.{name[:40]}".lstrip("."), name, value, place.words | (own & _TELLING))
        if is_picture(value):
            contents[name] = value
            continue
        address = address_in(at, base_url, rooted=not place.depth, told=_tells(fields))
        if address is not None:
            addresses_[name] = address
        elif name.lower() in _TEXTS:
            texts.append(at)
        elif isinstance(value, str) and is_path(value.strip()) and _points(own):
            relative = urljoin(base_url + "/", value.strip())
            paths.append(Found(at.path, {"url": relative}, (value,)))
    if not addresses_ and not contents:
        return
    numbered = len(contents) > 1 or len({re.sub(r"\d+$", "", name) for name in addresses_}) < len(addresses_)
    used = (*contents, *addresses_)
    rest = {str(key): value for key, value in fields.items() if key not in used and _is_flat(value)}
    if numbered:
        for name, kept in (*addresses_.items(), *contents.items()):
            item: dict[str, object] = {"url" if name in addresses_ else "b64_json": kept, **rest}
            yield Found(f"{place.path}.{name}".lstrip("."), item, (fields[name],))
        return
    best = min(addresses_, key=_rank) if addresses_ else None
    content = next(iter(contents.values()), None)
    item = {**rest, "url": addresses_[best] if best else None, "b64_json": content}
    first = best or next(iter(contents))
    yield Found(f"{place.path}.{first}".lstrip("."), item, tuple(fields[name] for name in used))


def _rank(name: str) -> tuple[bool, bool]:
    """The address of an item goes before others of it."""
    return name.lower() != "url", not words_of(name) & _PICTURES


def _tells(fields: Mapping[str, object]) -> bool:
    """Whether an object speaks of something, so that an address in it may be one to read."""
    return any(isinstance(fields.get(name), str) for name in ("message", "msg", "detail", "error", "title"))


def _is_flat(value: object) -> bool:
    return not isinstance(value, (Mapping, list))


def _of_list(place: _Place, texts: list[_Place], base_url: str) -> Iterator[Found]:
    """The images that a list holds as bare texts, or the one whose bytes are its numbers."""
    assert isinstance(place.value, list)
    values = place.value
    if len(values) >= _SHORTEST and all(type(value) is int and 0 <= value < 256 for value in values):
        if sniff(bytes(values[:64])) is not None:
            import base64

            yield Found(place.path, {"b64_json": base64.b64encode(bytes(values)).decode()}, (values,))
        return
    for index, value in enumerate(values):
        if not isinstance(value, (str, LongText)):
            continue
        at = place._replace(path=f"{place.path}[{index}]", value=value)
        if is_picture(value):
            yield Found(at.path, {"b64_json": value}, (value,))
            continue
        address = address_in(at, base_url, rooted=False, told=False)
        if address is not None:
            yield Found(at.path, {"url": address}, (value,))
        elif place.name.lower() in _TEXTS:
            texts.append(at)


def is_picture(value: Text) -> bool:
    """Whether a text is an image itself: base64, a data URI, bent ones too."""
    text = value.text() if isinstance(value, LongText) else value
    return len(text) >= _SHORTEST and bool(re.match(_BEGINNINGS, text)) and unbent(text) is not None


def address_in(place: _Place, base_url: str, *, rooted: bool, told: bool) -> str | None:
    """The address of an image that a text is, made whole; `None` if it is none."""
    value = place.value
    text = value.text() if isinstance(value, LongText) else str(value)
    text = text.strip(" \t\r\n\"'`<>").replace("\\/", "/")
    relative = text.startswith("/") and not re.search(r"[\s<>\"\\]", text) and is_path(text)
    if not relative and not is_address(text):
        return None
    url = (urljoin(base_url, text) if relative else text).replace("&amp;", "&")
    look = look_of(url)
    name = words_of(place.name)
    if look == "never" or not (_points(name) if name & _POINTERS else name & (_PICTURES | _PLACES)):
        return None
    if look == "page" and not place.words & _PICTURES:
        return None
    shown = place.words & _PICTURES or (place.words - name) & _PLACES or name & _PLACES
    return url if look == "image" or shown or (rooted and not told) else None


def _points(name: frozenset[str]) -> bool:
    """Whether a name is one of an address, and of nothing in particular or of an image."""
    return bool(name & _POINTERS) and name <= _POINTERS | _QUALIFIERS | _PICTURES


def _said(place: _Place, base_url: str) -> Iterator[Found]:
    """The images that a text names, or that it holds where it is a document itself."""
    value = place.value
    text = value.text() if isinstance(value, LongText) else str(value)
    if text.lstrip()[:1] in ("{", "["):
        inner = find(read_loosely(text.encode("utf-8", "replace"))[0], base_url)
        if inner:
            yield from (one._replace(path=f"{place.path}.{one.path}", used=(value,)) for one in inner)
            return
    for named in addresses(text):
        if is_address(named):
            if look_of(named) != "never":
                yield Found(place.path, {"url": named}, (value,))
        elif is_picture(named):
            yield Found(place.path, {"b64_json": named}, (value,))
        elif is_path(named):
            yield Found(place.path, {"url": urljoin(base_url + "/", named)}, (value,))
