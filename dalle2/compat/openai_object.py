"""`openai.openai_object` of 2022: dictionaries whose keys are attributes, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self


class OpenAIObject(dict[str, Any]):
    """A dictionary; `answer["data"][0]["url"]` and `answer.data[0].url` are the same."""

    organization: str | None = None
    response_ms: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The same values, mappings inside of them included."""
        return cls({name: cls._of(value) for name, value in values.items()})

    @classmethod
    def _of(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return cls.of(value)
        return [cls._of(one) for one in value] if isinstance(value, list) else value

    def __getattr__(self, name: str) -> Any:
        if name in self and not name.startswith("_"):
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("organization", "response_ms"):  # said of the answer, not in it
            super().__setattr__(name, value)
        else:
            self[name] = value

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary of these objects."""
        return dict(self)

    def to_dict_recursive(self) -> dict[str, Any]:
        """Plain dictionaries all the way down."""
        found: dict[str, Any] = json.loads(json.dumps(self))
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))}> JSON: {self}"

    def __str__(self) -> str:
        return json.dumps(self, indent=2)
