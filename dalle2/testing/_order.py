"""From a request to an `Order`: every parameter checked as the vendor checks it, in the vendor's order.

The rule: the model is looked at before anything else, then unknown names, types, values, and the prompt's
content last. The first mistake found is the one that is answered.
"""

from __future__ import annotations

from datetime import date

import attrs

from . import _refusals as refuse
from ._forms import Form, Upload
from ._models import MODELS, EmulatedModel, Operation, default_model
from ._safety import flagged_categories, short_categories

_SUPPORTED_BY = {
    "edit": [model.id for model in MODELS.values() if "edit" in model.operations()],
    "vary": ["dall-e-2"],
    "generate": list(MODELS),
}


@attrs.frozen
class Order:
    """A request that passed every check and will be painted."""

    operation: Operation
    model: EmulatedModel
    prompt: str
    n: int
    size: str
    response_format: str
    background: str = "opaque"
    output_format: str = "png"
    quality: str = "high"
    compression: int = 100
    stream: bool = False
    partials: int = 0
    images: tuple[Upload, ...] = ()
    mask: Upload | None = None

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.size.partition("x")[0])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.size.partition("x")[2])


def find_model(form: Form, operation: Operation, today: date | None) -> EmulatedModel:
    """The model named in the request, or the vendor's default."""
    name = form.text("model") or default_model(operation, today)
    model = MODELS.get(name)
    if model is None or model.is_retired(today):
        raise refuse.model_gone(name)
    if operation not in model.operations():
        raise refuse.invalid_value("model", name, _SUPPORTED_BY[operation])
    return model


def check_order(form: Form, operation: Operation, model: EmulatedModel) -> Order:
    """Check everything but the uploaded files."""
    for name in sorted(form.names() - model.parameters(operation)):
        raise refuse.unknown_parameter(name)
    order = Order(
        operation,
        model,
        prompt="" if operation == "vary" else _prompt(form, model),
        n=_count(form, model),
        size=_size(form, model),
        response_format=_choice(form, "response_format", ("url", "b64_json")) or "url",
    )
    if model.family == "dall-e-3":
        _choice(form, "quality", model.qualities)
        _choice(form, "style", ("vivid", "natural"))
    if model.family == "gpt-image":
        order = _check_gpt(form, order)
    _check_content(order)
    return order


def _prompt(form: Form, model: EmulatedModel) -> str:
    prompt = form.text("prompt")
    if prompt is None:
        raise refuse.missing_parameter("prompt")
    if not prompt:
        raise refuse.schema_error("'' is too short - 'prompt'")
    if len(prompt) > model.prompt_limit:
        if model.family == "gpt-image":
            raise refuse.string_too_long("prompt", model.prompt_limit, len(prompt))
        raise refuse.prompt_too_long(model.prompt_limit, len(prompt))
    return prompt


def _count(form: Form, model: EmulatedModel) -> int:
    n = form.integer("n")
    most = 1 if model.family == "dall-e-3" else 10
    if n is None:
        return 1
    if 1 <= n <= most:
        return n
    if model.family == "gpt-image":
        raise refuse.out_of_range("n", n, 1, most)
    bound = f"greater than the maximum of {most}" if n > most else "less than the minimum of 1"
    raise refuse.schema_error(f"{n} is {bound} - 'n'")


def _size(form: Form, model: EmulatedModel) -> str:
    size = form.text("size")
    if size is None or (size == "auto" and "auto" in model.sizes):
        return "1024x1024"
    if size in model.sizes:
        return size
    if model.free_sizes:
        return _free_size(size)
    if model.family == "gpt-image":
        raise refuse.invalid_value("size", size, model.sizes)
    if any(size in other.sizes for other in MODELS.values()):
        raise refuse.unsupported_size()
    raise refuse.schema_error(f"'{size}' is not one of {list(model.sizes)} - 'size'")


def _free_size(size: str) -> str:
    left, _, right = size.partition("x")
    problem = None
    if (
        not (left.isascii() and right.isascii() and left.isdigit() and right.isdigit())
        or max(len(left), len(right)) > 5
    ):
        problem = "Sizes are 'auto' or WIDTHxHEIGHT, such as '1024x1024'."
    else:
        width, height = int(left), int(right)
        if not width or not height or width % 16 or height % 16:
            problem = "Width and height must both be divisible by 16."
        elif max(width, height) > 3 * min(width, height):
            problem = "The aspect ratio must be between 1:3 and 3:1."
        elif max(width, height) > 3840:
            problem = "The longest edge must be 3840 pixels or less."
        elif width * height > 8_294_400:
            problem = "The total number of pixels must be 8294400 or less."
        elif width * height < 655_360:
            problem = "The total number of pixels must be 655360 or more."
    if problem is not None:
        raise refuse.Refusal(
            f"Invalid size '{size}'. {problem}", type=refuse.USER_ERROR, code="invalid_value", param="size"
        )
    return f"{int(left)}x{int(right)}"


def _choice(form: Form, name: str, allowed: tuple[str, ...], *, newer: bool = False) -> str | None:
    value = form.text(name)
    if value is None or value in allowed:
        return value
    if newer:
        raise refuse.invalid_value(name, value, allowed)
    raise refuse.schema_error(f"'{value}' is not one of {list(allowed)} - '{name}'")


def _ranged(form: Form, name: str, low: int, high: int, default: int) -> int:
    value = form.integer(name)
    if value is not None and not low <= value <= high:
        raise refuse.out_of_range(name, value, low, high)
    return default if value is None else value


def _check_gpt(form: Form, order: Order) -> Order:
    model = order.model
    quality = _choice(form, "quality", model.qualities, newer=True) or "auto"
    background = _choice(form, "background", ("transparent", "opaque", "auto"), newer=True) or "auto"
    output_format = _choice(form, "output_format", model.formats, newer=True) or "png"
    _choice(form, "moderation", ("low", "auto"), newer=True)
    if background == "transparent" and output_format == "jpeg":
        raise refuse.Refusal(
            "Transparent background is not supported for JPEG output format.",
            type=refuse.USER_ERROR,
            code="invalid_value",
            param="background",
        )
    compression = _ranged(form, "output_compression", 0, 100, 100)
    if compression < 100 and output_format not in ("jpeg", "webp"):
        raise refuse.Refusal(
            f"Compression less than 100 is not supported for {output_format.upper()} output format.",
            type=refuse.USER_ERROR,
            code="invalid_value",
            param="output_compression",
        )
    if _choice(form, "input_fidelity", ("high", "low"), newer=True) and not model.input_fidelity:
        raise refuse.fidelity_not_supported(model.id)
    if "complexity" in model.more:
        _choice(form, "complexity", ("low", "medium", "high"), newer=True)
    return attrs.evolve(
        order,
        response_format="b64_json",
        quality="high" if quality == "auto" else quality,
        background="opaque" if background == "auto" else background,
        output_format=output_format,
        compression=compression,
        stream=form.flag("stream"),
        partials=_ranged(form, "partial_images", 0, 3, 0),
    )


def _check_content(order: Order) -> None:
    if flagged_categories(order.prompt):
        if order.model.family == "gpt-image":
            raise refuse.moderation_blocked(short_categories(order.prompt))
        raise refuse.policy_violation()
