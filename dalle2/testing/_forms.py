"""Reading a request body: a JSON object or a real `multipart/form-data` form, into one kind of value.

The rule: this is as strict as the vendor. A part is a file if it has a file name, its `Content-Type` is
taken as sent, and a form field is a text until a check asks for a number.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from email.message import Message
from email.parser import BytesHeaderParser

import attrs

from . import _refusals as refuse
from ._exchange import EmulatedRequest

_MOST_PARTS = 256


@attrs.frozen
class Upload:
    """One file of a form, or one data URL of a JSON edit."""

    name: str
    media_type: str
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    filename: str = ""


@attrs.frozen
class Form:
    """What was sent: values by name, and files by part name. `is_json` tells how strict number types are."""

    values: dict[str, object]
    files: dict[str, list[Upload]]
    is_json: bool

    def names(self) -> set[str]:
        """Every parameter name in the request."""
        return self.values.keys() | self.files.keys()

    def text(self, name: str) -> str | None:
        """A text parameter; `None` if it was not sent or is null."""
        value = self.values.get(name)
        if name in self.files:
            raise refuse.invalid_type(name, "a string", "a file")
        if value is None or isinstance(value, str):
            return value
        raise refuse.invalid_type(name, "a string", _kind(value))

    def integer(self, name: str) -> int | None:
        """A whole number; a form carries it as digits."""
        value = self.values.get(name)
        if value is None:
            return None
        if not self.is_json and isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,9}", value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise refuse.invalid_type(name, "an integer", _kind(value))

    def flag(self, name: str) -> bool:
        """A boolean; a form carries it as `true` or `false`."""
        value = self.values.get(name)
        if not self.is_json and value in ("true", "false"):
            return value == "true"
        if value is None or isinstance(value, bool):
            return bool(value)
        raise refuse.invalid_type(name, "a boolean", _kind(value))


def is_json(request: EmulatedRequest) -> bool:
    """Whether the request says that its body is JSON."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def read_json(request: EmulatedRequest) -> Form:
    """The body as a JSON object."""
    try:
        return Form(request.json(), {}, is_json=True)
    except ValueError:
        raise refuse.bad_json() from None


def read_form(request: EmulatedRequest) -> Form:
    """The body as a `multipart/form-data` form."""
    declared = Message()
    declared["Content-Type"] = request.headers.get("content-type", "")
    boundary = declared.get_boundary()
    if declared.get_content_type() != "multipart/form-data":
        raise refuse.wrong_content_type(request.headers.get("content-type", ""))
    if not boundary:
        raise refuse.schema_error("Could not parse multipart form: no boundary in the content type")
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode(), _MOST_PARTS)
    if len(pieces) > _MOST_PARTS:
        raise refuse.schema_error(f"Could not parse multipart form: more than {_MOST_PARTS} parts")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise refuse.schema_error("Could not parse multipart form: the closing boundary is missing")
    form = Form({}, {}, is_json=False)
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        part = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise refuse.schema_error("Could not parse multipart form: a part has no name")
        filename = part.get_filename()
        if filename is None:
            form.values[name] = data.decode("utf-8", "replace")
        else:
            given = part.get_content_type() if "content-type" in part else "application/octet-stream"
            form.files.setdefault(name, []).append(Upload(name, given, data, filename))
    return form


def read_data_url(name: str, url: object) -> Upload:
    """One `data:image/...;base64,` URL of a JSON edit. Other URLs are not fetched: the emulator
    goes nowhere.
    """
    found = re.fullmatch(r"data:([\w.+/-]+);base64,(.*)", url, re.DOTALL) if isinstance(url, str) else None
    if found is None:
        raise refuse.Refusal(
            "Failed to download image: the emulator takes data URLs only.",
            code="invalid_image_url",
            param=name,
        )
    try:
        data = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise refuse.Refusal("Invalid base64 image.", code="invalid_base64_image", param=name) from None
    return Upload(name, found[1], data)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    kinds: dict[type, str] = {int: "an integer", float: "a decimal number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")


def dump(value: object) -> bytes:
    """Compact JSON, as on the lines of an event stream."""
    return json.dumps(value, separators=(",", ":")).encode()
