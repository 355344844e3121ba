"""What pydantic is told of a value of this package: made from a mapping by `from_dict`, written by `to_dict`.

The rule: pydantic asks, so pydantic is there; nothing else imports it. `InvalidRequestError` is a
`ValueError`, which pydantic tells the sender with its own words.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from ._rules import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT: Mapping[str, object] = {"type": "string"}
_TEXTS: Mapping[str, object] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}


def core_schema(kind: type[Any], described: Mapping[str, object]) -> Any:
    """The schema of a class that has `to_dict` and, unless it is only written, `from_dict`.

    `described` is its form as JSON schema, for the pages that web frameworks make.
    """
    core = import_module("pydantic_core").core_schema
    read = getattr(kind, "from_dict", None)
    written = core.plain_serializer_function_ser_schema(lambda value: value.to_dict())
    more = {
        "serialization": written,
        "metadata": {"pydantic_js_functions": [lambda schema, handler: dict(described)]},
    }
    if read is None:
        return core.is_instance_schema(kind, **more)
    return core.no_info_plain_validator_function(
        lambda value: value if isinstance(value, kind) else read(value), **more
    )


def fields_of_request(kind: type[attrs.AttrsInstance], operation: str) -> dict[str, object]:
    """A request as JSON schema has it: for the page that a web framework makes of it."""
    fields = attrs.fields(kind)
    return {
        "title": kind.__name__,
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.default is attrs.NOTHING],
        "properties": {"operation": {"const": operation}}
        | {field.name: _property(field.name) for field in fields},
    }


def _property(name: str) -> Mapping[str, object]:
    if name == "extra_body":
        return {"type": "object"}
    if name == "image":
        return _TEXTS
    return {"type": "integer"} if name in WHOLE else _TEXT
