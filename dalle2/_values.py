"""The answers that are not images: a moderation, a row of the model list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import attrs


@attrs.frozen
class Moderation:
    """What a moderation model says of a prompt.

    `categories` maps the vendor's category names (`"violence"`, `"sexual/minors"`, ...) to whether they
    apply, `scores` to numbers from 0 to 1. A clean result does not promise that the image model accepts the
    prompt.
    """

    flagged: bool
    categories: Mapping[str, bool]
    scores: Mapping[str, float] = attrs.field(factory=dict, repr=False)
    model: str | None = None
    request_id: str | None = None

    @property
    def flagged_categories(self) -> tuple[str, ...]:
        """The names of the categories that apply, sorted."""
        return tuple(sorted(name for name, applies in self.categories.items() if applies))


@attrs.frozen
class ModelInfo:
    """One row of a host's live list. `shutdown_date` is the first day without the model, or `None`."""

    id: str
    created: datetime | None = None
    owned_by: str | None = None
    shutdown_date: date | None = None
    dated: bool = attrs.field(default=False, repr=False)
    extra: Mapping[str, object] = attrs.field(factory=dict, repr=False)
