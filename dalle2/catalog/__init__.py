"""The models known to this package: what each accepts, what it costs, when it ends and what follows it.

The rule: an unknown model passes through unchecked, and a date refuses nothing by itself. The dates are
those of OpenAI's own host; other hosts may serve a model longer, and the live list of a host wins over what
is written here. Nothing in here reads the clock: the day is always an argument.

    >>> from datetime import date
    >>> from dalle2 import catalog
    >>> catalog.find("dall-e-2").sizes
    ('256x256', '512x512', '1024x1024')
    >>> catalog.successor_of("dall-e-2", date(2026, 11, 20))
    'gpt-image-2.5-flare'
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

from ._check import check, covering_size, is_legal_size, models_taking, nearest_size, parse_size
from ._model import Allowed, FileLimits, Model, Operation, OutputTokens, Price
from ._models import AS_OF, MODELS

__all__ = [
    "AS_OF",
    "MODELS",
    "Allowed",
    "FileLimits",
    "Model",
    "Operation",
    "OutputTokens",
    "Price",
    "check",
    "covering_size",
    "default_successor",
    "find",
    "is_legal_size",
    "models_taking",
    "nearest_size",
    "parse_size",
    "retired",
    "retiring_within",
    "successor_of",
    "with_dates",
]


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
