"""`client.images` of the official SDK, blocking and awaited: options and answers by their official names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

import attrs

from ..errors import BadRequestError, InvalidRequestError

if TYPE_CHECKING:
    from .. import _types as t
    from .._async_client import AsyncClient
    from .._client import Client
    from .._money import Usage
    from .._requests._inputs import ImageSource
    from .._results import BaseImages
    from .._results._awaited import AsyncImageResult
    from .._results._blocking import ImageResult
    from ..settings import TimeoutArgument

    Upload: TypeAlias = (
        ImageSource | IO[bytes] | tuple[str, IO[bytes] | bytes] | tuple[str, IO[bytes] | bytes, str]
    )


class CallOptions(TypedDict, total=False):
    """What every image call takes; `None` is "not given", but for `timeout`, where it is "no limit"."""

    model: str | None
    n: int | None
    size: t.Size | None
    response_format: t.ResponseFormat | None
    user: str | None
    extra_headers: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: TimeoutArgument


class EditOptions(CallOptions, total=False):
    """What an edit takes besides."""

    quality: t.Quality | None
    background: t.Background | None
    moderation: t.ModerationLevel | None
    output_format: t.OutputFormat | None
    output_compression: int | None
    input_fidelity: t.InputFidelity | None


class GenerateOptions(CallOptions, total=False):
    """What a generation takes besides."""

    quality: t.Quality | None
    style: t.Style | None
    background: t.Background | None
    moderation: t.ModerationLevel | None
    output_format: t.OutputFormat | None
    output_compression: int | None


class RefusedRequestError(BadRequestError, InvalidRequestError):
    """Refused before sending. The official SDK knows it as a bad request; it has no `status_code`."""

    def __init__(self, refused: InvalidRequestError) -> None:
        InvalidRequestError.__init__(self, refused.message, field=refused.field, allowed=refused.allowed)
        self.type, self.param, self.headers = "invalid_request_error", refused.field, {}
        self.status_code = self.code = self.request_id = self.retry_after = self.idempotency_key = None
        self.body, self.repeatable, self.attempts = None, False, 0


@contextmanager
def _as_bad_request() -> Iterator[None]:
    try:
        yield
    except InvalidRequestError as refused:
        raise RefusedRequestError(refused) from None


class _Fields:
    """Attributes that can also be asked for by key, as in 2022."""

    def __getitem__(self, name: str) -> Any:
        if name not in attrs.fields_dict(type(self)):  # type: ignore[arg-type]
            raise KeyError(name)
        return getattr(self, name)

    def model_dump(self) -> dict[str, Any]:
        """Plain values."""
        return attrs.asdict(self)  # type: ignore[arg-type]


@attrs.frozen
class ImageObject(_Fields):
    """One image, as the official SDK gives it."""

    url: str | None = attrs.field(repr=lambda url: repr(url and url[:60]))
    b64_json: str | None = attrs.field(repr=False)
    revised_prompt: str | None


@attrs.frozen
class ImagesResponse(_Fields):
    """An answer, as the official SDK gives it: `created` is Unix seconds."""

    __module__ = "dalle2.compat"

    created: int
    data: list[ImageObject]
    usage: Usage | None = None


def _response(
    images: BaseImages[ImageResult] | BaseImages[AsyncImageResult], given: Mapping[str, object]
) -> ImagesResponse:
    asked = str(images.adaptations[0].asked) if images.adaptations else ""  # the first is the model
    as_uri = asked.startswith("dall-e") and given.get("response_format") != "b64_json"
    data = []
    for result in images:
        url, encoded = result.url, result.b64_json
        if as_uri and encoded is not None:
            url, encoded = f"data:{result.media_type or 'image/png'};base64,{encoded}", None
        data.append(ImageObject(url, encoded, result.revised_prompt))
    return ImagesResponse(int(images.created.timestamp()), data, images.usage)


def given_of(values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments that were given: the official SDK's markers for "not given" count as left out."""
    return {
        name: value
        for name, value in values.items()
        if (value is not None or name == "timeout") and type(value).__name__ not in ("NotGiven", "Omit")
    }


def _bare(image: Any) -> Any:
    """An upload as our client takes it: of the SDK's `(name, content, type)` only the content tells."""
    if isinstance(image, list):
        return [_bare(one) for one in image]
    return image[1] if isinstance(image, tuple) else image


class Images:
    """`client.images`."""

    __module__ = "dalle2.compat"

    def __init__(self, client: Client) -> None:
        self._client = client

    def generate(self, *, prompt: str, **options: Unpack[GenerateOptions]) -> ImagesResponse:
        """`Client.generate` under the official names."""
        given = given_of(options)
        with _as_bad_request():
            return _response(self._client.generate(prompt, **given), given)

    def edit(
        self,
        *,
        image: Upload | list[Upload],
        prompt: str,
        mask: Upload | None = None,
        **options: Unpack[EditOptions],
    ) -> ImagesResponse:
        """`Client.edit` under the official names."""
        given = given_of({"mask": _bare(mask), **options})
        with _as_bad_request():
            return _response(self._client.edit(_bare(image), prompt, **given), given)

    def create_variation(self, *, image: Upload, **options: Unpack[CallOptions]) -> ImagesResponse:
        """`Client.vary` under the official names."""
        given = given_of(options)
        with _as_bad_request():
            return _response(self._client.vary(_bare(image), **given), given)


class AsyncImages:
    """`client.images`, awaited."""

    __module__ = "dalle2.compat"

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def generate(self, *, prompt: str, **options: Unpack[GenerateOptions]) -> ImagesResponse:
        """`AsyncClient.generate` under the official names."""
        given = given_of(options)
        with _as_bad_request():
            return _response(await self._client.generate(prompt, **given), given)

    async def edit(
        self,
        *,
        image: Upload | list[Upload],
        prompt: str,
        mask: Upload | None = None,
        **options: Unpack[EditOptions],
    ) -> ImagesResponse:
        """`AsyncClient.edit` under the official names."""
        given = given_of({"mask": _bare(mask), **options})
        with _as_bad_request():
            return _response(await self._client.edit(_bare(image), prompt, **given), given)

    async def create_variation(self, *, image: Upload, **options: Unpack[CallOptions]) -> ImagesResponse:
        """`AsyncClient.vary` under the official names."""
        given = given_of(options)
        with _as_bad_request():
            return _response(await self._client.vary(_bare(image), **given), given)
