"""What a request becomes before it is sent: itself, what a successor takes, or several calls of one image. No
I/O.

The rule: everything that can be refused is refused here, before money is spent; and of several paid calls, a
later failure never throws away the images of an earlier one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import attrs

from . import catalog
from . import errors as e
from ._core import Options, check_request, checked_key, new_key, with_model
from ._outcome import Knowledge
from ._redact import one_line
from ._requests import GenerateRequest, Request
from ._successor import Adapted, adapt, fit_each
from .settings import Settings

if TYPE_CHECKING:
    from .errors import SavableImage

_warned: set[str] = set()


@attrs.frozen(eq=False, repr=False)
class Plan:
    """The calls that a request becomes, and how it was adapted."""

    adapted: Adapted
    parts: tuple[tuple[Request, Options], ...]


def make_plan(
    settings: Settings, known: Knowledge, request: Request, options: Options, *, today: date, stream: bool
) -> Plan:
    """What is to be sent for a request. Raises `InvalidRequestError` or `ConfigurationError`: nothing was
    sent then.
    """
    original = with_model(request, settings)
    adapted = Adapted(original)
    if settings.successor is not None:
        adapted = adapt(original, settings.successor, today=today, models=known.models)
        if adapted.scale is not None:
            from ._prepare import require_pillow

            require_pillow()
    sent = adapted.request
    model = sent.model or settings.model
    _warn_of_end(settings, known, model, today)
    count = sent.n or 1
    if stream or count == 1 or not (settings.split_n and _makes_one(settings, sent, model)):
        check_request(sent, model, stream=stream)
        if stream and isinstance(original, GenerateRequest):  # sent again, it is no stream
            original = attrs.evolve(original, partial_images=None)
        return Plan(adapted, ((sent, attrs.evolve(options, again=original)),))
    part = attrs.evolve(sent, n=None)
    check_request(part, model)
    key = new_key() if options.idempotency_key is None else checked_key(options.idempotency_key)
    options = attrs.evolve(options, again=attrs.evolve(original, n=None))
    return Plan(
        adapted,
        tuple(
            (part, attrs.evolve(options, idempotency_key=f"{key}-{number}")) for number in range(1, count + 1)
        ),
    )


def _makes_one(settings: Settings, request: Request, model: str) -> bool:
    """Whether one call makes one image, whatever is asked for."""
    found = catalog.find(model)
    return settings.provider.wire == "responses" or (
        found is not None and len(found.n_range(request.operation)) == 1
    )


def _warn_of_end(settings: Settings, known: Knowledge, model: str, today: date) -> None:
    """Warn once of a model within 30 days of its end: by the catalogue on OpenAI's own host, by the live list
    anywhere.
    """
    official = settings.provider.official and settings.host == "api.openai.com"
    if not official and model not in known.live:
        return
    end = catalog.retiring_within(model, today, models=known.models)
    if end is not None and model not in _warned:
        _warned.add(model)
        heir = catalog.successor_of(model, end, models=known.models)
        follows = f"; its successor is {heir}" if heir else ""
        warnings.warn(
            f"The model {model} ends on {end:%Y-%m-%d}{follows}", e.ModelRetirementWarning, _callers_level()
        )


def _callers_level() -> int:
    """The `stacklevel` of the first line outside this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("dalle2."):
        level, frame = level + 1, frame.f_back
    return level


@contextmanager
def keeping(done: Sequence[Sequence[SavableImage]], adapted: Adapted) -> Iterator[None]:
    """Around one of several paid calls: an error keeps the images of those before it, and their size."""
    try:
        yield
    except e.Dalle2Error as error:
        if done:
            error.images = [*(image for images in done for image in images), *error.images]
            error.maybe_billed = True
        fit_each(error.images, adapted.scale)
        raise


@contextmanager
def polling(task: str) -> Iterator[None]:
    """Around the questions after a task: whatever goes wrong, the task was started and is named."""
    try:
        yield
    except e.Dalle2Error as error:
        error.maybe_billed = True
        error.args = (f"{_started(task)}. {error.message}",)
        raise
    except BaseException as interrupt:
        interrupt.add_note(f"dalle2: {_started(task)}")
        raise


def _started(task: str) -> str:
    return f"Task {one_line(task, 60)} was started and may have been billed"
