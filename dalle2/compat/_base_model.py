"""What can be done with an answer: all that scripts do with the SDK's models, which are pydantic's.

The rule: whatever a script does with an answer after it paid for it works here: attributes, `model_dump`,
`to_dict`, `model_dump_json`, iteration, copies, pickles. Nothing is validated; what the host said beyond the
known fields is kept, as the SDK does. A `repr` shows URLs whole, since scripts print them to keep them; of
base64 the beginning only.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeAlias

Values: TypeAlias = dict[str, Any]
_SHOWN = 2000
"""Characters: what is longer is a picture."""


class BaseModel:
    """Stands in for the SDK's models."""

    model_fields: ClassVar[Mapping[str, object]] = {}
    _nested: ClassVar[Mapping[str, type[BaseModel]]] = {}
    __slots__ = ("__dict__", "_named", "_request_id")  # `vars()` gives the fields and nothing else

    def __init_subclass__(cls, **nested: type[BaseModel]) -> None:
        cls._nested = nested
        own = {name: kind for name, kind in cls.__annotations__.items() if not name.startswith("_")}
        cls.model_fields = {**cls.model_fields, **own}

    def __init__(self, /, **values: Any) -> None:
        self._request_id: str | None = None
        self._named = named = {re.sub(r"\W", "_", name): name for name in values}
        given = {name: values[wire] for name, wire in named.items()}  # a name such as "sexual/minors"
        for name, value in (dict.fromkeys(self.model_fields) | given).items():
            self.__dict__[name] = self._made(name, value)

    def _made(self, name: str, value: object) -> object:
        kind = self._nested.get(name)
        if kind is not None and isinstance(value, list):
            return [kind(**one) if isinstance(one, Mapping) else one for one in value]
        return kind(**value) if kind is not None and isinstance(value, Mapping) else value

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """A model of these values, unchecked."""
        return cls(**values)

    model_construct = construct

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any], **options: object) -> Self:
        """A model of a mapping, unchecked."""
        return cls(**obj)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, **options: object) -> Self:
        """A model of a JSON object, unchecked."""
        return cls(**json.loads(json_data))

    @property
    def model_fields_set(self) -> set[str]:
        """The names of what the host said."""
        return set(self._named)

    @property
    def model_extra(self) -> Values:
        """What the host said beyond the known fields."""
        return {name: value for name, value in self.__dict__.items() if name not in self.model_fields}

    def model_dump(
        self,
        *,
        include: Any = None,
        exclude: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        **options: object,
    ) -> Values:
        """Plain values. `include` and `exclude` are sets of names, or mappings for what lies deeper."""
        named = self._named
        passed_on = {
            "by_alias": by_alias,
            "exclude_unset": exclude_unset,
            "exclude_defaults": exclude_defaults,
            "exclude_none": exclude_none,
        }
        return {
            named.get(name, name) if by_alias else name: _dumped(value, within, but, passed_on)
            for name, value, within, but in _chosen(self.__dict__.items(), include, exclude)
            if not (value is None and (exclude_none or exclude_defaults))
            and not (exclude_unset and name not in named)
        }

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """`model_dump` as JSON."""
        marks = (",", ":") if indent is None else None
        return json.dumps(self.model_dump(**options), ensure_ascii=False, indent=indent, separators=marks)

    def to_dict(self, *, use_api_names: bool = True, exclude_unset: bool = True, **options: Any) -> Values:
        """What the host said, under its names."""
        return self.model_dump(by_alias=use_api_names, exclude_unset=exclude_unset, **options)

    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        **options: Any,
    ) -> str:
        """`to_dict` as JSON."""
        options |= {"by_alias": use_api_names, "exclude_unset": exclude_unset}
        return self.model_dump_json(indent=indent, **options)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values if wanted."""
        made = copy.deepcopy(self) if deep else copy.copy(self)
        made.__dict__.update(update or {})
        made._named = {**{name: name for name in update or ()}, **made._named}
        return made

    def dict(self, **options: Any) -> Values:
        """`model_dump`, as older scripts call it."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """`model_dump_json`, as older scripts call it."""
        return self.model_dump_json(**options)

    def copy(self, **options: Any) -> Self:
        """`model_copy`, as older scripts call it."""
        return self.model_copy(**options)

    def __iter__(self) -> Iterator[Any]:
        """Pairs of names and values, as pydantic's models give them."""
        return iter(self.__dict__.items())

    def __getitem__(self, name: str) -> Any:
        """By key, as in 2022."""
        return self.__dict__[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseModel):
            return NotImplemented
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_short(value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({shown})"


def _chosen(
    items: Iterable[tuple[Any, object]], include: Any, exclude: Any
) -> Iterator[tuple[Any, object, Any, Any]]:
    """The items that the rules leave, each with the rules for what lies in it."""
    for key, value in items:
        kept = True if include is None else _part(include, key)
        left_out = _part(exclude, key)
        if kept and left_out is not True:
            yield key, value, None if kept is True else kept, left_out


def _part(rule: Any, key: object) -> Any:
    """What a rule says of one field or item: `True` for all of it, a rule for what lies in it, or `None`."""
    if isinstance(rule, Mapping):
        found = rule.get(key, rule.get("__all__"))
        return True if found is ... else found
    return True if rule is not None and (key in rule or "__all__" in rule) else None


def _dumped(value: object, include: Any, exclude: Any, options: Mapping[str, Any]) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(include=include, exclude=exclude, **options)
    if isinstance(value, list):
        chosen = _chosen(enumerate(value), include, exclude)
        return [_dumped(one, within, but, options) for _, one, within, but in chosen]
    return value


def _short(value: object) -> str:
    return f"'{value[:20]}…'" if isinstance(value, str) and len(value) > _SHOWN else repr(value)
