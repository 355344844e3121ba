"""Pictures in Pillow's hands: opened upright and unharmed, written again, brought to a size.

The rule: how many pixels a picture has is asked before they are unpacked, since twenty kilobytes can hold
gigabytes; and whatever goes wrong in there is an error of this package. Pillow (extra `pillow`) is imported
only when it is needed.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from .._image._media import ImageError, described, facts, size_of
from ..errors import ConfigurationError, InvalidRequestError
from ._sources import is_pillow, read_source

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.Image import Image as PillowImage

PictureSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | PillowImage"
"""A path, bytes, base64 or a data URI, an open binary file, a result of this package, or a Pillow image."""

_MOST_PIXELS = 64_000_000
"""More than a telephone's camera makes, and half a gigabyte while it is worked on."""
_LARGEST_FILE = 512 * 1024 * 1024
_QUALITY = 95
"""Of JPEG and WebP: nothing of what the model drew is to be seen missing."""
_PLUGINS = {
    "HEIC": "pip install pillow-heif and call pillow_heif.register_heif_opener(), or save it as PNG or JPEG",
    "AVIF": "Pillow reads it from 11.3 on; or save it as PNG or JPEG",
}


def opened(source: PictureSource) -> Image:
    """The picture, upright, as RGBA. Raises `InvalidRequestError` for what is none, or is too large."""
    require_pillow()
    from PIL import Image, ImageOps

    data = b"" if is_pillow(source) else picture_bytes(source)
    try:
        check_pixels(source.size if is_pillow(source) else size_of(data))
        picture = source if is_pillow(source) else Image.open(io.BytesIO(data))
        check_pixels(picture.size)
        return _rgba(ImageOps.exif_transpose(picture))
    except InvalidRequestError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many("") from None
    except Exception as problem:  # a damaged file makes the decoders of Pillow raise nearly anything
        kind = described(data[:512])
        way = next(
            (way for name, way in _PLUGINS.items() if name in str(kind)), "save it as PNG or JPEG first"
        )
        raise InvalidRequestError(
            f"this is not a picture that can be read ({f'{kind}: ' if kind else ''}{problem!s:.100}): {way}",
            field="image",
        ) from None


def png_of(picture: Image, field: str) -> bytes:
    """A Pillow image as a PNG, turned upright. Raises `InvalidRequestError`."""
    from PIL import ImageOps

    check_pixels(picture.size, field)
    try:
        return png(ImageOps.exif_transpose(picture))
    except Exception as problem:  # cut off, already closed, or of a mode that PNG has not
        raise InvalidRequestError(
            f"{field} cannot be written as PNG: {problem!s:.100} (image.convert('RGBA') may help)",
            field=field,
        ) from None


def scaled_image(data: bytes, width: int, height: int, media_type: str) -> bytes:
    """The image at this size (Lanczos), as PNG, JPEG or WebP; what already is that comes back as it is.

    Raises `InvalidRequestError` if it is no image, `ConfigurationError` without Pillow.
    """
    try:
        known = facts(data)
    except ImageError as problem:
        raise InvalidRequestError(
            f"this is not an image that can be scaled: {problem}", field="image"
        ) from None
    if known.media_type == media_type and (known.width, known.height) == (width, height):
        return data
    picture = opened(data)
    if media_type == "image/jpeg" or not known.has_alpha:
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    quality = {} if media_type == "image/png" else {"quality": _QUALITY}
    resized(picture, width, height).save(buffer, format=media_type.partition("/")[2], **quality)
    return buffer.getvalue()


def require_pillow() -> None:
    """Raise a `ConfigurationError` that names the extra if Pillow is missing; ask before a paid call."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ConfigurationError("this needs Pillow: pip install 'dalle2-sdk[pillow]'") from None


def check_pixels(size: tuple[int, int] | None, field: str = "image") -> None:
    if size is not None and size[0] * size[1] > _MOST_PIXELS:
        raise _too_many(f"{size[0]}x{size[1]}, ", field)


def _too_many(size: str, field: str = "image") -> InvalidRequestError:
    return InvalidRequestError(
        f"{field} has too many pixels to be opened safely ({size}more than "
        f"{_MOST_PIXELS // 1_000_000} million): make it smaller first; no model sees more than a few "
        "thousand on a side",
        field=field,
    )


def picture_bytes(source: object) -> bytes:
    data = read_source(source, "image", _LARGEST_FILE)
    if not data:
        raise InvalidRequestError(
            "image is empty: no bytes (was the file already read to its end?)", field="image"
        )
    if len(data) > _LARGEST_FILE:
        raise InvalidRequestError(f"image has more than {_LARGEST_FILE} bytes", field="image")
    return data


def _rgba(picture: Image) -> Image:
    if picture.mode.startswith("I"):
        # 16 bits a pixel: Pillow would clip them, so they are brought to 8 first.
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("RGBA")


def resized(picture: Image, width: int, height: int) -> Image:
    from PIL import Image

    return (
        picture
        if picture.size == (width, height)
        else picture.resize((width, height), Image.Resampling.LANCZOS)
    )


def png(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
