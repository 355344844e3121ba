"""`client.images`, `client.models` and `client.moderations` under their official names, also awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, Unpack, overload
from urllib.parse import quote

from .._async_client import AsyncClient
from .._client import Client
from ._asking import OURS, ask, ask_async, ask_free, ask_free_async, refuse_streaming
from ._shapes import Answered
from .types import Model, ModelPage, ModerationCreateResponse

if TYPE_CHECKING:
    from ._arguments import CallOptions, EditOptions, GenerateOptions, RequestOptions, Upload
    from ._behind import Behind
    from ._shapes import RawResponse
    from ._streams import AsyncStream, Stream
    from .types import ImagesResponse

C = TypeVar("C")


class _Resource(Generic[C]):
    """A group of calls of one client."""

    def __init__(self, behind: Behind[C]) -> None:
        self._behind = behind

    @property
    def with_streaming_response(self) -> NoReturn:
        """Not here: an answer is whole when it is given, so that nothing paid for is lost."""
        refuse_streaming()


class Images(_Resource[Client]):
    """`client.images`."""

    @overload
    def generate(
        self, *, prompt: str, stream: Literal[True], **options: Unpack[GenerateOptions]
    ) -> Stream: ...
    @overload
    def generate(
        self, *, prompt: str, stream: Literal[False] | None = None, **options: Unpack[GenerateOptions]
    ) -> ImagesResponse: ...
    def generate(
        self, *, prompt: str, stream: bool | None = None, **options: Unpack[GenerateOptions]
    ) -> ImagesResponse | Stream:
        """`Client.generate` under the official names; with `stream=True`, `Client.stream`."""
        given = {"prompt": prompt, "stream": stream, **options}
        made: ImagesResponse | Stream = ask(self._behind, "generate", given, OURS)
        return made

    def edit(
        self,
        *,
        image: Upload | list[Upload],
        prompt: str,
        mask: Upload | None = None,
        stream: Literal[False] | None = None,
        **options: Unpack[EditOptions],
    ) -> ImagesResponse:
        """`Client.edit` under the official names."""
        given = {"image": image, "prompt": prompt, "mask": mask, "stream": stream, **options}
        made: ImagesResponse = ask(self._behind, "edit", given, OURS)
        return made

    def create_variation(self, *, image: Upload, **options: Unpack[CallOptions]) -> ImagesResponse:
        """`Client.vary` under the official names."""
        given = {"image": image, **options}
        made: ImagesResponse = ask(self._behind, "create_variation", given, OURS)
        return made

    @property
    def with_raw_response(self) -> RawImages:
        """The same calls, with the answer's headers beside it."""
        return RawImages(self._behind)


class RawImages(_Resource[Client]):
    """`client.images.with_raw_response`."""

    def generate(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`Images.generate`, raw."""
        raw: RawResponse[ImagesResponse] = ask(self._behind, "generate", options, OURS, raw=True)
        return raw

    def edit(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`Images.edit`, raw."""
        raw: RawResponse[ImagesResponse] = ask(self._behind, "edit", options, OURS, raw=True)
        return raw

    def create_variation(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`Images.create_variation`, raw."""
        raw: RawResponse[ImagesResponse] = ask(self._behind, "create_variation", options, OURS, raw=True)
        return raw


class AsyncImages(_Resource[AsyncClient]):
    """`client.images`, awaited."""

    @overload
    async def generate(
        self, *, prompt: str, stream: Literal[True], **options: Unpack[GenerateOptions]
    ) -> AsyncStream: ...
    @overload
    async def generate(
        self, *, prompt: str, stream: Literal[False] | None = None, **options: Unpack[GenerateOptions]
    ) -> ImagesResponse: ...
    async def generate(
        self, *, prompt: str, stream: bool | None = None, **options: Unpack[GenerateOptions]
    ) -> ImagesResponse | AsyncStream:
        """`AsyncClient.generate` under the official names; with `stream=True`, `AsyncClient.stream`."""
        given = {"prompt": prompt, "stream": stream, **options}
        made: ImagesResponse | AsyncStream = await ask_async(self._behind, "generate", given, OURS)
        return made

    async def edit(
        self,
        *,
        image: Upload | list[Upload],
        prompt: str,
        mask: Upload | None = None,
        stream: Literal[False] | None = None,
        **options: Unpack[EditOptions],
    ) -> ImagesResponse:
        """`AsyncClient.edit` under the official names."""
        given = {"image": image, "prompt": prompt, "mask": mask, "stream": stream, **options}
        made: ImagesResponse = await ask_async(self._behind, "edit", given, OURS)
        return made

    async def create_variation(self, *, image: Upload, **options: Unpack[CallOptions]) -> ImagesResponse:
        """`AsyncClient.vary` under the official names."""
        given = {"image": image, **options}
        made: ImagesResponse = await ask_async(self._behind, "create_variation", given, OURS)
        return made

    @property
    def with_raw_response(self) -> AsyncRawImages:
        """The same calls, with the answer's headers beside it."""
        return AsyncRawImages(self._behind)


class AsyncRawImages(_Resource[AsyncClient]):
    """`client.images.with_raw_response`, awaited."""

    async def generate(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`AsyncImages.generate`, raw."""
        raw: RawResponse[ImagesResponse] = await ask_async(self._behind, "generate", options, OURS, raw=True)
        return raw

    async def edit(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`AsyncImages.edit`, raw."""
        raw: RawResponse[ImagesResponse] = await ask_async(self._behind, "edit", options, OURS, raw=True)
        return raw

    async def create_variation(self, **options: Any) -> RawResponse[ImagesResponse]:
        """`AsyncImages.create_variation`, raw."""
        raw: RawResponse[ImagesResponse] = await ask_async(
            self._behind, "create_variation", options, OURS, raw=True
        )
        return raw


class _Paged:
    """A page to be fetched: awaited for the page itself, or iterated for its models."""

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, ModelPage]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, None, ModelPage]:
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[Model]:
        for model in (await self._fetch()).data:
            yield model


def _models(answer: Answered) -> ModelPage:
    return ModelPage(**answer.values)


def _model(answer: Answered) -> Model:
    return Model(**answer.values)


def _moderation(answer: Answered) -> ModerationCreateResponse:
    made = ModerationCreateResponse(**answer.values)
    made._request_id = answer.headers.get("x-request-id")
    return made


def _tail(model: str) -> str:
    return "/" + quote(model, safe=":")


class Models(_Resource[Client]):
    """`client.models`."""

    def list(self, **options: Unpack[RequestOptions]) -> ModelPage:
        """The host's models."""
        return ask_free(self._behind, "models", None, options, _models)

    def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """One of them. Raises `NotFoundError`."""
        return ask_free(self._behind, "models", None, options, _model, _tail(model))


class AsyncModels(_Resource[AsyncClient]):
    """`client.models`, awaited."""

    def list(self, **options: Unpack[RequestOptions]) -> _Paged:
        """The host's models, to be awaited or iterated."""
        return _Paged(lambda: ask_free_async(self._behind, "models", None, options, _models))

    async def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """One of them. Raises `NotFoundError`."""
        return await ask_free_async(self._behind, "models", None, options, _model, _tail(model))


class Moderations(_Resource[Client]):
    """`client.moderations`."""

    def create(
        self, *, input: object, model: str | None = None, **options: Unpack[RequestOptions]
    ) -> ModerationCreateResponse:
        """What the free endpoint says of a text, of several, or of a list of parts."""
        body: Mapping[str, object] = {"input": input, "model": model}
        return ask_free(self._behind, "moderate", body, options, _moderation)


class AsyncModerations(_Resource[AsyncClient]):
    """`client.moderations`, awaited."""

    async def create(
        self, *, input: object, model: str | None = None, **options: Unpack[RequestOptions]
    ) -> ModerationCreateResponse:
        """What the free endpoint says of a text, of several, or of a list of parts."""
        body: Mapping[str, object] = {"input": input, "model": model}
        return await ask_free_async(self._behind, "moderate", body, options, _moderation)
