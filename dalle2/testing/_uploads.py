"""Checks of the uploaded images and the mask, with the vendor's answers.

The rule: dall-e-2 takes exactly one square PNG under 4 MB as a part named `image`; GPT image models take 1
to 16 PNG, JPEG or WebP files. Bytes are believed, file names are not.
"""

from __future__ import annotations

import attrs

from . import _refusals as refuse
from ._forms import Form, Upload, read_data_url
from ._order import Order
from ._pictures import is_image, measure

_SMALL = 4 * 1024 * 1024
_LARGE = 50 * 1024 * 1024
_MODES = "['RGBA', 'LA', 'L']"
_GPT_TYPES = ("image/jpeg", "image/png", "image/webp")


def check_uploads(form: Form, order: Order) -> Order:
    """The order with its images and mask, or the refusal that fits."""
    if order.model.family == "gpt-image":
        return _check_gpt(form, order)
    if "image[]" in form.names() or len(form.files.get("image", [])) > 1:
        raise refuse.invalid_type("image", "a file", "an array")
    image = _single(form, "image")
    if image is None:
        raise refuse.missing_parameter("image")
    width, height, has_alpha = _small_png(image)
    if width != height:
        raise refuse.schema_error("Uploaded image must be square.")
    if order.operation == "vary":
        return attrs.evolve(order, images=(image,))
    mask = _single(form, "mask")
    if mask is None:
        if not has_alpha:
            raise refuse.schema_error(f"Invalid input image - format must be in {_MODES}, got RGB.")
        return attrs.evolve(order, images=(image,))
    _check_mask(mask, (width, height))
    return attrs.evolve(order, images=(image,), mask=mask)


def _check_gpt(form: Form, order: Order) -> Order:
    if form.is_json:
        images, mask = _from_json(form)
    else:
        images = form.files.get("image[]", []) + form.files.get("image", [])
        mask = _single(form, "mask")
        for name in ("image", "image[]"):
            if name in form.values:
                raise refuse.invalid_type(name, "a file", "a string")
    if not images:
        raise refuse.missing_parameter("images" if form.is_json else "image")
    if len(images) > 16:
        raise refuse.Refusal(
            "Invalid 'image': array too long. Expected an array with maximum length 16, but got an array "
            "with length "
            f"{len(images)} instead.",
            code="array_above_max_length",
            param="image",
        )
    for number, image in enumerate(images, 1):
        if image.media_type not in _GPT_TYPES:
            raise refuse.unsupported_mimetype("image", image.media_type, _GPT_TYPES)
        if len(image.data) >= _LARGE or not is_image(image.data):
            raise refuse.invalid_image_file(number)
    if mask is not None:
        _check_mask(mask, measure(images[0].data)[:2])
    return attrs.evolve(order, images=tuple(images), mask=mask)


def _from_json(form: Form) -> tuple[list[Upload], Upload | None]:
    listed = form.values.get("images")
    if listed is not None and not isinstance(listed, list):
        raise refuse.invalid_type("images", "an array of objects", "an object")
    images = [_reference(f"images[{index}]", item) for index, item in enumerate(listed or [])]
    mask = form.values.get("mask")
    return images, None if mask is None else _reference("mask", mask)


def _reference(name: str, item: object) -> Upload:
    if not isinstance(item, dict) or len(item.keys() & {"image_url", "file_id"}) != 1:
        raise refuse.Refusal(
            f"Invalid '{name}': expected an object with exactly one of 'image_url' and 'file_id'.",
            code="invalid_value",
            param=name,
        )
    if "file_id" in item:
        raise refuse.Refusal(f"No such File object: {item['file_id']}", 404, param="file_id")
    return read_data_url(f"{name}.image_url", item["image_url"])


def _single(form: Form, name: str) -> Upload | None:
    if name in form.values:
        raise refuse.invalid_type(name, "a file", "a string")
    files = form.files.get(name, [])
    if len(files) > 1:
        raise refuse.invalid_type(name, "a file", "an array")
    return files[0] if files else None


def _small_png(upload: Upload) -> tuple[int, int, bool]:
    if upload.media_type != "image/png":
        raise refuse.unsupported_mimetype(upload.name, upload.media_type, ("image/png",))
    if (
        len(upload.data) >= _SMALL
        or not upload.data.startswith(b"\x89PNG\r\n\x1a\n")
        or not is_image(upload.data)
    ):
        raise refuse.not_a_small_png()
    return measure(upload.data)


def _check_mask(mask: Upload, expected: tuple[int, int]) -> None:
    width, height, has_alpha = _small_png(mask)
    if (width, height) != expected:
        raise refuse.schema_error(
            f"Invalid mask image - expected dimensions {expected}, got {(width, height)}. The mask and the "
            "image must "
            "have the same size."
        )
    if not has_alpha:
        raise refuse.schema_error(f"Invalid input mask - format must be in {_MODES}, got RGB.")
