"""One image without any way to fetch it: what is known of it, how it shows itself, how it travels."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from .._http import is_loopback_name, origin_of
from .._image._data import ImageData
from .._image._media import ImageCheck, ImageError
from .._secrets import one_line, shown_url
from ..errors import DownloadError, InvalidRequestError
from ._files import safe_stem
from ._origins import BaseFetcher, Fetching, Origins

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Self

    from .._image._data import ImagesData
    from .._types import ExpirySource
    from ._atomic import AtomicFile
    from ._files import Target

F = TypeVar("F", bound="BaseFetcher[Any]")


class BaseResult(Generic[F]):
    """One image, without any way to fetch it."""

    __slots__ = ("_answer", "_data", "_fetcher", "_whole")

    _fetchers: type[F]

    def __init__(self, data: ImageData, fetcher: F | None = None) -> None:
        self._data = data
        self._fetcher: F = self._fetchers() if fetcher is None else fetcher
        self._whole: tuple[bytes, str] | None = None
        self._answer: ImagesData | None = None
        """What was said of the call, without its images; `None` for an image that was kept since."""

    @property
    def url(self) -> str | None:
        """The image's URL, byte for byte as the host sent it, or `None` if it sent the image itself."""
        return self._data.url

    @property
    def content(self) -> bytes | None:
        """The image's bytes if they are held (the answer had them, or `read()` fetched them), else `None`."""
        return self._data.content

    @property
    def b64_json(self) -> str | None:
        """The held bytes as base64, else `None`."""
        held = self._data.content
        return None if held is None else base64.b64encode(held).decode("ascii")

    @property
    def revised_prompt(self) -> str | None:
        """The prompt that the host really used, if it said so."""
        return self._data.revised_prompt

    @property
    def created(self) -> datetime:
        """When the image was made (aware, UTC): the answer's word, else its `Date`, else the local time."""
        return self._data.created

    @property
    def media_type(self) -> str | None:
        """Such as `"image/png"`: from the bytes where they are held, else as declared, else `None`."""
        return self._data.media_type

    @property
    def width(self) -> int | None:
        """In pixels, by the picture's own header; `None` until the bytes are held."""
        return self._size[0]

    @property
    def height(self) -> int | None:
        """Like `width`."""
        return self._size[1]

    @property
    def _size(self) -> tuple[int, int] | tuple[None, None]:
        from .._image._media import size_of

        return size_of(self._data.content or b"") or (None, None)

    @property
    def model(self) -> str | None:
        """The model that was asked."""
        return self._data.model

    @property
    def extra(self) -> Mapping[str, object]:
        """What the host said of this image under names that this package does not know."""
        return self._data.extra

    @property
    def expires_at(self) -> datetime | None:
        """When the URL dies (aware, UTC), or `None` if that is not known or there is no URL."""
        return self._data.expiry.at

    @property
    def expiry_source(self) -> ExpirySource | None:
        """`"signature"`: the URL itself says so; `"created"`: one hour after `created`, by
        OpenAI's documentation.
        """
        return self._data.expiry.source

    @property
    def expires_in(self) -> float | None:
        """Seconds until the URL dies, by the local clock corrected with the host's; never negative; `None`
        if unknown.
        """
        at = self._data.expiry.at
        return None if at is None else max((at - self._fetcher.how.earliest()).total_seconds(), 0.0)

    @property
    def is_expired(self) -> bool:
        """Whether the URL is known to be dead and the bytes are not held."""
        return self._data.content is None and self.expires_in == 0.0

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, from which `from_dict` makes the same image. Holds no key.

        `api` is the origin of the API that made the image: if that is this machine, `from_dict` fetches from
        it too; images on another private host need `from_dict(data, client=...)`.
        """
        return self._data.to_dict() | {"api": self._fetcher.origins.url}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """For pydantic: a result, or what `from_dict` takes; written by `to_dict`."""
        from .._requests._pydantic import core_schema

        return core_schema(cls, {"title": cls.__name__, "type": "object"})

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled without the key and the connections: the copy fetches over connections of its own."""
        from ..pickling import stored
        from ._stored import fetching_state, image_state

        fetching = fetching_state(self._fetcher.how, self._fetcher.origins)
        return stored(self, {"image": image_state(self._data), "fetching": fetching})

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        from ._stored import fetching_of, image_of

        return cls(image_of(state["image"]), cls._fetchers(None, fetching_of(state["fetching"])))

    def __copy__(self) -> Self:
        made = type(self)(self._data, self._fetcher)
        made._answer = self._answer
        return made

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()  # on the same connections; what it holds never changes

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if type(other) is type(self) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = []
        if self._data.url is not None:
            parts.append(f"url={shown_url(self._data.url, 60)!r}")
            left = self.expires_in
            if left is not None:
                parts.append("expired" if left == 0 else f"expires_in={left:.0f}s")
        if self._data.content is not None:
            kind = one_line(self.media_type or "unknown type", 40)
            parts.append(f"{kind}, {len(self._data.content)} bytes held")
        return f"<{type(self).__name__} {' '.join(parts)}>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """What a notebook shows: the picture, else a sentence."""
        from ._display import bundle_of

        return bundle_of(self, include, exclude)

    def _stem(self) -> str:
        return safe_stem(self._data.prompt or "")

    def _sidecar(self) -> bytes:
        from ._uploads import sidecar

        return sidecar(self._data, self._answer)

    def _hold(self, content: bytes, kind: str) -> bytes:
        """Keep bytes that were fetched, and so are one whole image of that media type."""
        self._data = self._data.holding(content)
        self._whole = content, kind
        return content

    def _kind(self) -> str:
        """The media type of bytes that are held."""
        held = self._held()
        assert held is not None
        return held[1]

    def _held(self) -> tuple[bytes, str] | None:
        """The held bytes and their media type, if there are any.

        Raises `DownloadError` if they are not one whole image: what `read` gives and `save` saves is whole.
        """
        content = self._data.content
        if content is None:
            return None
        if not self._checked:
            self._whole = content, checked_type(self._data, content)
        return self._whole

    @property
    def _checked(self) -> bool:
        """Whether the held bytes are known to be one whole image."""
        return self._whole is not None and self._whole[0] is self._data.content

    def _publish_held(self, file: AtomicFile, target: Target) -> Path:
        """Write the held bytes and give the file its name. Raises like `_held`."""
        held = self._held()
        assert held is not None
        file.write(held[0])
        return target.publish(file, held[1])


def checked_type(image: ImageData, content: bytes) -> str:
    """The media type of held bytes. Raises `DownloadError` if they are not one whole image."""
    check = ImageCheck(sums=not image.sound)
    try:
        check.feed(content)
        return check.finish()
    except ImageError as problem:
        reason, detail = problem.reason, str(problem)
    raise DownloadError(
        f"The host's answer holds bytes that are not a whole image: {detail}; image.content has them as "
        "they are",
        reason="truncated" if reason == "truncated" else "not_an_image",
    )


def data_from(data: object) -> tuple[ImageData, Fetching]:
    """The image in a `to_dict` mapping, and how to fetch it without a client.
    Raises `InvalidRequestError`.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError("data must be a mapping, as to_dict() gives it", field="data")
    api = data.get("api")
    try:
        if api is not None and not isinstance(api, str):
            raise ValueError("'api' must be a text or null")
        # A stored text can be edited: it may name this machine, and no other private host.
        local = api is not None and is_loopback_name(origin_of(api)[1])
        origins = Origins.of(api) if api is not None and local else Origins()
        return ImageData.from_dict(data), Fetching(origins=origins)
    except (ValueError, OverflowError, OSError) as problem:
        raise InvalidRequestError(f"data is not what to_dict() gives: {problem}", field="data") from None
