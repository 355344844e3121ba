"""The DALL·E 2 contract over a living model: what a request becomes, and its images afterwards. No I/O.

The rule: nothing silent. Each change is an `Adaptation` that says what was asked, what is sent and why;
without `successor` nothing is ever changed. What the newer models cannot do (256 and 512 pixels, URLs,
variations) is made from what they can: a larger image scaled down, bytes, an edit with a stated prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import attrs

from .. import catalog
from ..catalog._check import parse_size
from ..errors import ConfigurationError
from ._values import EditRequest, VariationRequest

if TYPE_CHECKING:
    from .._image._data import ImageData
    from ._values import Request

VARIATION_PROMPT = (
    "Make a variation of this image: the same subject, style, palette and mood, in a new composition with "
    "different details."
)


_NEVER_SCALED = ("gif", "svg")
"""What moves and what has no pixels stays as it is."""
_QUALITIES = {"hd": "high", "standard": "medium"}


@attrs.frozen
class Adaptation:
    """One change: the parameter, what was asked, what is sent instead (`None`: nothing), and why."""

    __module__ = "dalle2"

    field: str
    asked: object
    sent: object
    reason: str

    def __str__(self) -> str:
        asked = self.field if self.asked is None else f"{self.field}={self.asked!r}"
        sent = "not sent" if self.sent is None else f"sent as {self.sent!r}"
        return f"{asked} is {sent}: {self.reason}"


@attrs.frozen
class Adapted:
    """A request for a living model, the changes that led to it, and the size to scale to, if any."""

    __module__ = "dalle2"

    request: Request
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None


def check_successor(
    name: str, today: date, models: Mapping[str, catalog.Model], source: str = "successor"
) -> str:
    """The model that a successor means. Raises `ConfigurationError`, naming its `source`, for one that is
    itself retired.
    """
    if name == "auto":
        living = catalog.default_successor(today, models=models)
        if living is None:
            raise ConfigurationError(f"{source}='auto': no living model is known; name one")
        return living
    if catalog.retired(name, today, models=models):
        follows = catalog.successor_of(name, today, models=models)
        advice = f": use {follows!r} (or 'auto')" if follows else ": use 'auto'"
        raise ConfigurationError(f"{source}={name!r} is itself retired{advice}")
    return name


def adapt(
    request: Request,
    successor: str,
    *,
    today: date | None = None,
    models: Mapping[str, catalog.Model] | None = None,
) -> Adapted:
    """What `request` becomes on `successor`, without sending it.

    A request for a model that lives on comes back unchanged.
    `successor` is a model, or `"auto"` for the one that `Client(successor="auto")` takes on the day `today`
    (UTC; unsaid, the present one), at the best quality that costs about as little as dall-e-2 did. A request
    without a model is taken as one for dall-e-2. `models` are those to choose from (unsaid, the catalogue).
    Raises `ConfigurationError` for a successor that is retired itself.
    """
    today = datetime.now(UTC).date() if today is None else today
    models = catalog.MODELS if models is None else models
    chosen = successor == "auto"
    successor = check_successor(successor, today, models)
    model = request.model or "dall-e-2"
    known = catalog.find(model, models=models)
    if model == successor or known is None or known.successor is None:
        return Adapted(request)
    if not model.startswith("dall-e") and not catalog.retired(model, today, models=models):
        return Adapted(request)
    changes: list[Adaptation] = []
    heir = catalog.find(successor, models=models)

    def note(field: str, asked: object, sent: object, reason: str) -> None:
        changes.append(Adaptation(field, asked, sent, reason))

    ended = catalog.retired(model, today, models=models)
    note("model", model, successor, f"{model} was retired on {known.retired_on}" if ended else "as you asked")
    adapted: Request = request
    if isinstance(request, VariationRequest):
        note(
            "operation", "vary", "edit", f"{successor} has no variations; the prompt is {VARIATION_PROMPT!r}"
        )
        adapted = EditRequest(
            image=request.image, prompt=VARIATION_PROMPT, n=request.n, size=request.size, user=request.user,
            response_format=request.response_format, extra_body=request.extra_body,
        )  # fmt: skip
    elif isinstance(request, EditRequest) and request.mask is None and _transparent(request):
        mask = attrs.evolve(request.image[0], field="mask")
        note(
            "mask",
            None,
            "the image itself",
            "without a mask, dall-e-2 repaints where the image is transparent",
        )
        adapted = attrs.evolve(request, mask=mask)
    if adapted.response_format is not None:
        note(
            "response_format",
            adapted.response_format,
            None,
            f"{successor} always answers with the image itself",
        )
        adapted = attrs.evolve(adapted, response_format=None)
    size, scale = adapted.size, None
    if size is not None or model.startswith("dall-e"):
        size, scale = _size(size or "1024x1024", heir)
    for name in ("style", "quality", "input_fidelity"):
        value = getattr(adapted, name, None)
        sent: str | None = None
        reason = f"{successor} does not know it"
        if name == "quality" and chosen and heir is not None and _leaves_quality(adapted, heir):
            sent, reason = _thrifty(heir, model, size, adapted.size or "1024x1024")
        elif value is None or _taken(heir, adapted, name, value):
            continue
        elif name == "quality":
            sent = _QUALITIES.get(value)
        note(name, value, sent, reason)
        change: dict[str, Any] = {name: sent}
        adapted = attrs.evolve(adapted, **change)
    if size != adapted.size:
        reason = f"the size that {model} made unasked"
        form = (adapted.extra_body or {}).get("output_format", getattr(adapted, "output_format", None))
        if scale is not None and form in _NEVER_SCALED:
            scale = None
            reason = (
                f"{successor} makes no smaller one of this shape, and a {form} is not scaled: "
                "it comes as large as it is made"
            )
        elif scale is not None:
            reason = (
                f"{successor} makes no smaller one of this shape; the image is scaled down to {adapted.size}"
            )
        note("size", adapted.size, size, reason)
    adapted = attrs.evolve(adapted, model=successor, size=size)
    return Adapted(adapted, tuple(changes), scale)


adapt.__module__ = "dalle2"


def _leaves_quality(request: Request, heir: catalog.Model) -> bool:
    """Whether the caller leaves the quality to us: names none, or the one that only DALL·E had."""
    taken = "quality" in heir.parameters.get(request.operation, {})
    open_to_us = getattr(request, "quality", None) in (None, "standard")
    return taken and open_to_us and "quality" not in (request.extra_body or {})


def _thrifty(heir: catalog.Model, model: str, size: str | None, asked: str) -> tuple[str, str]:
    """The best quality whose rough price at the size sent is at most dall-e-2's at the size `asked`, and why.

    Where dall-e-2 made no such size, what `model` cost there counts, else the dearest of dall-e-2. Where no
    price of the heir is known, or none is as low, it is the first: the cheapest.
    """
    from .._money import estimate, in_words

    allowed = heir.parameters["generate"]["quality"] or ("low",)
    levels = [str(level) for level in allowed if level != "auto"]
    prices = [estimate("generate", heir.name, size=size, quality=level, rough=True) for level in levels]
    compared = [("dall-e-2", asked), (model, asked), ("dall-e-2", None)]
    old, ceiling = next(
        (name, usd) for name, of in compared if (usd := estimate("generate", name, size=of)) is not None
    )
    best, price = levels[0], prices[0]
    for level, known in zip(levels, prices, strict=True):
        if known is not None and known <= ceiling:
            best, price = level, known
    if price is None:
        return best, f"what an image of {heir.name} costs is not known, and this is the cheapest"
    words = "the best that costs no more" if price <= ceiling else "the cheapest, but it costs more"
    return best, f"{words} than {old} did ({in_words(price)} an image against {in_words(ceiling)})"


def _taken(heir: catalog.Model | None, request: Request, name: str, value: object) -> bool:
    """Whether the successor takes this value; an unknown one takes whatever is not DALL·E's alone."""
    if heir is None:
        return value not in ("standard", "hd", "vivid", "natural")
    taken = heir.parameters.get(request.operation, {})
    allowed = taken.get(name)
    return name in taken and (allowed is None or value in allowed)


def _transparent(request: EditRequest) -> bool:
    """Whether the image brings its own mask, of the only kind that dall-e-2 took."""
    facts = request.image[0].facts
    return facts.has_alpha and facts.media_type == "image/png"


def _size(size: str, heir: catalog.Model | None) -> tuple[str, tuple[int, int] | None]:
    """The size to ask for, and the one to scale down to, if that is another."""
    if heir is None or catalog.is_legal_size(heir, size):
        return size, None
    larger = catalog.covering_size(heir, size)
    return (size, None) if larger is None else (larger, parse_size(size))


def fitted(image: ImageData, scale: tuple[int, int] | None) -> ImageData:
    """The image at the size that was asked for (extra `pillow`), a JPEG or WebP in the format that it came
    in, anything else as a PNG. One that cannot be scaled stays as it is.
    """
    if scale is None or image.content is None:
        return image
    from ._opened import scaled_image

    came = image.media_type
    kind = came if came in ("image/jpeg", "image/webp") else "image/png"
    try:
        content = scaled_image(image.content, *scale, kind)
        return image._replace(content=content, declared_type=kind, sound=True)
    except ValueError:  # paid for: an image of another size is better than none
        return image


def fit_each(results: Iterable[object], scale: tuple[int, int] | None) -> None:
    """Bring each result (of this package: `_results.BaseResult`) that holds its bytes to that size."""
    for result in results if scale is not None else ():
        result._data = fitted(result._data, scale)  # type: ignore[attr-defined]
