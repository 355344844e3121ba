"""The official SDK's image calls over this client: a script runs on with only its import changed.

`from dalle2.compat import OpenAI` stands for `from openai import OpenAI`, and `import dalle2.compat as openai` for a script of 2022
(`openai.Image.create`). No logic of its own: names are translated, everything else (retries, retired models, downloads) is the
client's. With `successor=...`, images of a living model come as data URIs where a URL is expected.

Differences that cannot be hidden: what is refused before sending is a `dalle2.InvalidRequestError`, and a call whose answer was
lost is a `dalle2.OutcomeUnknownError` (an `APIError`), because repeating it could cost money twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from ._async_client import AsyncClient
from ._client import Client
from .errors import APIConnectionError as APIConnectionError
from .errors import APIError as APIError
from .errors import APIStatusError as APIStatusError
from .errors import AuthenticationError as AuthenticationError
from .errors import BadRequestError as BadRequestError
from .errors import ConflictError as ConflictError
from .errors import ConnectTimeoutError as APITimeoutError
from .errors import Dalle2Error as OpenAIError
from .errors import InternalServerError as InternalServerError
from .errors import InvalidRequestError as InvalidRequestError
from .errors import NotFoundError as NotFoundError
from .errors import PermissionDeniedError as PermissionDeniedError
from .errors import RateLimitError as RateLimitError
from .errors import UnprocessableEntityError as UnprocessableEntityError
from .retry import RetryPolicy

if TYPE_CHECKING:
    from ._async_image_result import AsyncImageResult
    from ._image_result import ImageResult
    from ._money import Usage
    from ._results import BaseImages

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncOpenAI",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "Image",
    "ImagesResponse",
    "InternalServerError",
    "InvalidRequestError",
    "NotFoundError",
    "OpenAI",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "UnprocessableEntityError",
]


class _Fields:
    """Attributes that can also be asked for by key, as in 2022."""

    def __getitem__(self, name: str) -> object:
        if name.startswith("_") or not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)


@attrs.frozen
class ImageObject(_Fields):
    """One image, as the official SDK gives it."""

    url: str | None = attrs.field(repr=lambda url: repr(url and url[:60]))
    b64_json: str | None = attrs.field(repr=False)
    revised_prompt: str | None


@attrs.frozen
class ImagesResponse(_Fields):
    """An answer, as the official SDK gives it: `created` is Unix seconds."""

    created: int
    data: list[ImageObject]
    usage: Usage | None = None


def _response(
    images: BaseImages[ImageResult] | BaseImages[AsyncImageResult], response_format: object
) -> ImagesResponse:
    as_uri = bool(images.adaptations) and response_format != "b64_json"
    data = []
    for result in images:
        url, encoded = result.url, result.b64_json
        if as_uri and url is None and encoded is not None:
            url, encoded = f"data:{result.media_type or 'image/png'};base64,{encoded}", None
        data.append(ImageObject(url, encoded, result.revised_prompt))
    return ImagesResponse(int(images.created.timestamp()), data, images.usage)


def _given(values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments that were given: the official SDK's markers for "not given" count as left out."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and type(value).__name__ not in ("NotGiven", "Omit")
    }


def _bare(image: Any) -> Any:
    """An upload as our client takes it: the SDK's `(name, content, type)` is its content, since the bytes decide the rest."""
    if isinstance(image, list):
        return [_bare(one) for one in image]
    return image[1] if isinstance(image, tuple) else image


def _settings(
    max_retries: int, default_headers: Mapping[str, str] | None, options: Mapping[str, object]
) -> dict[str, Any]:
    return _given({"headers": default_headers, "retry": RetryPolicy(max_attempts=max_retries + 1), **options})


class Images:
    """`client.images`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def generate(self, *, prompt: str, response_format: str | None = None, **options: Any) -> ImagesResponse:
        """`Client.generate` under the official names."""
        images = self._client.generate(prompt, **_given({"response_format": response_format, **options}))
        return _response(images, response_format)

    def edit(
        self, *, image: Any, prompt: str, mask: Any = None, response_format: str | None = None, **options: Any
    ) -> ImagesResponse:
        """`Client.edit` under the official names."""
        given = _given({"mask": _bare(mask), "response_format": response_format, **options})
        return _response(self._client.edit(_bare(image), prompt, **given), response_format)

    def create_variation(
        self, *, image: Any, response_format: str | None = None, **options: Any
    ) -> ImagesResponse:
        """`Client.vary` under the official names."""
        given = _given({"response_format": response_format, **options})
        return _response(self._client.vary(_bare(image), **given), response_format)


class AsyncImages:
    """`client.images`, awaited."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def generate(
        self, *, prompt: str, response_format: str | None = None, **options: Any
    ) -> ImagesResponse:
        """`AsyncClient.generate` under the official names."""
        given = _given({"response_format": response_format, **options})
        return _response(await self._client.generate(prompt, **given), response_format)

    async def edit(
        self, *, image: Any, prompt: str, mask: Any = None, response_format: str | None = None, **options: Any
    ) -> ImagesResponse:
        """`AsyncClient.edit` under the official names."""
        given = _given({"mask": _bare(mask), "response_format": response_format, **options})
        return _response(await self._client.edit(_bare(image), prompt, **given), response_format)

    async def create_variation(
        self, *, image: Any, response_format: str | None = None, **options: Any
    ) -> ImagesResponse:
        """`AsyncClient.vary` under the official names."""
        given = _given({"response_format": response_format, **options})
        return _response(await self._client.vary(_bare(image), **given), response_format)


class OpenAI:
    """The official client's constructor and its `images`. Takes our own options too, such as `successor` and `provider`."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        max_retries: int = 2,
        default_headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._client = Client(api_key, **_settings(max_retries, default_headers, options))
        self.images = Images(self._client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncOpenAI:
    """`OpenAI`, awaited."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        max_retries: int = 2,
        default_headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._client = AsyncClient(api_key, **_settings(max_retries, default_headers, options))
        self.images = AsyncImages(self._client)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


# The module-level style of 2022: `openai.api_key = ...`, `openai.Image.create(...)["data"][0]["url"]`.
api_key: str | None = None
api_base: str | None = None
organization: str | None = None
successor: str | None = None


def _legacy() -> OpenAI:
    return OpenAI(api_key=api_key, base_url=api_base, organization=organization, successor=successor)


class Image:
    """`openai.Image` of 2022."""

    @staticmethod
    def create(**options: Any) -> ImagesResponse:
        """Make images."""
        with _legacy() as client:
            return client.images.generate(**options)

    @staticmethod
    def create_edit(**options: Any) -> ImagesResponse:
        """Repaint a part of an image."""
        with _legacy() as client:
            return client.images.edit(**options)

    @staticmethod
    def create_variation(**options: Any) -> ImagesResponse:
        """Make variations of an image."""
        with _legacy() as client:
            return client.images.create_variation(**options)


class error:  # noqa: N801
    """`openai.error` of 2022."""

    OpenAIError = OpenAIError
    APIError = APIError
    APIConnectionError = APIConnectionError
    AuthenticationError = AuthenticationError
    InvalidRequestError = BadRequestError
    PermissionError = PermissionDeniedError
    RateLimitError = RateLimitError
    ServiceUnavailableError = InternalServerError
    Timeout = APITimeoutError
