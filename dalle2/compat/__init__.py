"""The official SDK's image calls over this client: a script runs on with only its import changed.

`from dalle2.compat import OpenAI` stands for `from openai import OpenAI`, and
`import dalle2.compat as openai` for a script of 2022 (`openai.Image.create`). No logic of its own: names are
translated, everything else (retries, retired models, downloads) is the client's. With `successor=...`, or
the variable `DALLE2_SUCCESSOR` for a script that nobody wants to touch, a living model answers in place of a
retired one, and its images come as data URIs where a URL is expected.

One difference cannot be hidden: a call whose answer was lost is a `dalle2.OutcomeUnknownError` (an
`APIError`) and not an `APITimeoutError`, because a script that repeats it would pay twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from .._async_client import AsyncClient
from .._client import Client
from ..errors import APIConnectionError as APIConnectionError
from ..errors import APIError as APIError
from ..errors import APIStatusError as APIStatusError
from ..errors import AuthenticationError as AuthenticationError
from ..errors import BadRequestError as BadRequestError
from ..errors import ConflictError as ConflictError
from ..errors import ConnectTimeoutError as APITimeoutError
from ..errors import Dalle2Error as OpenAIError
from ..errors import InternalServerError as InternalServerError
from ..errors import NotFoundError as NotFoundError
from ..errors import PermissionDeniedError as PermissionDeniedError
from ..errors import RateLimitError as RateLimitError
from ..errors import UnprocessableEntityError as UnprocessableEntityError
from ..retry import RetryPolicy
from ._resource import AsyncImages as AsyncImages
from ._resource import CallOptions, EditOptions, GenerateOptions, given_of
from ._resource import Images as Images
from ._resource import ImagesResponse as ImagesResponse

if TYPE_CHECKING:
    from .._money import Budget
    from .._transport._callers import AsyncHttpClient, HttpClient
    from ..events import Listener
    from ..providers import Provider
    from ..settings import TimeoutArgument
    from ._resource import Upload


class ClientOptions(TypedDict, total=False):
    """The official constructor's arguments, and those of our own that a script may want."""

    organization: str | None
    project: str | None
    base_url: str | None
    timeout: TimeoutArgument
    max_retries: int
    default_headers: Mapping[str, str] | None
    provider: str | Provider | None
    successor: str | None
    budget: Budget | None
    on_event: Listener | None


def _settings(given: ClientOptions) -> dict[str, Any]:
    options = given_of({"successor": os.environ.get("DALLE2_SUCCESSOR") or None} | given_of(given))
    retry = RetryPolicy(max_attempts=options.pop("max_retries", 2) + 1)
    return options | {"headers": options.pop("default_headers", None), "retry": retry}


class OpenAI:
    """The official client's constructor and its `images`."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        http_client: HttpClient | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._client = Client(api_key, http_client=http_client, **_settings(options))
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
        http_client: AsyncHttpClient | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._client = AsyncClient(api_key, http_client=http_client, **_settings(options))
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
    base_url = api_base or os.environ.get("OPENAI_API_BASE") or None
    return OpenAI(api_key=api_key, base_url=base_url, organization=organization, successor=successor)


class Image:
    """`openai.Image` of 2022."""

    @staticmethod
    def create(*, prompt: str, **options: Unpack[GenerateOptions]) -> ImagesResponse:
        """Make images."""
        with _legacy() as client:
            return client.images.generate(prompt=prompt, **options)

    @staticmethod
    def create_edit(
        *, image: Upload, prompt: str, mask: Upload | None = None, **options: Unpack[EditOptions]
    ) -> ImagesResponse:
        """Repaint a part of an image."""
        with _legacy() as client:
            return client.images.edit(image=image, prompt=prompt, mask=mask, **options)

    @staticmethod
    def create_variation(*, image: Upload, **options: Unpack[CallOptions]) -> ImagesResponse:
        """Make variations of an image."""
        with _legacy() as client:
            return client.images.create_variation(image=image, **options)


class error:
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
