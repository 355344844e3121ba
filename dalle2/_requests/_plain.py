"""Requests as plain JSON values and back: what a queue, a store or a web framework carries.

The rule: what goes out is what any encoder takes, and what comes back may have been written by anybody: it is
checked like arguments, and neither opens a file nor fetches a URL.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import AttrsInstance

from .._secrets import quoted
from ..errors import InvalidRequestError
from ._inputs import InputImage
from ._sources import read_written

_PICTURES = ("image", "mask")


def plain(value: object) -> object:
    """The value as JSON has it; what JSON has not becomes a text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, InputImage):
        return base64.b64encode(value.data).decode("ascii")
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else str(value)


def fields_from(kind: type[AttrsInstance], operation: str, data: object) -> dict[str, Any]:
    """The arguments of a request in a mapping. Raises `InvalidRequestError` for a name that it does not have.

    A field that is missing or `None` is one that is not sent; those that must be there are refused by their
    own rules.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(
            f"data must be a mapping, as to_dict() gives it; it is {type(data).__name__}", field="data"
        )
    values = dict(data)
    said = values.pop("operation", operation)
    if said != operation:
        raise InvalidRequestError(
            f"operation is {quoted(said)}, and a {kind.__name__} is one to {operation}",
            field="operation",
            allowed=(operation,),
        )
    fields = attrs.fields_dict(kind)
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise InvalidRequestError(
            f"{quoted(unknown[0])} is no field of a {kind.__name__}; it has {', '.join(fields)}",
            field=str(unknown[0])[:40],
            allowed=tuple(fields),
        )
    needed = {name: None for name, field in fields.items() if field.default is attrs.NOTHING}
    return needed | {
        name: _picture(value, name) if name in _PICTURES and value is not None else value
        for name, value in values.items()
    }


def _picture(value: object, field: str) -> object:
    if isinstance(value, InputImage):
        return value
    if isinstance(value, (list, tuple)) and field == "image":
        return tuple(_picture(item, field) for item in value)
    return InputImage.of(read_written(value, field), field)
