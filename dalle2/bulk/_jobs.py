"""A job: an id, a request, and what the caller keeps about it; and how a request is kept as text.

The rule: an id names one job for good, and two requests are the same if and only if they are kept as the same
text. Images that a request carries are kept once each, under the hash of their bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

import attrs

from .._requests._inputs import InputImage
from .._requests._values import KINDS, BaseRequest, GenerateRequest, Request, parameters
from ..errors import InvalidRequestError

Keep: TypeAlias = Callable[[str, bytes], None]
Find: TypeAlias = Callable[[str], bytes]

LONGEST_ID = 200


class RowError(InvalidRequestError):
    """A row or job that cannot be used; nothing was spent. `row` counts data rows from 1, `column` is the one
    at fault, if it is one.
    """

    __module__ = "dalle2.bulk"

    def __init__(
        self,
        message: str,
        *,
        row: int,
        column: str | None = None,
        field: str | None = None,
        allowed: Iterable[object] | None = None,
    ) -> None:
        super().__init__(message, field=field, allowed=None if allowed is None else tuple(allowed))
        self.row = row
        self.column = column


def _check_id(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_ID:
        raise InvalidRequestError(
            f"id must be a text of 1 to {LONGEST_ID} characters; it is {value!r:.60}", field="id"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("id holds half of a surrogate pair", field="id") from None


def _check_request(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, BaseRequest):
        raise InvalidRequestError(
            "request must be a GenerateRequest, EditRequest or VariationRequest; "
            f"it is a {type(value).__name__}",
            field="request",
        )


def _check_meta(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"meta must be a mapping; it is a {type(value).__name__}", field="meta")


@attrs.frozen
class Job:
    """One request of many. `id` names it in the journal, `meta` is kept beside it and never sent.

    Raises `InvalidRequestError`.
    """

    __module__ = "dalle2.bulk"

    id: str = attrs.field(validator=_check_id)
    request: Request = attrs.field(validator=_check_request)
    meta: Mapping[str, object] = attrs.field(factory=dict, validator=_check_meta, repr=False)


def numbered(jobs: Iterable[Job | str]) -> Iterator[tuple[int, Job]]:
    """Jobs with their numbers from 1; a plain prompt is a job whose id is its number."""
    for row, job in enumerate(jobs, 1):
        if isinstance(job, str):
            try:
                job = Job(str(row), GenerateRequest(prompt=job))
            except InvalidRequestError as error:
                raise RowError(f"job {row}: {error}", row=row, field=error.field) from None
        if not isinstance(job, Job):
            raise RowError(
                f"job {row} must be a Job or a prompt; it is a {type(job).__name__}", row=row, field="jobs"
            )
        yield row, job


def dump_request(request: Request, keep: Keep) -> str:
    """A request as text; its images go to `keep` by name. Raises `InvalidRequestError`."""
    document: dict[str, object] = {"operation": request.operation, **parameters(request)}
    images = getattr(request, "image", ())
    if images:
        document["image"] = [_dump_image(image, keep) for image in images]
    mask = getattr(request, "mask", None)
    if mask is not None:
        document["mask"] = _dump_image(mask, keep)
    if request.extra_body:
        document["extra_body"] = request.extra_body
    try:
        return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise InvalidRequestError(
            f"extra_body must hold plain JSON values: {problem}", field="extra_body"
        ) from None


def _dump_image(image: InputImage, keep: Keep) -> str:
    name = hashlib.sha256(image.data).hexdigest()
    keep(name, image.data)
    return name


def load_request(text: str, find: Find) -> Request:
    """The request that `dump_request` made the text of."""
    document: dict[str, Any] = json.loads(text)
    kind = KINDS[document.pop("operation")]
    if "image" in document:
        document["image"] = [InputImage.of(find(name)) for name in document["image"]]
    if "mask" in document:
        document["mask"] = InputImage.of(find(document["mask"]), "mask")
    return cast("Request", kind(**document))


def dump_meta(meta: Mapping[str, object]) -> str:
    """What is kept beside a job, as text: values that JSON has not become texts."""
    return json.dumps({str(name): value for name, value in meta.items()}, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    item = getattr(value, "item", None)  # a NumPy scalar
    if callable(item) and not getattr(value, "ndim", 0):
        found = item()
        if isinstance(found, (str, int, float, bool)):
            return cast("object", found)
    return str(value)
