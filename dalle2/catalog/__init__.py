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

from ._check import check, models_taking
from ._life import default_successor, find, retired, retiring_within, successor_of, with_dates
from ._model import Allowed, FileLimits, Model, Operation, OutputTokens, Price
from ._models import AS_OF, MODELS
from ._sizes import covering_size, is_legal_size, nearest_size, parse_size

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
