"""What came, in the official shape: as plain values, and as the SDK's raw response.

With a successor in place of a DALL·E model, an image that came as bytes is a data URI where a URL was
expected. The text of a raw response is the JSON of these values: byte for byte what the host wrote is
not kept.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    import httpx

    from .._money import Usage
    from .._results import BaseImages
    from .._results._awaited import AsyncImageResult
    from .._results._blocking import ImageResult
    from ._arguments import Order

T = TypeVar("T")


class Answered(NamedTuple):
    """An answer: the values of its JSON, its headers, where it came from, and how long that took."""

    values: dict[str, Any]
    headers: Mapping[str, str]
    url: str
    seconds: float = 0.0


def answered(
    images: BaseImages[ImageResult] | BaseImages[AsyncImageResult], order: Order, url: str, seconds: float
) -> Answered:
    """The answer of an image call."""
    asked = next((str(one.asked) for one in images.adaptations if one.field == "model"), "")
    as_uri = asked.startswith("dall-e") and order.asked_format != "b64_json"
    task = isinstance(images.extra.get("result"), Mapping)  # Azure's, of which the SDK gives the result
    values: dict[str, Any] = {"created": int(images.created.timestamp())} | (
        {} if task else dict(images.extra)
    )
    values["data"] = [_item(image, as_uri) for image in images]
    if images.usage is not None:
        values["usage"] = usage_values(images.usage)
    return Answered(values, images.headers, url, seconds)


def _item(image: ImageResult | AsyncImageResult, as_uri: bool) -> dict[str, Any]:
    url, encoded = image.url, image.b64_json
    if as_uri and encoded is not None:
        url, encoded = f"data:{image.media_type or 'image/png'};base64,{encoded}", None
    said = {"b64_json": encoded, "revised_prompt": image.revised_prompt, "url": url, **image.extra}
    return {name: value for name, value in said.items() if value is not None}


def usage_values(usage: Usage) -> dict[str, Any]:
    """The tokens as the host nests them."""
    taken = {"image_tokens": usage.image_tokens_in, "text_tokens": usage.text_tokens_in}
    given = {"image_tokens": usage.image_tokens_out, "text_tokens": usage.text_tokens_out}
    values = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {name: count for name, count in taken.items() if count is not None} or None,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "output_tokens_details": {name: count for name, count in given.items() if count is not None} or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def http_answer(
    library: str, status: int, headers: Mapping[str, str], text: str, request: object = None
) -> httpx.Response:
    """An answer as an HTTP library shows one."""
    lost = ("content-encoding", "content-length", "transfer-encoding")  # said of the bytes that came
    kept = {name: value for name, value in headers.items() if name not in lost}
    made: httpx.Response = importlib.import_module(library).Response(
        status, headers=kept, content=text.encode(), request=request
    )
    return made


class RawResponse(Generic[T]):
    """What `with_raw_response` gives: `parse()` is the usual answer, beside it status, headers and text."""

    status_code = 200
    retries_taken = 0
    is_closed = True
    method = "POST"
    http_version = "HTTP/1.1"

    def __init__(self, answer: Answered, shape: Callable[[Answered], T], library: str = "httpx") -> None:
        self._answer = answer
        self._parsed = shape(answer)
        self._library = library

    def parse(self) -> T:
        """The answer as the call alone gives it."""
        return self._parsed

    @property
    def request_id(self) -> str | None:
        """The host's name for the call."""
        found: str | None = self.headers.get("x-request-id")
        return found

    @property
    def headers(self) -> httpx.Headers:
        """The answer's headers."""
        return self.http_response.headers

    @property
    def http_request(self) -> httpx.Request:
        """What was asked, without headers and body."""
        return self.http_response.request

    @property
    def http_response(self) -> httpx.Response:
        """The answer as the HTTP library shows one."""
        values, headers, url, seconds = self._answer
        request = importlib.import_module(self._library).Request("POST", url)
        text = json.dumps(values, ensure_ascii=False)
        made = http_answer(self._library, self.status_code, headers, text, request)
        made.elapsed = timedelta(seconds=seconds)
        return made

    @property
    def elapsed(self) -> timedelta:
        """How long the answer took, repeats included."""
        return timedelta(seconds=self._answer.seconds)

    @property
    def text(self) -> str:
        """The answer as JSON."""
        return self.http_response.text

    @property
    def content(self) -> bytes:
        """The answer as JSON."""
        return self.http_response.content

    @property
    def url(self) -> httpx.URL:
        """What was called."""
        return self.http_request.url

    def json(self) -> Any:
        """The answer as plain values."""
        return self.http_response.json()
