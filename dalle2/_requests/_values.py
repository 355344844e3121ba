"""Requests as callers make and see them: frozen, and checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, overload

import attrs

from ..errors import InvalidRequestError
from ._inputs import InputImage, input_images
from ._plain import fields_from, plain
from ._rules import check

if TYPE_CHECKING:
    from typing import Self

    from .. import _types as t
    from .._money import Estimate, PriceTable
    from ..catalog import Operation


def _rule(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check(attribute.name, value)


def _mask(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, InputImage):
        raise InvalidRequestError(
            f"mask must be an InputImage, as read_input makes it; it is a {type(value).__name__}",
            field="mask",
        )


@attrs.frozen(kw_only=True, init=False, repr=False, eq=False)
class BaseRequest:
    """What every request can say."""

    model: str | None = attrs.field(default=None, validator=_rule)
    n: int | None = attrs.field(default=None, validator=_rule)
    size: t.Size | None = attrs.field(default=None, validator=_rule)
    response_format: t.ResponseFormat | None = attrs.field(default=None, validator=_rule)
    user: str | None = attrs.field(default=None, validator=_rule, repr=False)
    extra_body: Mapping[str, object] | None = attrs.field(default=None, validator=_rule, repr=False)

    operation: ClassVar[Operation]

    def __reduce__(self) -> tuple[object, ...]:
        from ..pickling import stored

        return stored(self, attrs.asdict(self, recurse=False))

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        return cls(**state)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, from which `from_dict` makes the same request: what is set, images as base64."""
        return {"operation": self.operation} | {
            field.name: plain(value)
            for field in attrs.fields(type(self))
            if (value := getattr(self, field.name)) is not None
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """The request that `to_dict` described. Raises `InvalidRequestError` naming the field that is wrong.

        A mapping from elsewhere may be given: images are base64 or data URIs, so no file is opened and no URL
        fetched. It chooses model, size and `extra_body`, though, and so the price.
        """
        return cls(**fields_from(cls, cls.operation, data))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """For pydantic: a request, or what `from_dict` takes; written by `to_dict`."""
        from ._pydantic import core_schema, fields_of_request

        return core_schema(cls, fields_of_request(cls, cls.operation))

    @overload
    def estimate(self, *, prices: PriceTable | None = None) -> float | None: ...
    @overload
    def estimate(self, *, prices: PriceTable | None = None, rough: bool) -> Estimate | None: ...
    def estimate(self, *, prices: PriceTable | None = None, rough: bool = False) -> Estimate | None:
        """What the call will cost in US dollars, by OpenAI's list prices or `prices`; `None` if not known.

        With `rough`, where no list price is known, it is what such images were reported to cost, by model,
        quality and size. The amount is an `Estimate`: `.rough` tells which of the two it is, `.source` where
        the price stands. A request without a model is taken as one for dall-e-2; `extra_body` counts as it
        is sent.
        """
        from .._money import PRICES, estimate_of

        values = parameters(self) | dict(self.extra_body or {})
        return estimate_of(self.operation, values, prices=PRICES if prices is None else prices, rough=rough)


@attrs.frozen(kw_only=True, init=False, repr=False, eq=False)
class PromptedRequest(BaseRequest):
    """What generations and edits have in common, newer models included."""

    quality: t.Quality | None = attrs.field(default=None, validator=_rule)
    background: t.Background | None = attrs.field(default=None, validator=_rule)
    moderation: t.ModerationLevel | None = attrs.field(default=None, validator=_rule)
    output_format: t.OutputFormat | None = attrs.field(default=None, validator=_rule)
    output_compression: int | None = attrs.field(default=None, validator=_rule)
    partial_images: int | None = attrs.field(default=None, validator=_rule)


def _short(prompt: str) -> str:
    return f"<{len(prompt)} characters>"


@attrs.frozen(kw_only=True)
class GenerateRequest(PromptedRequest):
    """`POST /images/generations`. Raises `InvalidRequestError` for a value that no model accepts."""

    __module__ = "dalle2"

    prompt: str = attrs.field(validator=_rule, repr=_short)
    style: t.Style | None = attrs.field(default=None, validator=_rule)

    operation: ClassVar[Operation] = "generate"


@attrs.frozen(kw_only=True)
class EditRequest(PromptedRequest):
    """`POST /images/edits`: `image` is one image or several, `mask` marks by transparency what to repaint."""

    __module__ = "dalle2"

    image: tuple[InputImage, ...] = attrs.field(converter=input_images)
    prompt: str = attrs.field(validator=_rule, repr=_short)
    mask: InputImage | None = attrs.field(default=None, validator=_mask)
    input_fidelity: t.InputFidelity | None = attrs.field(default=None, validator=_rule)

    operation: ClassVar[Operation] = "edit"


@attrs.frozen(kw_only=True)
class VariationRequest(BaseRequest):
    """`POST /images/variations`: `image` is one image."""

    __module__ = "dalle2"

    image: tuple[InputImage, ...] = attrs.field(converter=input_images)

    operation: ClassVar[Operation] = "vary"


Request: TypeAlias = GenerateRequest | EditRequest | VariationRequest
"""What `send` takes."""

KINDS: Mapping[str, type[Any]] = {
    "generate": GenerateRequest,
    "edit": EditRequest,
    "vary": VariationRequest,
}
"""The kinds of request by their operation."""

_NOT_PARAMETERS = frozenset({"image", "mask", "extra_body"})
_names: dict[type, tuple[str, ...]] = {}


def parameters(request: BaseRequest) -> dict[str, object]:
    """The parameters that the caller set, by the names they travel under; images and `extra_body` apart."""
    kind = type(request)
    names = _names.get(kind)
    if names is None:
        found = (field.name for field in attrs.fields(kind))
        names = _names[kind] = tuple(name for name in found if name not in _NOT_PARAMETERS)
    return {name: value for name in names if (value := getattr(request, name)) is not None}
