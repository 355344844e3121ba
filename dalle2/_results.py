"""What a call gives: images that know when their URL dies, and fetch and save themselves.

The rule: a `repr` and a notebook display never do I/O; bytes that are held never expire; a file appears whole or not at all.
`ImageResult` and `AsyncImageResult` are two classes with the same names, so that a type checker catches a forgotten `await`; what is
pure they share.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

import attrs

from ._expiry import ServerClock
from ._files import AtomicFile, has_image_suffix, is_directory_target, safe_stem
from ._images import ImageData, ImagesData
from ._media import ImageCheck, ImageError, suffix_for
from ._redact import shown_url
from ._successor import Adaptation, Adapted, fitted
from .errors import DownloadError, InvalidRequestError

if TYPE_CHECKING:
    from ._money import PriceTable, Usage
    from ._requests import Request
    from ._types import ExpirySource

R = TypeVar("R")


class Target:
    """Where an image is to be saved: a file, or a name of its own in a directory."""

    def __init__(self, path: str | os.PathLike[str], stem: str, *, overwrite: bool) -> None:
        self._named = not is_directory_target(path)
        self._path = Path(path) if self._named else Path(path) / stem
        self._overwrite = overwrite

    def open(self) -> AtomicFile:
        """The file that will become it. Raises the built-in `OSError`s, `FileExistsError` for a taken name."""
        if self._named and not self._overwrite and os.path.lexists(self._path):
            raise FileExistsError(17, "File exists (overwrite=True replaces it)", str(self._path))
        return AtomicFile(self._path)

    def publish(self, file: AtomicFile, media_type: str) -> Path:
        """Give the file its name: a missing suffix comes from the bytes."""
        path = self._path
        if not self._named or not has_image_suffix(path):
            path = path.with_name(path.name + suffix_for(media_type))
        if self._named or self._overwrite:
            return file.commit(path, overwrite=self._overwrite)
        return file.commit_unique(path)


class BaseResult:
    """One image, without any way to fetch it."""

    __slots__ = ("_clock", "_data")

    def __init__(self, data: ImageData, clock: ServerClock | None = None) -> None:
        self._data = data
        self._clock = ServerClock() if clock is None else clock

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
        """`"signature"`: the URL itself says so; `"created"`: one hour after `created`, by OpenAI's documentation."""
        return self._data.expiry.source

    @property
    def expires_in(self) -> float | None:
        """Seconds until the URL dies, by the local clock corrected with the host's; never negative; `None` if unknown."""
        at = self._data.expiry.at
        return None if at is None else max((at - self._clock.now()).total_seconds(), 0.0)

    @property
    def is_expired(self) -> bool:
        """Whether the URL is known to be dead and the bytes are not held."""
        return self._data.content is None and self.expires_in == 0.0

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, from which `from_dict` makes the same image. Holds no key."""
        return self._data.to_dict()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._data,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseResult) and type(other) is type(self) and other._data == self._data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = []
        if self._data.url is not None:
            parts.append(f"url={shown_url(self._data.url, 60)!r}")
            left = self.expires_in
            if left is not None:
                parts.append("expired" if left == 0 else f"expires_in={left:.0f}s")
        if self._data.content is not None:
            parts.append(f"{self.media_type or 'unknown type'}, {len(self._data.content)} bytes held")
        return f"<{type(self).__name__} {' '.join(parts)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the picture, else the live URL, else that it expired."""
        import html

        bundle = {"text/plain": repr(self)}
        encoded, kind = self.b64_json, self.media_type or "image/png"
        if encoded is not None and kind in ("image/png", "image/jpeg", "image/gif"):
            bundle[kind] = encoded
        elif encoded is not None:
            bundle["text/html"] = f'<img src="data:{html.escape(kind)};base64,{encoded}">'
        elif self.is_expired:
            bundle["text/html"] = (
                f"<em>This image's URL expired at {self.expires_at:%Y-%m-%d %H:%M:%S} UTC.</em>"
            )
        elif self._data.url is not None:
            bundle["text/html"] = f'<img src="{html.escape(self._data.url)}" referrerpolicy="no-referrer">'
        return bundle

    def _stem(self, number: int | None = None) -> str:
        stem = safe_stem(self._data.prompt or "")
        return stem if number is None else f"{stem}-{number}"

    def _hold(self, content: bytes) -> bytes:
        self._data = self._data.holding(content)
        return content


def checked_type(content: bytes) -> str:
    """The media type of held bytes. Raises `DownloadError` if they are not one whole image."""
    check = ImageCheck()
    try:
        check.feed(content)
        return check.finish()
    except ImageError as problem:
        raise DownloadError(
            f"The host's answer holds bytes that are not a whole image: {problem}; read() gives them as they are",
            reason="truncated" if problem.reason == "truncated" else "not_an_image",
        ) from None


def data_from(data: object) -> ImageData:
    """The image in a `to_dict` mapping. Raises `InvalidRequestError`."""
    if not isinstance(data, Mapping):
        raise InvalidRequestError("data must be a mapping, as to_dict() gives it", field="data")
    try:
        return ImageData.from_dict(data)
    except (ValueError, OverflowError, OSError) as problem:
        raise InvalidRequestError(f"data is not what to_dict() gives: {problem}", field="data") from None


class BaseImages(Sequence[R], Generic[R]):
    """The results of one call, in order, and what was said about all of them."""

    def __init__(self, data: ImagesData, results: Sequence[R]) -> None:
        self._data = data
        self._results = tuple(results)
        self._adapted: Adapted | None = None
        self._prices: PriceTable | None = None

    @classmethod
    def joined(cls, parts: Sequence[Self], adapted: Adapted, prices: PriceTable | None = None) -> Self:
        """The results of several calls as one, in order."""
        first = parts[0]
        data = first._data
        if len(parts) > 1:
            images = tuple(image for part in parts for image in part._data.images)
            data = attrs.evolve(data, images=images)
        joined = cls(data, [result for part in parts for result in part])
        joined._adapted = adapted
        joined._prices = prices
        return joined

    def fit(self) -> None:
        """Bring the images to the size that was asked for, if a successor could not make it."""
        for result in self._results if self._adapted is not None and self._adapted.scale else ():
            assert isinstance(result, BaseResult)
            result._data = fitted(result._data, self._adapted.scale if self._adapted else None)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """Each change that was made to serve the request on `Client(successor=...)`; empty without one."""
        return () if self._adapted is None else self._adapted.adaptations

    @property
    def cost(self) -> float | None:
        """What the call cost in US dollars at OpenAI's list price (or `Client(prices=...)`): by image, or by usage; `None` where that is not known."""
        from ._money import PRICES, cost

        request = self.request
        size = self._data.extra.get("size") or request.size
        quality = self._data.extra.get("quality") or getattr(request, "quality", None)
        return cost(
            self.model,
            self.usage,
            n=len(self),
            size=size if isinstance(size, str) else None,
            quality=quality if isinstance(quality, str) else None,
            prices=self._prices or PRICES,
        )

    @property
    def created(self) -> datetime:
        """When the images were made (aware, UTC)."""
        return self._data.created

    @property
    def model(self) -> str:
        """The model that was asked."""
        return self._data.model

    @property
    def request_id(self) -> str | None:
        """The host's own name for the call: give it to the host's support."""
        return self._data.request_id

    @property
    def usage(self) -> Usage | None:
        """The tokens that were counted, where the model is priced by tokens; else `None`."""
        from ._money import Usage

        return Usage.from_json(self._data.usage)

    @property
    def request(self) -> Request:
        """The request as it was sent, model included: `client.send(images.request)` asks for the same again."""
        request: Request = self._data.request  # type: ignore[assignment]
        return request

    @property
    def extra(self) -> Mapping[str, object]:
        """What the answer said under names that this package does not know."""
        return self._data.extra

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...
    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} image(s) of {self.model}, created {self.created:%Y-%m-%d %H:%M:%S} UTC>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the pictures side by side."""
        cells = []
        for result in self._results:
            bundle = result._repr_mimebundle_()  # type: ignore[attr-defined]
            kind = next((kind for kind in bundle if kind.startswith("image/")), None)
            picture = (
                f'<img src="data:{kind};base64,{bundle[kind]}">' if kind else bundle.get("text/html", "")
            )
            cells.append(f'<div style="display:inline-block;margin:4px;max-width:256px">{picture}</div>')
        return {"text/plain": repr(self), "text/html": "".join(cells)}


def partial_error(
    saved: Mapping[int, Path], failed: Mapping[int, Exception], images: Sequence[R]
) -> DownloadError:
    """The error of an `images.save` of which some failed: nothing that was saved is forgotten."""
    first = failed[min(failed)]
    return DownloadError(
        f"{len(failed)} of {len(images)} images were not saved (see .failed; .saved lists the others); "
        f"the first: {type(first).__name__}: {first}",
        reason="partial",
        saved=[saved[index] for index in sorted(saved)],
        failed=failed,
        images=[images[index] for index in sorted(failed)],  # type: ignore[misc]
    )


def note_saved(error: BaseException, saved: Mapping[int, Path]) -> None:
    """Tell what was saved before an interrupt."""
    error.add_note(
        f"dalle2: saved before this: {', '.join(str(saved[index]) for index in sorted(saved)) or 'nothing'}"
    )
