"""The Images wire: the JSON of a generation, and the images of an answer.

Reading is tolerant of how a host writes an image (a URL, base64, either in the other's place, a data URI,
both with one null) and strict about whether there is one: each item that cannot be read is a problem with its
path, and never takes the readable ones with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import errors as e
from .._dates import parse_http_date
from .._http import keeps_bytes
from .._image._data import ImageData, ImagesData, type_of_format
from .._image._expiry import expiry_of
from .._image._media import sniff
from .._secrets import one_line, shown_headers
from ._body import LongText, decode_base64
from ._body import plain as plain
from ._context import request_id

if TYPE_CHECKING:
    from .._http import HttpResponse
    from ._context import Context

_NAMED = "(?i)" r"data:(image/[\w.+-]+)"
_WORDS = rb"[\t\n\r -~]+"
_KNOWN = {"url", "b64_json", "revised_prompt"}
_NOTHING = (None, "", "None", "null")
_SMALLEST = 100
"""Bytes. What decodes to less, and does not begin like an image, is a word that looks like base64."""


class Unreadable(Exception):
    """An item or answer that cannot be read, and where."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode_json(values: Mapping[str, object]) -> bytes:
    """A JSON body; text stays text, so that a prompt in any script is sent in a third of the bytes.

    Raises `InvalidRequestError` for what is no JSON.
    """
    fields = [
        f"{encode_value('extra_body', str(name))}:{encode_value(name, values[name])}" for name in values
    ]
    return ("{" + ",".join(fields) + "}").encode()


def encode_value(name: str, value: object) -> str:
    """The JSON of one parameter. Raises `InvalidRequestError` naming it."""
    try:
        text = _encode(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as problem:
        raise e.InvalidRequestError(
            f"{name} cannot be sent as JSON: {one_line(str(problem), 80)}", field=name
        ) from None
    return text


def is_plain_answer(document: object) -> bool:
    """Whether a document is an Images answer by its shape, so that no other wire need be thought of."""
    return isinstance(document, dict) and isinstance(document.get("data"), list) and "output" not in document


def read_images(
    document: object, response: HttpResponse, context: Context
) -> tuple[ImagesData, Unreadable | None]:
    """The images of an answer, and the first problem with it, if any. Never raises."""
    fields: Mapping[str, object] = document if isinstance(document, dict) else {}
    created = created_at(fields.get("created"), response)
    place, items = "data", fields.get("data")
    if not items and isinstance(fields.get("images"), list):
        place, items = "images", fields["images"]
    if isinstance(items, dict) and ("url" in items or "b64_json" in items):
        items = [items]
    problem: Unreadable | None = None
    if not isinstance(document, dict):
        problem = Unreadable("", f"the answer is {_name(document)}, not an object")
    elif not isinstance(items, list):
        problem = Unreadable("data", "there is no list of images")
    images: list[ImageData] = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        try:
            images.append(read_item(item, f"{place}[{index}]", created, context, fields.get("output_format")))
        except Unreadable as unreadable:
            problem = problem or unreadable
    if isinstance(items, list) and not items:
        problem = Unreadable(place, "the list of images is empty")
    extra = {name: value for name, value in fields.items() if name not in ("data", "images")}
    return answer_of(extra, images, created, response, context), problem


def answer_of(
    fields: Mapping[str, object],
    images: Sequence[ImageData],
    created: datetime,
    response: HttpResponse,
    context: Context,
) -> ImagesData:
    """The images of one answer with what `fields` say of all of them."""
    return ImagesData(
        images=tuple(images),
        created=created,
        model=context.model,
        request_id=request_id(response.headers, key=context.key),
        usage=plain(fields.get("usage")),
        request=context.request,
        extra={str(name): plain(value) for name, value in fields.items() if name not in ("created", "usage")},
        headers=shown_headers(response.headers, key=context.key.reveal()),
    )


def without_key(document: object, context: Context) -> object:
    """A document that does not repeat our key; an address and an image stay, or they would be dead."""
    key = context.key.reveal()
    if len(key) < 4:
        return document
    if isinstance(document, str):
        from ._anywhere import is_picture

        whole = document[:4].lower() == "http" or key not in document or is_picture(document)
        return document if whole else document.replace(key, "***")
    if isinstance(document, LongText):
        return document if document.is_base64 else without_key(document.text(), context)
    if isinstance(document, list):
        return [without_key(item, context) for item in document]
    if isinstance(document, dict):
        return {name.replace(key, "***"): without_key(item, context) for name, item in document.items()}
    return document


def read_item(
    item: object, path: str, created: datetime, context: Context, output_format: object = None
) -> ImageData:
    """One image. Raises `Unreadable`."""
    if isinstance(item, (str, LongText)):  # a few gateways list bare URLs
        item = {"url": item}
    if not isinstance(item, dict):
        raise Unreadable(path, f"it is {_name(item)}, not an object")
    address: str | None = None
    content: bytes | None = None
    kind: str | None = type_of_format(output_format)
    problem: Unreadable | None = None
    for name in ("url", "b64_json"):  # bytes under the name that is theirs win
        value = item.get(name)
        if isinstance(value, LongText) and not value.is_base64:
            value = value.text()  # an address, or base64 that is bent
        if value in _NOTHING:
            continue
        try:
            found = read_address(value, f"{path}.{name}", context.base_url)
            if found is not None:
                address = address or found
            else:
                content, named = read_bytes(value, f"{path}.{name}")
                kind = named or kind
        except Unreadable as unreadable:
            problem = unreadable
    if address is None and content is None:
        raise problem or Unreadable(path, "there is neither a url nor a b64_json")
    revised = plain(item.get("revised_prompt"))
    return ImageData(
        created=created,
        url=address,
        content=content,
        revised_prompt=revised if isinstance(revised, str) and revised else None,
        prompt=context.prompt,
        model=context.model,
        declared_type=kind,
        sound=content is not None and keeps_bytes(context.base_url),
        expiry=expiry_of(address, created=created, model=context.model, openai_like=context.openai_like),
        extra={str(name): plain(value) for name, value in item.items() if name not in _KNOWN},
    )


def read_address(value: object, path: str, base_url: str) -> str | None:
    """The URL that a value is, a relative one made whole, or `None` if it must be the image itself."""
    text = value.strip() if isinstance(value, str) else ""
    if text[:8].lower().startswith(("http://", "https://")):
        return text.replace("&amp;", "&")
    if not text.startswith("/") or sniffed(text):
        return None
    from urllib.parse import urljoin

    try:
        return urljoin(base_url, text)
    except ValueError:
        raise Unreadable(path, "it is no URL") from None


def sniffed(text: str) -> bool:
    """Whether a text is base64 of something that begins like an image (JPEG's base64 begins with a slash)."""
    try:
        return sniff(decode_base64(text[:64])) is not None
    except ValueError:
        return False


def read_bytes(value: object, path: str) -> tuple[bytes, str | None]:
    """The bytes of base64 text or of a data URI, and the media type that a data URI names."""
    if not isinstance(value, (str, LongText)):
        raise Unreadable(path, f"it is {_name(value)}, not a text")
    prefix = ""
    try:
        if isinstance(value, LongText) and value.is_base64:
            content, prefix = value.data(), value.prefix
        else:
            text = value.text() if isinstance(value, LongText) else value.strip()
            prefix, _, rest = text.partition(",") if text.startswith("data:") else ("", "", text)
            if " " in rest:  # wrapped, or plus signs that were taken for a form's
                raise ValueError
            content = decode_base64(rest)
            if not prefix and path.endswith("url") and len(content) < _SMALLEST and not sniff(content):
                raise ValueError
    except ValueError:
        found = _straightened(value)
        if found is None:
            raise Unreadable(path, "it is neither a URL nor the base64 of an image") from None
        return found
    if sniff(content[:512]) is None:  # of a kind not known here, or bent; and words are none
        found = _straightened(value)
        if found is not None:
            return found
        if re.fullmatch(_WORDS, content[:512]):
            raise Unreadable(path, "it is the base64 of a text, and no image")
    named = re.match(_NAMED, prefix)
    return content, named[1].lower() if named else None


def _straightened(value: str | LongText) -> tuple[bytes, str | None] | None:
    """The image behind a text that is bent, if there is one."""
    from ._bent import unbent

    return unbent(value.text() if isinstance(value, LongText) else value)


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


def _name(value: object) -> str:
    names: dict[type, str] = {
        type(None): "null", bool: "a boolean", list: "a list", dict: "an object",
        str: "a text", LongText: "a text",
    }  # fmt: skip
    return names.get(type(value), "a number")
