"""Pictures made fit to be sent: a square RGBA PNG under 4 MB, a mask from a box, an image scaled down.

The rule: what comes back passes the checks of dall-e-2, or an error says why it cannot. Transparency means
"repaint this" to an edit, so nothing becomes transparent that the caller did not ask for: padding is opaque
unless told otherwise. Pillow (extra `pillow`) is imported only when it is needed; a mask for a known size
needs none.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias, cast

from .._image._media import ImageError, facts
from ..errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from PIL.Image import Image

PictureSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image"
"""A path, bytes, an open binary file, or a Pillow image."""

BELOW_BYTES = 4_000_000  # "less than 4 MB" in both readings of MB
_FIRST_SIDE = 2048  # dall-e-2 draws 1024x1024 at most: more detail than this is never seen
_SIDES = range(16, 4097)
_LARGEST_MASK = 8192


def prepare_image(
    source: PictureSource,
    *,
    size: int | None = None,
    fit: Literal["pad", "crop"] = "pad",
    fill: str = "white",
    mask_box: tuple[int, int, int, int] | None = None,
) -> bytes:
    """Make any picture one that dall-e-2 takes: a square RGBA PNG of less than 4 MB, turned upright by EXIF.

    `size` is the side in pixels; unsaid, it is that of the picture, made smaller as far as 4 MB ask for it.
    `fit` is how it becomes square: `"pad"` adds borders of the colour `fill` (a name or `"#rrggbb"`;
    `"transparent"` lets an edit paint them), `"crop"` keeps the middle. `mask_box` is (left, top, right,
    bottom) in pixels of the upright picture: this part becomes transparent, so that an edit without a mask
    repaints it.

    Raises `InvalidRequestError` if it is no picture or cannot be made to fit, `ConfigurationError` without
    Pillow, and the built-in `OSError` if a file cannot be read.
    """
    _check_choices(size, fit)
    picture = _open(source)
    colour = _colour(fill)
    if mask_box is not None:
        picture.paste((0, 0, 0, 0), _check_box(mask_box, picture.size, "mask_box"))
    square = _square(picture, fit, colour)
    if mask_box is not None and square.getchannel("A").getextrema()[0]:
        raise InvalidRequestError(
            "mask_box lies outside the middle that fit='crop' keeps: use fit='pad', or move it",
            field="mask_box",
        )
    if size is not None:
        data = _png(_scaled(square, size, size))
        if len(data) >= BELOW_BYTES:
            raise InvalidRequestError(
                f"at {size}x{size} this picture has {len(data)} bytes, and less than 4 MB are taken: "
                "choose a smaller size, or leave size out to get the largest that fits",
                field="size",
            )
        return data
    side = min(square.width, _FIRST_SIDE)
    data = _png(_scaled(square, side, side))
    while len(data) >= BELOW_BYTES:
        # The number of bytes goes with the area; a little less than computed, so that one more round is rare.
        side = int(side * (BELOW_BYTES / len(data)) ** 0.5 * 0.97)
        data = _png(_scaled(square, side, side))
    return data


prepare_image.__module__ = "dalle2"


def mask_from_box(image: int | tuple[int, int] | PictureSource, box: tuple[int, int, int, int]) -> bytes:
    """A mask for an edit: a PNG, opaque but for the box (left, top, right, bottom), which gets repainted.

    `image` is the picture that the mask belongs to, or its size: a side in pixels, or (width, height). A
    mask has the same size as its image. Pillow is needed only for a picture that this package cannot
    measure itself. Raises `InvalidRequestError` for a box outside the picture.
    """
    width, height = _size_of(image)
    left, top, right, bottom = _check_box(box, (width, height))
    opaque = b"\0" + b"\0\0\0\xff" * width
    holed = b"\0" + b"\0\0\0\xff" * left + b"\0\0\0\0" * (right - left) + b"\0\0\0\xff" * (width - right)
    packer = zlib.compressobj(9)
    body = [packer.compress(holed if top <= row < bottom else opaque) for row in range(height)]
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(body) + packer.flush()) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


mask_from_box.__module__ = "dalle2"


def scale_png(data: bytes, width: int, height: int) -> bytes:
    """The image as a PNG of exactly this size (Lanczos); what already is one comes back as it is.

    Raises `InvalidRequestError` if it is no image, `ConfigurationError` without Pillow.
    """
    try:
        known = facts(data)
    except ImageError as problem:
        raise InvalidRequestError(
            f"this is not an image that can be scaled: {problem}", field="image"
        ) from None
    if known.media_type == "image/png" and (known.width, known.height) == (width, height):
        return data
    picture = _open(data)
    if not known.has_alpha:
        picture = picture.convert("RGB")
    return _png(_scaled(picture, width, height))


def require_pillow() -> None:
    """Raise a `ConfigurationError` that names the extra if Pillow is missing; ask before a paid call."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ConfigurationError("this needs Pillow: pip install 'dalle2-sdk[pillow]'") from None


def _open(source: PictureSource) -> Image:
    require_pillow()
    from PIL import Image, ImageOps

    data = None if isinstance(source, Image.Image) else _bytes_of(source)
    try:
        picture = source.copy() if isinstance(source, Image.Image) else Image.open(io.BytesIO(data or b""))
        return _rgba(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError:
        raise InvalidRequestError(
            "the picture has too many pixels to be opened safely", field="image"
        ) from None
    # A damaged file makes the decoders of Pillow raise nearly anything.
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, TypeError) as problem:
        raise InvalidRequestError(
            f"this is not a picture that can be read ({problem!s:.100}): save it as PNG or JPEG first",
            field="image",
        ) from None


def _bytes_of(source: object) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        data: object = bytes(source)
    elif isinstance(source, str | os.PathLike):
        if os.path.isdir(source):
            raise InvalidRequestError(f"image is a directory: {os.fspath(source)!r:.100}", field="image")
        with open(source, "rb") as file:
            data = file.read()
    elif hasattr(source, "read"):
        data = source.read()
    else:
        raise InvalidRequestError(
            f"image must be a path, bytes, a binary file or a Pillow image, not {type(source).__name__}",
            field="image",
        )
    if not isinstance(data, bytes):
        raise InvalidRequestError("image is a text file: open it in binary mode ('rb')", field="image")
    if not data:
        raise InvalidRequestError(
            "image is empty: no bytes (was the file already read to its end?)", field="image"
        )
    return data


def _rgba(picture: Image) -> Image:
    if picture.mode.startswith("I"):
        # 16 bits a pixel: Pillow would clip them, so they are brought to 8 first.
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("RGBA")


def _square(picture: Image, fit: str, colour: tuple[int, ...]) -> Image:
    from PIL import Image

    width, height = picture.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return picture.crop((left, top, left + side, top + side))
    side = max(width, height)
    canvas = Image.new("RGBA", (side, side), colour)
    canvas.paste(picture, ((side - width) // 2, (side - height) // 2))
    return canvas


def _scaled(picture: Image, width: int, height: int) -> Image:
    from PIL import Image

    return (
        picture
        if picture.size == (width, height)
        else picture.resize((width, height), Image.Resampling.LANCZOS)
    )


def _png(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _colour(fill: str) -> tuple[int, ...]:
    from PIL import ImageColor

    if fill == "transparent":
        return (0, 0, 0, 0)
    try:
        colour = ImageColor.getcolor(fill, "RGBA")
    except (ValueError, AttributeError, TypeError):
        raise InvalidRequestError(
            f"fill {fill!r:.40} is not a colour: use a name, '#rrggbb' or 'transparent'", field="fill"
        ) from None
    return colour if isinstance(colour, tuple) else (colour,)


def _check_choices(size: object, fit: str) -> None:
    if size is not None and (type(size) is not int or size not in _SIDES):
        raise InvalidRequestError(
            f"size must be a side in pixels from {_SIDES[0]} to {_SIDES[-1]}, not {size!r:.40}", field="size"
        )
    if fit not in ("pad", "crop"):
        raise InvalidRequestError(
            f"fit must be 'pad' or 'crop', not {fit!r:.40}", field="fit", allowed=("pad", "crop")
        )


def _check_box(box: object, size: tuple[int, int], field: str = "box") -> tuple[int, int, int, int]:
    width, height = size
    match box:
        case (int(left), int(top), int(right), int(bottom)):
            if 0 <= left < right <= width and 0 <= top < bottom <= height:
                return left, top, right, bottom
    raise InvalidRequestError(
        f"{field} must be (left, top, right, bottom) in pixels, left < right and top < bottom, inside "
        f"{width}x{height}; it is {box!r:.60}",
        field=field,
    )


def _size_of(image: int | tuple[int, int] | PictureSource) -> tuple[int, int]:
    if isinstance(image, int | tuple):
        match image:
            case int(side) if type(side) is int and 0 < side <= _LARGEST_MASK:
                return side, side
            case (int(width), int(height)) if 0 < width <= _LARGEST_MASK and 0 < height <= _LARGEST_MASK:
                return width, height
        raise InvalidRequestError(
            f"give the picture, its side or (width, height), at most {_LARGEST_MASK} each: {image!r:.40}",
            field="image",
        )
    if not isinstance(image, str | bytes | os.PathLike) and hasattr(image, "getbands"):
        return cast("Image", image).size
    data = _bytes_of(image)
    try:
        known = facts(data)
    except ImageError:
        return _open(data).size
    return known.width, known.height


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
