"""What an order looks like: which picture is painted, in which file format.

The rule: the bytes are what they are said to be. PNG needs nothing; JPEG, WebP and GIF are made with
Pillow, and where Pillow is missing the request is refused instead of answered with another format.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import io
from collections.abc import Iterator

from . import _paint, _png
from . import _refusals as refuse
from ._order import Order

_PNG = b"\x89PNG\r\n\x1a\n"


def check_format(order: Order) -> None:
    """Refuse a format that cannot be made here."""
    needed = [order.output_format] if order.output_format in ("jpeg", "webp", "gif") else []
    needed += [image.media_type for image in order.images if not image.data.startswith(_PNG)]
    if needed and importlib.util.find_spec("PIL") is None:
        raise refuse.Refusal(
            f"The emulator needs Pillow for '{needed[0]}'. Install it, or use png.",
            code="invalid_value",
            param="output_format",
        )


def media_type(order: Order) -> str:
    """The media type of the order's pictures."""
    return "image/svg+xml" if order.output_format == "svg" else f"image/{order.output_format}"


def picture(order: Order, index: int) -> bytes:
    """The finished picture number `index`."""
    return _export(_draw(order, index, 1.0), order.output_format, order.compression)


def partials(order: Order, index: int) -> Iterator[bytes]:
    """The pictures before the finished one, each sharper than the one before."""
    for step in range(order.partials):
        detail = (step + 1) / (order.partials + 1)
        yield _export(_draw(order, index, detail), order.output_format, order.compression)


def is_image(data: bytes) -> bool:
    """Whether the bytes can be read as an image; without Pillow, anything but PNG is judged by
    its signature.
    """
    if data.startswith(_PNG):
        try:
            _png.decode(data)
        except ValueError:
            return False
        return True
    if not (data.startswith(b"\xff\xd8\xff") or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")):
        return False
    try:
        _to_png(data)
    except ImportError:
        return True
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def measure(data: bytes) -> tuple[int, int, bool]:
    """Width, height, and whether there is an alpha channel."""
    return _png.dimensions(_to_png(data))


@functools.lru_cache(maxsize=64)
def _draw(order: Order, index: int, detail: float) -> bytes:
    width, height = order.width, order.height
    if not order.images:
        return _paint.paint(order.prompt, width, height, index, detail=detail)
    source = _to_png(order.images[0].data)
    if order.operation == "vary":
        return _paint.variation(source, width, height, index)
    mask = _centre(source) if order.mask is None else order.mask.data
    # Further images cannot be seen in such a picture, but they must matter: they change the painted part.
    prompt = order.prompt + "".join(f" {len(image.data)}" for image in order.images[1:])
    finished = _paint.repaint(source, mask, prompt, width, height, index)
    return finished if detail >= 1 else _pixelate(finished, max(2, round(32 * (1 - detail))))


def _centre(source: bytes) -> bytes | None:
    """A mask for an opaque image without one: its middle is painted anew, so that both can be seen."""
    bitmap = _png.decode(source)
    if min(bitmap.alpha) < 255:
        return None
    width, height = bitmap.width, bitmap.height
    side = bytes(3) + b"\xff"
    left, hole = width // 4, width - 2 * (width // 4)
    band = side * left + bytes(4 * hole) + side * left
    edge = side * width
    rows = [edge if not height // 4 <= y < height - height // 4 else band for y in range(height)]
    return _png.encode(_png.Bitmap(width, height, 4, b"".join(rows)))


def _pixelate(png: bytes, block: int) -> bytes:
    """The picture in squares of `block` pixels: how an edit looks before it is finished."""
    bitmap = _png.decode(png)
    width, height, stride = bitmap.width, bitmap.height, bitmap.width * 4
    pixels = bitmap.rgba
    rows = []
    for top in range(0, height, block):
        line = pixels[top * stride : (top + 1) * stride]
        coarse = b"".join(line[left * 4 : left * 4 + 4] * block for left in range(0, width, block))[:stride]
        rows.append(coarse * min(block, height - top))
    return _png.encode(_png.Bitmap(width, height, 4, b"".join(rows)))


def _to_png(data: bytes) -> bytes:
    if data.startswith(_PNG):
        return data
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGBA").save(out, "PNG")
    return out.getvalue()


def _export(png: bytes, output_format: str, compression: int) -> bytes:
    if output_format == "png":
        return png
    if output_format == "svg":
        width, height, _ = _png.dimensions(png)
        text = base64.b64encode(png).decode()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
            f'<image width="{width}" height="{height}" href="data:image/png;base64,{text}"/></svg>'
        ).encode()
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        # `output_compression` 100 is the vendor's default and means the best quality.
        image.convert("RGB").save(out, output_format.upper(), quality=max(compression, 1))
    return out.getvalue()
