"""The multipart wire of edits and variations.

One image travels as the part `image`, several as repeated `image[]`; the mask as `mask`. A single image in
the array form is refused for dall-e-2 (https://github.com/AIProxyTeam/AIProxySwift/issues/211), and so is a
part of the type `application/octet-stream` (https://github.com/Comfy-Org/ComfyUI/pull/10552): each part is
named and typed by its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._http import FilePart, Form
from ._images import encode_value

if TYPE_CHECKING:
    from .._requests._inputs import InputImage


def encode_form(values: Mapping[str, object], images: Sequence[InputImage], mask: InputImage | None) -> Form:
    """Text fields in the order given, then the images, then the mask.

    Raises `InvalidRequestError` for a value that is no JSON.
    """
    name = "image" if len(images) == 1 else "image[]"
    files = [_part(name, image) for image in images]
    if mask is not None:
        files.append(_part("mask", mask))
    return Form(tuple((key, _text(key, value)) for key, value in values.items()), tuple(files))


def _part(name: str, image: InputImage) -> FilePart:
    return FilePart(name, image.filename, image.facts.media_type, image.data)


def _text(name: str, value: object) -> str:
    encoded = encode_value(name, value)
    return value if isinstance(value, str) else encoded
