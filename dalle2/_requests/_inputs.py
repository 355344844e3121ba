"""Images that callers give: read once into bytes, named and typed by those bytes.

The rule: a file is read at the edge, exactly once, and its handle is closed by whoever opened it; from then
on there are only bytes, so a repeated attempt sends the same ones. Media type and file name follow the bytes,
never the file's own name: hosts refuse `application/octet-stream`, and a JPEG named `.png` is refused here,
with the way to mend it, before it costs anything.
"""

from __future__ import annotations

import io
import os
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, cast

import attrs

from .._image._media import ImageFacts, facts, suffix_for
from ..errors import InvalidRequestError

if TYPE_CHECKING:
    from typing import Self

    from PIL.Image import Image as PillowImage

    from ..catalog import FileLimits, Model


class HoldsImage(Protocol):
    """A result of this package."""

    @property
    def content(self) -> bytes | None:
        """The bytes that are held."""

    def read(self) -> bytes | Awaitable[bytes]:
        """The bytes, fetched if they are not held."""


ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | HoldsImage | InputImage | PillowImage"
"""A path, bytes, an open binary file, a result of this package, or a Pillow image."""

LARGEST = 50 * 1024 * 1024
"""Bytes: no known host takes a larger input image."""

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
        except ValueError as problem:
            raise InvalidRequestError(
                f"{field} is not a usable image: {problem}; {_FIX}", field=field
            ) from None


def read_input(source: ImageSource, field: str = "image") -> InputImage:
    """Read one image from wherever the caller has it; a result that holds only its URL is fetched.

    Raises `InvalidRequestError` if it is no image, `OSError` (the built-in ones) if a file cannot be read,
    `DownloadError` for a result that cannot be fetched.
    """
    if isinstance(source, InputImage):
        return attrs.evolve(source, field=field)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return InputImage.of(bytes(source), field)
    if isinstance(source, (str, os.PathLike)):
        return InputImage.of(_read_file(source, field), field)
    held = getattr(source, "content", None)
    if isinstance(held, bytes):
        return InputImage.of(held, field)
    if hasattr(source, "expires_at"):  # a result of ours that holds only its URL
        fetched = cast(HoldsImage, source).read()
        if isinstance(fetched, bytes):
            return InputImage.of(fetched, field)
        fetched.close()  # type: ignore[attr-defined] # or the coroutine complains later
        raise InvalidRequestError(
            f"{field} is an AsyncImageResult whose bytes are not held: await its read() first", field=field
        )
    if hasattr(source, "save") and hasattr(source, "getbands"):
        return InputImage.of(_png_of(cast("PillowImage", source), field), field)
    if hasattr(source, "read"):
        return InputImage.of(_read_stream(cast(BinaryIO, source), field), field)
    raise InvalidRequestError(
        f"{field} must be a path, bytes, a binary file, a result or a Pillow image; "
        f"it is {type(source).__name__}",
        field=field,
    )


read_input.__module__ = "dalle2"


def _read_file(path: str | os.PathLike[str], field: str) -> bytes:
    if os.path.isdir(path):
        raise InvalidRequestError(f"{field} is a directory: {os.fspath(path)!r:.100}", field=field)
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except ValueError as problem:  # a path with a null character: often the image itself, read as text
        raise InvalidRequestError(f"{field} is no path: {problem}", field=field) from None


def _read_stream(stream: BinaryIO, field: str) -> bytes:
    """All that is left in an open file. One `read` may give less than was asked for: pipes do."""
    data = bytearray()
    while len(data) <= LARGEST:
        try:
            part: object = stream.read(LARGEST + 1 - len(data))
        except ValueError as problem:
            raise InvalidRequestError(f"{field} cannot be read: {problem}", field=field) from None
        if isinstance(part, str):
            raise InvalidRequestError(f"{field} is a text file: open it in binary mode ('rb')", field=field)
        if not isinstance(part, (bytes, bytearray, memoryview)):
            close = getattr(part, "close", None)  # an awaited file's coroutine would complain later
            if close is not None:
                close()
            raise InvalidRequestError(
                f"{field} is no plain binary file: its read() gave {type(part).__name__}", field=field
            )
        if not part:
            break
        data += part
    return bytes(data)


def _png_of(picture: PillowImage, field: str) -> bytes:
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format="PNG")
    except (OSError, ValueError) as problem:  # cut off, already closed, or of a mode that PNG has not
        raise InvalidRequestError(
            f"{field} cannot be written as PNG: {problem} (image.convert('RGBA') may help)", field=field
        ) from None
    return buffer.getvalue()


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


def check_inputs(model: Model, images: Sequence[InputImage], mask: InputImage | None) -> None:
    """Check the images of a request against what `model` takes. Raises `InvalidRequestError`."""
    limits = model.images
    if limits is not None:
        if len(images) > limits.most:
            most = "exactly one image" if limits.most == 1 else f"1 to {limits.most} images"
            raise InvalidRequestError(f"{len(images)} images given, {model.name} takes {most}", field="image")
        for image in images:
            _check_file(model.name, image, limits)
    if mask is None or model.mask is None:
        return
    _check_file(model.name, mask, model.mask)
    first = images[0].facts
    if (mask.facts.width, mask.facts.height) != (first.width, first.height):
        raise InvalidRequestError(
            f"mask is {mask.facts.width}x{mask.facts.height}, the image {first.width}x{first.height}: "
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
