"""Requests against the catalogue, before anything is spent.

The rule: only what the caller set is looked at; an unknown model, and a parameter that no known model has,
pass. A refusal names the field, what was given and what is allowed. No prompt is ever part of a message.

Which sizes are legal is decided here, too. The rule of the free ones (gpt-image-2 and later): both edges
divisible by 16, a ratio between 1:3 and 3:1, no edge over 3840, and 655 360 to 8 294 400 pixels in all. The
first two stand in OpenAI's specification, the others in
https://docs.comfy.org/zh/built-in-nodes/OpenAIGPTImageNodeV2. The smallest legal square is 816x816, so the
sizes 256x256 and 512x512 of DALL·E 2 cannot be asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast, get_args

from .._secrets import quoted
from ..errors import InvalidRequestError
from ._model import Model, Operation
from ._models import MODELS

_WORDS = {"generate": "generate images", "edit": "edit images", "vary": "make variations"}
_CARRIED = ("image", "mask", "markup")  # files: checked where they are read


def models_taking(parameter: str, operation: str, value: object = None) -> tuple[str, ...]:
    """The models, without dated snapshots, whose `operation` takes `parameter` (and `value`, if given)."""
    return tuple(
        name
        for name, model in MODELS.items()
        if model.snapshot_of is None
        and parameter in (taken := model.parameters.get(cast(Operation, operation), {}))
        and (value is None or (allowed := taken[parameter]) is None or value in allowed)
    )


def check(operation: str, model: str, values: Mapping[str, object]) -> None:
    """Check the parameters that the caller set against what the catalogue knows of `model`.

    `operation` is `"generate"`, `"edit"` or `"vary"`; a value of `None` counts as not set. Raises
    `InvalidRequestError` with the field and what is allowed there.
    """
    known = MODELS.get(model)
    if known is None:
        return
    if operation not in known.parameters:
        able = tuple(
            name for name, m in MODELS.items() if m.snapshot_of is None and operation in m.parameters
        )
        way = f"models that can: {', '.join(able)}"
        if operation == "vary":
            way += "; or use edit() with a prompt that says what to change"
        raise InvalidRequestError(
            f"{model} cannot {_WORDS.get(operation, operation)}: {way}", field="model", allowed=able
        )
    operation = cast(Operation, operation)
    for name, value in values.items():
        if value is not None:
            _check_one(operation, known, name, value)
    _check_together(known, values)


def _check_one(operation: Operation, model: Model, name: str, value: object) -> None:
    taken = model.parameters[operation]
    if name not in taken:
        _refuse_unknown(operation, model, name)
    elif name == "prompt":
        _check_prompt(model, value)
    elif name == "size":
        _check_size(model, value)
    elif name == "image":
        _check_count(model, value)
    elif name not in _CARRIED and (allowed := taken[name]) is not None:
        _check_value(operation, model, name, value, allowed)


def _refuse_unknown(operation: Operation, model: Model, name: str) -> None:
    able = models_taking(name, operation)
    if able:
        hint = " It always answers base64." if name == "response_format" else ""
        raise InvalidRequestError(
            f"{model.name} does not take {name}: leave it out.{hint} Models that take it: {', '.join(able)}",
            field=name,
        )
    others = [op for op in get_args(Operation) if models_taking(name, op)]
    if others:
        raise InvalidRequestError(
            f"{name} is no parameter of {operation}: leave it out (it belongs to {' and '.join(others)})",
            field=name,
        )


def _check_prompt(model: Model, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidRequestError(f"prompt must be a string, not {type(value).__name__}", field="prompt")
    if not value.strip():
        raise InvalidRequestError("prompt is empty: say what the image should show", field="prompt")
    if (over := len(value) - model.prompt_limit) > 0:
        raise InvalidRequestError(
            f"prompt has {len(value)} characters, {model.name} takes at most {model.prompt_limit}: "
            f"shorten it by {over}",
            field="prompt",
        )


def _check_size(model: Model, value: object) -> None:
    if is_legal_size(model, value):
        return
    listed = _either(model.sizes)
    if not model.free_sizes:
        raise InvalidRequestError(
            f"size {quoted(value)} is not one that {model.name} makes: use {listed}",
            field="size",
            allowed=model.sizes,
        )
    edges = parse_size(value)
    if edges is None:
        reason = "is not of the form WIDTHxHEIGHT"
        way = f"use {listed}, or another size such as 1280x960"
    else:
        reason = f"breaks a rule of {model.name}: {'; '.join(broken_rules(*edges))}"
        way = f"the nearest legal size is {nearest_size(*edges)}"
    raise InvalidRequestError(f"size {quoted(value)} {reason}: {way}", field="size", allowed=model.sizes)


def _check_count(model: Model, value: object) -> None:
    if model.images is None or isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return
    if not 1 <= len(value) <= model.images.most:
        most = "exactly one image" if model.images.most == 1 else f"1 to {model.images.most} images"
        raise InvalidRequestError(f"{len(value)} images given, {model.name} takes {most}", field="image")


def _check_value(
    operation: Operation, model: Model, name: str, value: object, allowed: Sequence[object]
) -> None:
    if isinstance(allowed, range):
        if type(value) is int and value in allowed:
            return
        low, high = allowed[0], allowed[-1]
        span = f"{low} only" if low == high else f"an integer from {low} to {high}"
        raise InvalidRequestError(
            f"{name} {quoted(value)} is not possible: {model.name} takes {span}", field=name, allowed=allowed
        )
    if any(value == one and type(value) is type(one) for one in allowed):
        return
    others = models_taking(name, operation, value) if isinstance(value, str) else ()
    more = f" ({quoted(value)} is known to {', '.join(others)})" if others else ""
    raise InvalidRequestError(
        f"{name} {quoted(value)} is not possible: {model.name} takes {_either(allowed)}{more}",
        field=name,
        allowed=allowed,
    )


def _check_together(model: Model, values: Mapping[str, object]) -> None:
    form = values.get("output_format") or model.output_formats[0]
    if values.get("background") == "transparent" and form not in ("png", "webp", "gif", "svg"):
        raise InvalidRequestError(
            f"background 'transparent' needs output_format png or webp, not {quoted(form)}",
            field="background",
            allowed=("opaque", "auto"),
        )
    compression = values.get("output_compression")
    if compression not in (None, 100) and form not in ("jpeg", "webp"):
        raise InvalidRequestError(
            f"output_compression works with output_format jpeg or webp, not {quoted(form)}: "
            "set one of these, or leave it out",
            field="output_compression",
        )


def _either(values: Sequence[object]) -> str:
    words = [str(value) for value in values]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


STEP, LONGEST, RATIO = 16, 3840, 3
FEWEST, MOST = 655_360, 8_294_400

_FORM = "(?a)" r"([1-9][0-9]{0,7})x([1-9][0-9]{0,7})"


def parse_size(size: object) -> tuple[int, int] | None:
    """Width and height of `"1024x768"`; `None` for anything of another form."""
    match = re.fullmatch(_FORM, size) if isinstance(size, str) else None
    return (int(match[1]), int(match[2])) if match else None


def broken_rules(width: int, height: int) -> list[str]:
    """The rules of the free sizes that this size breaks, in words."""
    rules = []
    if width % STEP or height % STEP:
        rules.append(f"width and height must be divisible by {STEP}")
    if max(width, height) > LONGEST:
        rules.append(f"no edge may be longer than {LONGEST}")
    if max(width, height) > RATIO * min(width, height):
        rules.append(f"the ratio must lie between 1:{RATIO} and {RATIO}:1")
    if not FEWEST <= width * height <= MOST:
        rules.append(f"there must be {FEWEST} to {MOST} pixels (this has {width * height})")
    return rules


def is_legal_size(model: Model, size: object) -> bool:
    """Whether the model makes images of this size."""
    if size in model.sizes:
        return True
    edges = parse_size(size)
    return model.free_sizes and edges is not None and not broken_rules(*edges)


def nearest_size(width: int, height: int) -> str:
    """The legal free size nearest to this one: the shape counts most, then the number of pixels."""
    shape, area = math.log(width / height), math.log(width * height)

    def distance(edges: tuple[int, int]) -> float:
        w, h = edges
        return (4 * (math.log(w / h) - shape)) ** 2 + (math.log(w * h) - area) ** 2

    legal = []
    for w in range(STEP, LONGEST + 1, STEP):
        low = _up(max(-(-FEWEST // w), -(-w // RATIO)))
        high = _up(min(MOST // w, RATIO * w, LONGEST) + 1) - STEP
        if low > high:
            continue
        # For one width the distance has a single lowest point; only its two neighbours on the grid count.
        best = math.exp((16 * (math.log(w) - shape) - math.log(w) + area) / 17)
        for h in (int(best) // STEP * STEP, int(best) // STEP * STEP + STEP):
            legal.append((w, min(max(h, low), high)))
    w, h = min(legal, key=distance)
    return f"{w}x{h}"


def _up(edge: int) -> int:
    return -(-edge // STEP) * STEP


def covering_size(model: Model, size: str) -> str | None:
    """The smallest size of the model with the shape of `size` and at least as large, to be scaled down.

    `None` if it has none, or if `size` is not of the form `WIDTHxHEIGHT`.
    """
    edges = parse_size(size)
    if edges is None:
        return None
    width, height = edges
    shape = math.gcd(width, height)
    a, b = width // shape, height // shape
    found = [e for e in map(parse_size, model.sizes) if e and e[0] * b == e[1] * a and e[0] >= width]
    if model.free_sizes:
        unit = math.lcm(STEP // math.gcd(STEP, a), STEP // math.gcd(STEP, b))
        for factor in range(unit, LONGEST // max(a, b) + 1, unit):
            if a * factor >= width and not broken_rules(a * factor, b * factor):
                found.append((a * factor, b * factor))
                break
    if not found:
        return None
    width, height = min(found)
    return f"{width}x{height}"
