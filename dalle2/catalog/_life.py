"""When a model ends and what comes after it.

The rule: the day is an argument, and so is the list of models, because a host's live list wins over the
catalogue (see `with_dates`). Nothing here refuses a call: a date is a reason to warn or to explain, the
host's answer decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from ._models import MODELS

if TYPE_CHECKING:
    from ._model import Model


def find(name: str, *, models: Mapping[str, Model] = MODELS) -> Model | None:
    """The model of exactly that name, or `None` if it is not known."""
    return models.get(name)


def retired(name: str, today: date, *, models: Mapping[str, Model] = MODELS) -> bool:
    """Whether the model is known to be gone from OpenAI's host by `today`; False for an unknown one."""
    model = models.get(name)
    return model is not None and model.retired_on is not None and model.retired_on <= today


def retiring_within(
    name: str, today: date, days: int = 30, *, models: Mapping[str, Model] = MODELS
) -> date | None:
    """The day on which a living model ends, if that is at most `days` away; else `None`."""
    model = models.get(name)
    if model is None or model.retired_on is None:
        return None
    return model.retired_on if today < model.retired_on <= today + timedelta(days=days) else None


def successor_of(name: str, today: date, *, models: Mapping[str, Model] = MODELS) -> str | None:
    """The model to move to, following the advice from model to model until one lives on `today`.

    `None` if there is none: the model is unknown, has no end, or all that was advised is gone too.
    """
    seen = {name}
    model = models.get(name)
    while model is not None and model.successor is not None and model.successor not in seen:
        seen.add(model.successor)
        model = models.get(model.successor)
        if model is not None and not retired(model.name, today, models=models):
            return model.name
    return None


def default_successor(today: date, *, models: Mapping[str, Model] = MODELS) -> str | None:
    """The model that `successor="auto"` means on `today`: what follows dall-e-2, else a living one."""
    found = successor_of("dall-e-2", today, models=models)
    if found is not None:
        return found
    living = (
        m.name for m in models.values() if m.snapshot_of is None and not retired(m.name, today, models=models)
    )
    return next(living, None)


def with_dates(
    dates: Mapping[str, date | None], *, models: Mapping[str, Model] = MODELS
) -> Mapping[str, Model]:
    """The models with the shutdown dates of a live list put in: its date wins, and so does its "no date"."""
    return MappingProxyType(
        {
            name: model._replace(retired_on=dates[name]) if name in dates else model
            for name, model in models.items()
        }
    )
