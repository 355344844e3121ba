"""The Images wire: the JSON of a generation, and the images of an answer.

Reading is tolerant of how a host writes an image (a URL, base64, either in the other's place, a data URI, both with one null)
and strict about whether there is one: each item that cannot be read is a problem with its path, and never takes the
readable ones with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urljoin

import attrs

from .._expiry import expiry_of, parse_http_date
from .._http import HttpResponse
from .._images import ImageData, ImagesData, declared_type, type_of_format
from .._media import sniff
from ._body import LongText, decode_base64
from ._errors import request_id

_KNOWN = {"url", "b64_json", "revised_prompt"}


@attrs.frozen
class Reading:
    """What must be known to read an answer: who was asked for what."""

    base_url: str
    openai_like: bool
    model: str
    prompt: str | None = attrs.field(repr=False)
    request: object = attrs.field(repr=False)


@attrs.frozen
class Unreadable(Exception):
    """An item or answer that cannot be read, and where."""

    path: str
    problem: str


def encode_json(values: Mapping[str, object]) -> bytes:
    """A JSON body; text stays text, so that a prompt in any script is sent in a third of the bytes."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def read_images(
    document: object, response: HttpResponse, reading: Reading
) -> tuple[ImagesData, Unreadable | None]:
    """The images of an answer, and the first problem with it, if any. Never raises."""
    fields: Mapping[str, object] = document if isinstance(document, Mapping) else {}
    created = created_at(fields.get("created"), response)
    items = fields.get("data") or fields.get("images")
    problem: Unreadable | None = None
    if not isinstance(document, Mapping):
        problem = Unreadable("", f"the answer is {_name(document)}, not an object")
    elif not isinstance(items, list):
        problem = Unreadable("data", "there is no list of images")
    images: list[ImageData] = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        try:
            images.append(read_item(item, f"data[{index}]", created, reading, fields.get("output_format")))
        except Unreadable as unreadable:
            problem = problem or unreadable
    if isinstance(items, list) and not items:
        problem = Unreadable("data", "the list of images is empty")
    data = ImagesData(
        images=tuple(images),
        created=created,
        model=reading.model,
        request_id=request_id(response.headers),
        usage=plain(fields.get("usage")),
        request=reading.request,
        extra={
            str(name): plain(value)
            for name, value in fields.items()
            if name not in ("created", "data", "usage")
        },
    )
    return data, problem


def read_item(
    item: object, path: str, created: datetime, reading: Reading, output_format: object = None
) -> ImageData:
    """One image. Raises `Unreadable`."""
    if isinstance(item, (str, LongText)):  # a few gateways list bare URLs
        item = {"url": item}
    if not isinstance(item, Mapping):
        raise Unreadable(path, f"it is {_name(item)}, not an object")
    url, encoded = item.get("url"), item.get("b64_json")
    content: bytes | None = None
    kind: str | None = type_of_format(output_format)
    if encoded is not None and encoded != "":
        content, named = read_bytes(encoded, f"{path}.b64_json")
        kind = named or kind
    address: str | None = None
    if isinstance(url, LongText) or (isinstance(url, str) and url and not _is_address(url)):
        if content is None:
            content, named = read_bytes(url, f"{path}.url")
            kind = named or kind
    elif isinstance(url, str) and url:
        address = urljoin(reading.base_url, url) if url.startswith("/") else url
    elif url is not None and url != "":
        raise Unreadable(f"{path}.url", f"it is {_name(url)}, not a text")
    if address is None and content is None:
        raise Unreadable(path, "there is neither a url nor a b64_json")
    revised = item.get("revised_prompt")
    return ImageData(
        created=created,
        url=address,
        content=content,
        revised_prompt=revised if isinstance(revised, str) and revised else None,
        prompt=reading.prompt,
        model=reading.model,
        declared_type=kind or (declared_type(address) if address else None),
        expiry=expiry_of(address, created=created, model=reading.model, openai_like=reading.openai_like),
        extra={str(name): plain(value) for name, value in item.items() if name not in _KNOWN},
    )


def _is_address(url: str) -> bool:
    return url.startswith("/") and not sniffed(url) or url[:8].lower().startswith(("http://", "https://"))


def sniffed(text: str) -> bool:
    """Whether a text is base64 of something that begins like an image (JPEG's base64 begins with a slash)."""
    try:
        return sniff(decode_base64(text[:64])) is not None
    except ValueError:
        return False


def read_bytes(value: object, path: str) -> tuple[bytes, str | None]:
    """The bytes of base64 text or of a data URI, and the media type that a data URI names."""
    kind = None
    try:
        if isinstance(value, LongText):
            content, prefix = value.data(), value.prefix
        elif isinstance(value, str):
            prefix, comma, rest = value.partition(",") if value.startswith("data:") else ("", "", value)
            content = decode_base64(rest)
        else:
            raise Unreadable(path, f"it is {_name(value)}, not a text")
    except ValueError:
        raise Unreadable(path, "it is neither a URL nor base64") from None
    if prefix.startswith("data:image/"):
        kind = prefix[5:].partition(";")[0].partition(",")[0].lower()
    if not content:
        raise Unreadable(path, "it is empty")
    return content, kind


def created_at(value: object, response: HttpResponse) -> datetime:
    """When the images were made (aware, UTC): the answer's word, else its `Date`, else the local time."""
    try:
        if isinstance(value, str):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return parse_http_date(response.headers.get("date")) or response.at


def plain(value: object) -> object:
    """A decoded value without `LongText` in it."""
    if isinstance(value, LongText):
        return value.text()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def _name(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
