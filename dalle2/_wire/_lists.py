"""The two wires that cost nothing: moderations and the list of models.

Source of the shapes: OpenAI's specification, `CreateModerationRequest` and `Model` (with `shutdown_date`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import attrs

from ._context import request_id
from ._images import Unreadable, plain

if TYPE_CHECKING:
    from .._http import HttpResponse


@attrs.frozen
class Moderation:
    """What a moderation model says of a prompt.

    `categories` maps the vendor's category names (`"violence"`, `"sexual/minors"`, ...) to whether they
    apply, `scores` to numbers from 0 to 1. A clean result does not promise that the image model accepts
    the prompt.
    """

    __module__ = "dalle2"

    flagged: bool
    categories: Mapping[str, bool]
    scores: Mapping[str, float] = attrs.field(factory=dict, repr=False)
    model: str | None = None
    request_id: str | None = None

    @property
    def flagged_categories(self) -> tuple[str, ...]:
        """The names of the categories that apply, sorted."""
        return tuple(sorted(name for name, applies in self.categories.items() if applies))

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "flagged": self.flagged,
            "categories": dict(self.categories),
            "scores": dict(self.scores),
            "model": self.model,
            "request_id": self.request_id,
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """For pydantic: written by `to_dict`."""
        from .._requests._pydantic import core_schema

        return core_schema(cls, {"title": cls.__name__, "type": "object"})


@attrs.frozen
class ModelInfo:
    """One row of a host's live list. `shutdown_date` is the first day without the model, or `None`."""

    __module__ = "dalle2"

    id: str
    created: datetime | None = None
    owned_by: str | None = None
    shutdown_date: date | None = None
    dated: bool = attrs.field(default=False, repr=False)
    extra: Mapping[str, object] = attrs.field(factory=dict, repr=False)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values: `created` in Unix seconds, `shutdown_date` as in 2026-05-12."""
        return {
            "id": self.id,
            "created": None if self.created is None else self.created.timestamp(),
            "owned_by": self.owned_by,
            "shutdown_date": None if self.shutdown_date is None else self.shutdown_date.isoformat(),
            "extra": dict(self.extra),
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """For pydantic: written by `to_dict`."""
        from .._requests._pydantic import core_schema

        return core_schema(cls, {"title": cls.__name__, "type": "object"})


def read_moderation(document: object, response: HttpResponse) -> Moderation:
    """The moderation of one input. Raises `Unreadable`."""
    results = document.get("results") if isinstance(document, Mapping) else None
    if not isinstance(results, list) or not results or not isinstance(results[0], Mapping):
        raise Unreadable("results", "there is no moderation result")
    first = results[0]
    if not isinstance(first.get("flagged"), bool):
        raise Unreadable("results[0].flagged", "it is not true or false")
    categories, scores = first.get("categories"), first.get("category_scores")
    model = document.get("model") if isinstance(document, Mapping) else None
    return Moderation(
        flagged=first["flagged"],
        categories={str(name): value is True for name, value in _items(categories)},
        scores={
            str(name): float(value)
            for name, value in _items(scores)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
        },
        model=model if isinstance(model, str) else None,
        request_id=request_id(response.headers),
    )


def _items(value: object) -> list[tuple[object, object]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def read_models(document: object) -> tuple[ModelInfo, ...]:
    """The rows of a model list; rows without an id are passed over. Raises `Unreadable`."""
    rows = document.get("data") if isinstance(document, Mapping) else document
    if not isinstance(rows, list):
        raise Unreadable("data", "there is no list of models")
    return tuple(_model(row) for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), str))


def _model(row: Mapping[str, object]) -> ModelInfo:
    created, owner, ends = row.get("created"), row.get("owned_by"), row.get("shutdown_date")
    return ModelInfo(
        id=str(row["id"]),
        created=_moment(created),
        owned_by=owner if isinstance(owner, str) else None,
        shutdown_date=_day(ends),
        dated="shutdown_date" in row,
        extra={
            str(name): plain(value)
            for name, value in row.items()
            if name not in ("id", "object", "created", "owned_by", "shutdown_date")
        },
    )


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if type(value) is int and value > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
