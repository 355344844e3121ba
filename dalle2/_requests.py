"""What is asked for, as values: a request that exists can be sent.

What no model accepts is refused here, on construction; what one model accepts and another does not is the
catalogue's business, and is checked when the model is known. `None` means "not sent".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import attrs

from . import _types as t
from ._inputs import InputImage, input_images
from .catalog import Operation
from .errors import InvalidRequestError

if TYPE_CHECKING:
    from ._money import PriceTable


def _shown(value: object) -> str:
    return f"{value!r:.60} ({type(value).__name__})"


def _prompt(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise InvalidRequestError(f"prompt must be a text; it is {type(value).__name__}", field="prompt")
    if not value.strip():
        raise InvalidRequestError("prompt is empty: describe the image you want", field="prompt")
    _sendable(value, "prompt")


def _sendable(text: str, field: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequestError(
            f"{field} holds half of a surrogate pair, which no host can read: decode the text anew",
            field=field,
        ) from None


def _whole(instance: object, attribute: attrs.Attribute[int | None], value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(
            f"{attribute.name} must be an integer; it is {_shown(value)}", field=attribute.name
        )
    low = 1 if attribute.name == "n" else 0
    if value < low:
        raise InvalidRequestError(
            f"{attribute.name} must be at least {low}; it is {value}", field=attribute.name
        )


def _word(instance: object, attribute: attrs.Attribute[str | None], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"{attribute.name} must be a text; it is {_shown(value)}", field=attribute.name
        )
    if not value.strip():
        raise InvalidRequestError(
            f"{attribute.name} is empty: leave it out to get the host's default", field=attribute.name
        )
    _sendable(value, attribute.name)


def _body(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"extra_body must be a mapping; it is a {type(value).__name__}", field="extra_body"
        )
    for name in value:
        if not isinstance(name, str):
            raise InvalidRequestError(
                f"extra_body: every name must be a text; one is {_shown(name)}", field="extra_body"
            )


def _mask(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, InputImage):
        raise InvalidRequestError(
            f"mask must be an InputImage, as read_input makes it; it is a {type(value).__name__}",
            field="mask",
        )


@attrs.frozen(kw_only=True, init=False, repr=False, eq=False)
class _Request:
    """What every request can say."""

    model: str | None = attrs.field(default=None, validator=_word)
    n: int | None = attrs.field(default=None, validator=_whole)
    size: t.Size | None = attrs.field(default=None, validator=_word)
    response_format: t.ResponseFormat | None = attrs.field(default=None, validator=_word)
    user: str | None = attrs.field(default=None, validator=_word, repr=False)
    extra_body: Mapping[str, object] | None = attrs.field(default=None, validator=_body, repr=False)

    operation: ClassVar[Operation]

    def estimate(self, *, prices: PriceTable | None = None) -> float | None:
        """What the call will cost in US dollars, by OpenAI's list prices or `prices`; `None` if not known.

        A request without a model is taken as one for dall-e-2.
        """
        from ._money import PRICES, estimate

        return estimate(
            self.operation,
            self.model or "dall-e-2",
            n=self.n,
            size=self.size,
            quality=getattr(self, "quality", None),
            prices=PRICES if prices is None else prices,
        )


@attrs.frozen(kw_only=True, init=False, repr=False, eq=False)
class _Prompted(_Request):
    """What generations and edits have in common, newer models included."""

    quality: t.Quality | None = attrs.field(default=None, validator=_word)
    background: t.Background | None = attrs.field(default=None, validator=_word)
    moderation: t.ModerationLevel | None = attrs.field(default=None, validator=_word)
    output_format: t.OutputFormat | None = attrs.field(default=None, validator=_word)
    output_compression: int | None = attrs.field(default=None, validator=_whole)
    partial_images: int | None = attrs.field(default=None, validator=_whole)


def _short(prompt: str) -> str:
    return f"<{len(prompt)} characters>"


@attrs.frozen(kw_only=True)
class GenerateRequest(_Prompted):
    """`POST /images/generations`. Raises `InvalidRequestError` for a value that no model accepts."""

    prompt: str = attrs.field(validator=_prompt, repr=_short)
    style: t.Style | None = attrs.field(default=None, validator=_word)

    operation: ClassVar[Operation] = "generate"


@attrs.frozen(kw_only=True)
class EditRequest(_Prompted):
    """`POST /images/edits`: `image` is one image or several, `mask` marks by transparency what to repaint."""

    image: tuple[InputImage, ...] = attrs.field(converter=input_images)
    prompt: str = attrs.field(validator=_prompt, repr=_short)
    mask: InputImage | None = attrs.field(default=None, validator=_mask)
    input_fidelity: t.InputFidelity | None = attrs.field(default=None, validator=_word)

    operation: ClassVar[Operation] = "edit"


@attrs.frozen(kw_only=True)
class VariationRequest(_Request):
    """`POST /images/variations`: `image` is one image."""

    image: tuple[InputImage, ...] = attrs.field(converter=input_images)

    operation: ClassVar[Operation] = "vary"


Request: TypeAlias = GenerateRequest | EditRequest | VariationRequest

_NOT_PARAMETERS = frozenset({"image", "mask", "extra_body"})


def parameters(request: Request) -> dict[str, object]:
    """The parameters that the caller set, by the names they travel under; images and `extra_body` apart."""
    names = (field.name for field in attrs.fields(type(request)) if field.name not in _NOT_PARAMETERS)
    return {name: value for name in names if (value := getattr(request, name)) is not None}


def prompt_of(request: object) -> str | None:
    """The prompt of a request that has one."""
    return getattr(request, "prompt", None)


def inputs_of(request: Request) -> tuple[Sequence[InputImage], InputImage | None]:
    """The images and the mask of a request that has them."""
    if isinstance(request, GenerateRequest):
        return (), None
    return request.image, request.mask if isinstance(request, EditRequest) else None
