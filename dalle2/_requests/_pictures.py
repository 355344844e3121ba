"""Pictures made fit to be sent: a square RGBA PNG under 4 MB, a mask from a box, an image scaled down.

The rule: what comes back passes the checks of dall-e-2, or an error says why it cannot. Transparency means
"repaint this" to an edit, so nothing becomes transparent that the caller did not ask for: padding is opaque
unless told otherwise. Pillow (extra `pillow`) is imported only when it is needed; a mask for a known size
needs none.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Literal

from .._image._media import ImageError, facts
from ..errors import InvalidRequestError
from ._opened import opened, picture_bytes, png, resized
from ._orientation import orientation_of
from ._sources import is_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

    from ._opened import PictureSource

BELOW_BYTES = 4_000_000  # "less than 4 MB" in both readings of MB
_FIRST_SIDE = 2048  # dall-e-2 draws 1024x1024 at most: more detail than this is never seen
_SIDES = range(16, 4097)
_LARGEST_MASK = 8192
_ORIENTATION = 0x0112
_SIDEWAYS = range(5, 9)
"""The orientations under which width and height are swapped."""


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
    picture = opened(source)
    colour = _colour(fill)
    if mask_box is not None:
        picture.paste((0, 0, 0, 0), _check_box(mask_box, picture.size, "mask_box"))
    side = min(picture.size) if fit == "crop" else max(picture.size)
    square = _square(picture, fit, colour, size or min(side, _FIRST_SIDE))
    if mask_box is not None and square.getchannel("A").getextrema()[0]:
        raise InvalidRequestError(
            "mask_box lies outside the middle that fit='crop' keeps, or is too small at this size: "
            "use fit='pad', or choose another",
            field="mask_box",
        )
    data = png(square)
    if size is not None and len(data) >= BELOW_BYTES:
        raise InvalidRequestError(
            f"at {size}x{size} this picture has {len(data)} bytes, and less than 4 MB are taken: "
            "choose a smaller size, or leave size out to get the largest that fits",
            field="size",
        )
    while len(data) >= BELOW_BYTES:
        # The number of bytes goes with the area; a little less than computed, so that one more round is rare.
        side = int(square.width * (BELOW_BYTES / len(data)) ** 0.5 * 0.97)
        square = resized(square, side, side)
        data = png(square)
    return data


prepare_image.__module__ = "dalle2"


def mask_from_box(image: int | tuple[int, int] | PictureSource, box: tuple[int, int, int, int]) -> bytes:
    """A mask for an edit: a PNG, opaque but for the box (left, top, right, bottom), which gets repainted.

    `image` is the picture that the mask belongs to, or its size: a side in pixels, or (width, height). A
    mask has the same size as its image. The box counts in pixels of the picture as a viewer shows it: a
    photograph that its EXIF data turns is upright, as `prepare_image` makes it. Pillow is needed only for a
    picture that this package cannot measure itself. Raises `InvalidRequestError` for a box outside the
    picture, `ConfigurationError` where Pillow is needed and missing, and the built-in `OSError` if a file
    cannot be read.
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


def _square(picture: Image, fit: str, colour: tuple[int, ...], side: int) -> Image:
    """Scaled before it is padded: of a strip of a million pixels, the square would have a million million."""
    from PIL import Image

    width, height = picture.size
    if fit == "crop":
        middle = min(width, height)
        left, top = (width - middle) // 2, (height - middle) // 2
        return resized(picture.crop((left, top, left + middle, top + middle)), side, side)
    factor = side / max(width, height)
    picture = resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    canvas = Image.new("RGBA", (side, side), colour)
    canvas.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return canvas


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
    width, height = _upright_size(image)
    if max(width, height) > _LARGEST_MASK:
        raise InvalidRequestError(
            f"image is {width}x{height}, and a mask has at most {_LARGEST_MASK} pixels on a side: make the "
            "picture smaller first",
            field="image",
        )
    return width, height


def _upright_size(image: PictureSource) -> tuple[int, int]:
    """Width and height as a viewer shows the picture."""
    if is_pillow(image):
        size, turn = image.size, image.getexif().get(_ORIENTATION)
    else:
        data = picture_bytes(image)
        try:
            known = facts(data)
        except ImageError:
            return opened(data).size
        if known.media_type == "image/avif":  # its container turns it, in a way of its own
            return opened(data).size
        size, turn = (known.width, known.height), orientation_of(data)
    return (size[1], size[0]) if turn in _SIDEWAYS else size


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
