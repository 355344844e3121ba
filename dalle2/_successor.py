"""The DALL·E 2 contract over a living model: what a request becomes, and what its images become afterwards. No I/O.

The rule: nothing silent. Each change is an `Adaptation` that says what was asked, what is sent and why; without
`successor` nothing is ever changed. What the newer models cannot do (256 and 512 pixels, URLs, variations) is made from what they
can: a larger image scaled down, bytes, an edit with a stated prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs

from . import catalog
from ._images import ImageData
from ._requests import EditRequest, Request, VariationRequest
from .catalog._sizes import parse_size
from .errors import ConfigurationError

VARIATION_PROMPT = "Make a variation of this image: the same subject, style, palette and mood, in a new composition with different details."


@attrs.frozen
class Adaptation:
    """One change: the parameter, what was asked, what is sent instead (`None`: nothing), and why."""

    field: str
    asked: object
    sent: object
    reason: str

    def __str__(self) -> str:
        sent = "not sent" if self.sent is None else f"sent as {self.sent!r}"
        return f"{self.field}={self.asked!r} is {sent}: {self.reason}"


@attrs.frozen
class Adapted:
    """A request for a living model, the changes that led to it, and the size to scale its images to, if any."""

    request: Request
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None


def check_successor(name: str, today: date, models: Mapping[str, catalog.Model]) -> str:
    """The model that `successor=` means. Raises `ConfigurationError` for one that is itself retired."""
    if name == "auto":
        living = catalog.default_successor(today, models=models)
        if living is None:
            raise ConfigurationError("successor='auto': no living model is known; name one")
        return living
    if catalog.retired(name, today, models=models):
        follows = catalog.successor_of(name, today, models=models)
        raise ConfigurationError(
            f"successor={name!r} is itself retired"
            + (f": use {follows!r}" if follows else "")
            + " (or 'auto')"
        )
    return name


def adapt(
    request: Request, successor: str, *, today: date, models: Mapping[str, catalog.Model] = catalog.MODELS
) -> Adapted:
    """What `request` becomes on `successor`; a request for a model that lives on comes back unchanged."""
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

    note("model", model, successor, f"{model} is retired")
    adapted: Request = request
    if isinstance(request, VariationRequest):
        note(
            "operation", "vary", "edit", f"{successor} has no variations; the prompt is {VARIATION_PROMPT!r}"
        )
        adapted = EditRequest(
            image=request.image, prompt=VARIATION_PROMPT, n=request.n, size=request.size, user=request.user,
            response_format=request.response_format, extra_body=request.extra_body,
        )  # fmt: skip
    elif isinstance(request, EditRequest) and request.mask is None and request.image[0].facts.has_alpha:
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
    for name in ("style", "quality"):
        value = getattr(adapted, name, None)
        if value in ("standard", "hd", "vivid", "natural"):
            sent = "high" if value == "hd" else None
            note(name, value, sent, f"{successor} does not know it")
            change: dict[str, Any] = {name: sent}
            adapted = attrs.evolve(adapted, **change)
    size, scale = _size(adapted.size or "1024x1024", heir)
    if size != adapted.size:
        reason = "the size that dall-e-2 made unasked"
        if scale is not None:
            reason = f"{successor} makes no smaller one of this shape; the image is scaled down to the size asked for"
        note("size", adapted.size, size, reason)
    adapted = attrs.evolve(adapted, model=successor, size=size)
    return Adapted(adapted, tuple(changes), scale)


def _size(size: str, heir: catalog.Model | None) -> tuple[str, tuple[int, int] | None]:
    """The size to ask for, and the one to scale down to, if that is another."""
    if heir is None or catalog.is_legal_size(heir, size):
        return size, None
    larger = catalog.covering_size(heir, size)
    return (size, None) if larger is None else (larger, parse_size(size))


def fitted(image: ImageData, scale: tuple[int, int] | None) -> ImageData:
    """The image at the size that was asked for (extra `pillow`). One that cannot be scaled stays as it is."""
    if scale is None or image.content is None:
        return image
    from ._prepare import scale_png

    try:
        return attrs.evolve(image, content=scale_png(image.content, *scale), declared_type="image/png")
    except ValueError:  # paid for: an image of another size is better than none
        return image
