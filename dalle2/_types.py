"""Names for values: the vendor's vocabularies, which only type checkers read.

The rule: a set that the vendor may extend stays open (`Literal[...] | str`), so that a type checker completes
the known values and a new one needs no release of this package. `None` always means "not sent".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Size: TypeAlias = Literal["256x256", "512x512", "1024x1024", "1536x1024", "1024x1536", "auto"] | str
ResponseFormat: TypeAlias = Literal["url", "b64_json"] | str
Quality: TypeAlias = Literal["standard", "hd", "low", "medium", "high", "xhigh", "max", "auto"] | str
Style: TypeAlias = Literal["vivid", "natural"] | str
Background: TypeAlias = Literal["transparent", "opaque", "auto"] | str
ModerationLevel: TypeAlias = Literal["low", "auto"] | str
OutputFormat: TypeAlias = Literal["png", "jpeg", "webp", "gif", "svg"] | str
InputFidelity: TypeAlias = Literal["high", "low"] | str
ExpirySource: TypeAlias = Literal["signature", "created"]


class KeptImage(Protocol):
    """What every image kept by an error can tell without being fetched; `client.images_of(error)` gives
    them as results that fetch and save themselves.
    """

    @property
    def url(self) -> str | None: ...
    @property
    def content(self) -> bytes | None: ...
    @property
    def b64_json(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...
    @property
    def media_type(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    def to_dict(self) -> dict[str, object]: ...


class SentRequest(Protocol):
    """What `client.send` takes and `OutcomeUnknownError.request` is: a `GenerateRequest`, an `EditRequest` or
    a `VariationRequest`, which `isinstance` tells apart.
    """

    operation: ClassVar[Literal["generate", "edit", "vary"]]

    @property
    def model(self) -> str | None: ...
    @property
    def n(self) -> int | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def response_format(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def extra_body(self) -> Mapping[str, object] | None: ...
    def to_dict(self) -> dict[str, object]: ...
