"""Image values: what an answer held, without any way to fetch it.

`ImageData` is one image, `ImagesData` one answer. They are pure and frozen; the results that users hold
(`_results`) are these values plus a client to download with.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from .._dates import in_utc
from ._expiry import Expiry, expiry_of
from ._media import sniff

if TYPE_CHECKING:
    from .._money import PriceTable


class ImageData(NamedTuple):
    """One image of an answer: a URL, or its bytes, or both.

    `prompt` names saved files, `extra` holds the keys that this package does not know. `sound`: how the bytes
    came vouches for each bit of them.
    """

    created: datetime
    url: str | None = None
    content: bytes | None = None
    revised_prompt: str | None = None
    prompt: str | None = None
    model: str | None = None
    declared_type: str | None = None
    expiry: Expiry = Expiry()
    extra: Mapping[str, object] = {}
    sound: bool = False

    def __eq__(self, other: object) -> bool:
        """By what the image is: not by its declared type, where the bytes know better, nor by how it came."""
        if not isinstance(other, ImageData):
            return NotImplemented
        one, two = (image._replace(declared_type=None, sound=False) for image in (self, other))
        return tuple(one) == tuple(two)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        """Without URL, prompt and bytes."""
        size = "None" if self.content is None else f"<{len(self.content)} bytes>"
        return f"ImageData(created={self.created!r}, content={size}, model={self.model!r}, {self.expiry!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)  # a crash reporter that walks into tuples asks for this instead

    @property
    def media_type(self) -> str | None:
        """Of the bytes, where they are held; else what the answer or the URL says."""
        proven = sniff(self.content[:64]) if self.content else None
        return proven or self.declared_type or (declared_type(self.url) if self.url else None)

    @property
    def b64_json(self) -> str | None:
        """The held bytes as base64, else `None`."""
        return None if self.content is None else base64.b64encode(self.content).decode("ascii")

    @property
    def expires_at(self) -> datetime | None:
        """When the URL dies (aware, UTC), or `None` if that is not known or there is no URL."""
        return self.expiry.at

    def holding(self, content: bytes) -> ImageData:
        """The same image with its bytes, which were checked when they were fetched."""
        return self._replace(content=content, sound=True)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values that `from_dict` turns back into the same image."""
        return {
            "created": self.created.timestamp(),
            "url": self.url,
            "b64_json": self.b64_json,
            "revised_prompt": self.revised_prompt,
            "prompt": self.prompt,
            "model": self.model,
            "media_type": self.media_type,
            "expires_at": None if self.expiry.at is None else self.expiry.at.isoformat(),
            "expiry_source": self.expiry.source,
            "extra": dict(self.extra),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ImageData:
        """The image that `to_dict` described. Raises `ValueError` naming the key that is wrong."""
        created = data.get("created")
        if isinstance(created, bool) or not isinstance(created, (int, float)):
            raise ValueError("'created' must be a number of Unix seconds")
        texts: dict[str, str | None] = {}
        for name in ("url", "b64_json", "revised_prompt", "prompt", "model", "media_type", "expires_at"):
            value = data.get(name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{name!r} must be a text or null")
            texts[name] = value
        if texts["url"] is None and texts["b64_json"] is None:
            raise ValueError("'url' or 'b64_json' must be there")
        encoded, expires, extra = texts["b64_json"], texts["expires_at"], data.get("extra")
        try:
            made = datetime.fromtimestamp(created, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("'created' is no moment in Unix seconds") from None
        try:
            at = None if expires is None else in_utc(datetime.fromisoformat(expires))
        except (ValueError, OverflowError):
            raise ValueError("'expires_at' is no date and time in ISO form") from None
        try:
            content = None if encoded is None else base64.b64decode(encoded, validate=True)
        except ValueError:
            raise ValueError("'b64_json' is no base64") from None
        return cls(
            created=made,
            url=texts["url"],
            content=content,
            revised_prompt=texts["revised_prompt"],
            prompt=texts["prompt"],
            model=texts["model"],
            declared_type=texts["media_type"],
            expiry=_expiry(at, data.get("expiry_source")),
            extra=dict(extra) if isinstance(extra, Mapping) else {},
        )

    @classmethod
    def of_url(cls, url: str, *, created: datetime, model: str | None = None) -> ImageData:
        """An image known only by its URL."""
        expiry = expiry_of(url, created=created, model=model, openai_like=model is not None)
        return cls(created=created, url=url, model=model, declared_type=declared_type(url), expiry=expiry)


def _expiry(at: datetime | None, source: object) -> Expiry:
    return Expiry() if at is None else Expiry(at, "created" if source == "created" else "signature")


def declared_type(url: str) -> str | None:
    """What a URL says of its media type: the forced type of a signed URL, else the suffix of its path."""
    path, _, query = url.partition("#")[0].partition("?")
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() == "rsct" and value.lower().replace("%2f", "/").startswith("image/"):
            return value.lower().replace("%2f", "/")
    suffix = path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
    return _TYPES.get(suffix)


_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "avif": "image/avif",
}


def type_of_format(name: object) -> str | None:
    """The media type of an `output_format` such as `"png"`."""
    return _TYPES.get(name.lower()) if isinstance(name, str) else None


class ImagesData(NamedTuple):
    """One answer, or several as one: its images and what was said about all of them.

    `request` is what was sent, `adaptations` how it differs from what was asked for, `scale` the size
    (width, height in pixels) to which the images are still to be brought.
    """

    images: tuple[ImageData, ...]
    created: datetime
    model: str
    request_id: str | None
    usage: object
    request: object
    extra: Mapping[str, object]
    headers: Mapping[str, str] = {}
    adaptations: tuple[object, ...] = ()
    scale: tuple[int, int] | None = None
    prices: PriceTable | None = None
