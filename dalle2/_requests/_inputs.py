"""Images that callers give: read once into bytes, named and typed by those bytes.

The rule: a file is read at the edge, exactly once, and its handle is closed by whoever opened it; from then
on there are only bytes, so a repeated attempt sends the same ones. Media type and file name follow the bytes,
never the file's own name: hosts refuse `application/octet-stream`, and a JPEG named `.png` is refused here,
with the way to mend it, before it costs anything.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

import attrs

from .._image._media import ImageError, ImageFacts, facts, suffix_for
from ..errors import InvalidRequestError
from ._orientation import orientation_of
from ._sources import is_pillow, read_source

if TYPE_CHECKING:
    from typing import Self

    from PIL.Image import Image as PillowImage

    from ..catalog import FileLimits, Model, Operation


class HoldsImage(Protocol):
    """A result of this package."""

    @property
    def content(self) -> bytes | None:
        """The bytes that are held."""

    def read(self) -> bytes | Awaitable[bytes]:
        """The bytes, fetched if they are not held."""


ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | HoldsImage | InputImage | PillowImage"
"""A path, bytes, base64 or a data URI, an open binary file, a result of this package, or a Pillow image."""

LARGEST = 50 * 1024 * 1024
"""Bytes: no known host takes a larger input image."""

_BY_TRANSPARENCY = ("dall-e-2",)
"""The models that repaint where the image is transparent, if no mask comes with it."""

_FIX = "dalle2.prepare_image(...) makes a square RGBA PNG of the right size"


@attrs.frozen
class InputImage:
    """One input image: its bytes and what they are."""

    __module__ = "dalle2"

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    facts: ImageFacts
    field: str = "image"

    def __reduce__(self) -> tuple[object, ...]:
        from ..pickling import stored

        return stored(self, {"data": self.data, "facts": tuple(self.facts), "field": self.field})

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        return cls(state["data"], ImageFacts(*state["facts"]), state["field"])

    @property
    def filename(self) -> str:
        """A name with the suffix that the bytes ask for."""
        return self.field + suffix_for(self.facts.media_type)

    @classmethod
    def of(cls, data: bytes, field: str = "image") -> InputImage:
        """Check that `data` is one whole image. Raises `InvalidRequestError`."""
        if not data:
            raise InvalidRequestError(
                f"{field} is empty: no bytes (was the file already read to its end?)", field=field
            )
        if len(data) > LARGEST:
            raise InvalidRequestError(
                f"{field} has {len(data)} bytes, more than any host takes: {_FIX}", field=field
            )
        try:
            return cls(data, facts(data), field)
        except ImageError as problem:
            raise InvalidRequestError(
                f"{field} is not a usable image: {problem}; {_FIX}", field=field
            ) from None


def read_input(source: ImageSource, field: str = "image") -> InputImage:
    """Read one image from wherever the caller has it; a result that holds only its URL is fetched.

    Base64 text and a data URI are decoded, a Pillow image is turned upright by EXIF and becomes a PNG.
    Raises `InvalidRequestError` if it is no image, `OSError` (the built-in ones) if a file cannot be read,
    `DownloadError` for a result that cannot be fetched.
    """
    if isinstance(source, InputImage):
        return attrs.evolve(source, field=field)
    if is_pillow(source):
        from ._opened import png_of

        return InputImage.of(png_of(source, field), field)
    return InputImage.of(read_source(source, field, LARGEST), field)


read_input.__module__ = "dalle2"


def input_images(sources: InputImage | Sequence[InputImage]) -> tuple[InputImage, ...]:
    """One image or several, as a tuple. Raises `InvalidRequestError` for none."""
    if isinstance(sources, InputImage):
        return (sources,)
    images = tuple(sources) if isinstance(sources, Sequence) else ()
    if not images or not all(isinstance(image, InputImage) for image in images):
        raise InvalidRequestError(
            "image: give at least one image (InputImage values, as read_input makes them)", field="image"
        )
    return images


def read_inputs(sources: ImageSource | Sequence[ImageSource]) -> tuple[InputImage, ...]:
    """One image or a list of them, read. Raises as `read_input` does."""
    if isinstance(sources, (list, tuple)):
        return input_images([read_input(source) for source in sources])
    return (read_input(sources),)  # type: ignore[arg-type]


def check_inputs(
    model: Model, images: Sequence[InputImage], mask: InputImage | None, operation: Operation
) -> None:
    """Check the images of a request against what `model` takes. Raises `InvalidRequestError`."""
    limits = model.images
    if limits is not None:
        if len(images) > limits.most:
            most = "exactly one image" if limits.most == 1 else f"1 to {limits.most} images"
            raise InvalidRequestError(f"{len(images)} images given, {model.name} takes {most}", field="image")
        for image in images:
            _check_file(model.name, image, limits)
    if mask is not None and model.mask is not None:
        _check_file(model.name, mask, model.mask)
        _check_mask(images[0], mask)
    elif model.name in _BY_TRANSPARENCY and operation == "edit" and not images[0].facts.has_alpha:
        raise InvalidRequestError(
            f"image has no transparent part, and there is no mask: {model.name} repaints only where one of "
            "the two is transparent. dalle2.mask_from_box(...) marks a box, "
            "dalle2.prepare_image(..., mask_box=...) cuts it out",
            field="image",
        )


def _check_mask(image: InputImage, mask: InputImage) -> None:
    """Whether a mask belongs to its image: the same size, the same way up, transparent somewhere."""
    if orientation_of(image.data) != 1:
        raise InvalidRequestError(
            "image is a photograph that its EXIF data turns or mirrors, and hosts differ in whether they "
            "do: dalle2.prepare_image(...) turns it upright; make the mask for what that gives",
            field="image",
        )
    facts = image.facts
    if (mask.facts.width, mask.facts.height) != (facts.width, facts.height):
        raise InvalidRequestError(
            f"mask is {mask.facts.width}x{mask.facts.height}, the image {facts.width}x{facts.height}: "
            "they must be the same size",
            field="mask",
        )
    if not mask.facts.has_alpha:
        raise InvalidRequestError(
            "mask has no alpha channel: save it as an RGBA PNG whose transparent pixels mark what to repaint "
            "(dalle2.mask_from_box(...) makes one)",
            field="mask",
        )


def _check_file(model: str, image: InputImage, limits: FileLimits) -> None:
    facts = image.facts
    if facts.media_type not in limits.media_types:
        raise InvalidRequestError(
            f"{image.field} is {facts.media_type} by its bytes, whatever its name says; {model} takes "
            f"{' or '.join(limits.media_types)}: {_FIX}",
            field=image.field,
            allowed=limits.media_types,
        )
    if len(image.data) >= limits.below_bytes:
        raise InvalidRequestError(
            f"{image.field} has {len(image.data)} bytes, {model} takes fewer than {limits.below_bytes}: "
            f"{_FIX}",
            field=image.field,
        )
    if limits.square and facts.width != facts.height:
        raise InvalidRequestError(
            f"{image.field} is {facts.width}x{facts.height}, {model} takes square images: {_FIX}",
            field=image.field,
        )
