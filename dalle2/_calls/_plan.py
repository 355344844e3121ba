"""What a request becomes before it is sent: itself, what a successor takes, or several calls of one image. No
I/O.

The rule: everything that can be refused is refused here, before money is spent; and of several paid calls, a
later failure never throws away the images of an earlier one.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from .. import catalog
from .. import errors as e
from .._requests._draft import Draft
from .._secrets import one_line
from ._envelope import checked_key, new_key
from ._paid import check_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from .._requests._successor import Adaptation
    from .._state import KnownModels
    from ..errors import SavableImage
    from ..settings import Settings
    from ._envelope import Options

_warned: set[str] = set()


class Plan(NamedTuple):
    """The calls that a request becomes, the request that they amount to, and how it was adapted."""

    request: Draft
    parts: tuple[tuple[Draft, Options], ...]
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None


def make_plan(
    settings: Settings, known: KnownModels, request: Draft, options: Options, *, today: date, stream: bool
) -> Plan:
    """What is to be sent for a request. Raises `InvalidRequestError` or `ConfigurationError`: nothing was
    sent then.
    """
    sent = original = request if request.model is not None else request.to(settings.model)
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None
    if settings.successor is not None:
        from .._requests._successor import adapt

        adapted = adapt(original.value, settings.successor, today=today, models=known.models)
        sent, adaptations, scale = Draft.of(adapted.request), adapted.adaptations, adapted.scale
        if scale is not None:
            from .._requests._pictures import require_pillow

            require_pillow()
    model = sent.model or settings.model
    _warn_of_end(settings, known, model, today)
    count = sent.n
    if stream or count == 1 or not (settings.split_n and _makes_one(settings, sent, model)):
        check_request(sent, model, stream=stream)
        if stream:  # sent again, it is no stream
            original = original.without("partial_images")
        if original is not sent:
            options = options._replace(again=original)
        return Plan(sent, ((sent, options),), adaptations, scale)
    part = sent.without("n")
    check_request(part, model)
    key = new_key() if options.idempotency_key is None else checked_key(options.idempotency_key)
    options = options._replace(again=original.without("n"))
    numbered = (options._replace(idempotency_key=f"{key}-{number}") for number in range(1, count + 1))
    return Plan(sent, tuple((part, each) for each in numbered), adaptations, scale)


def _makes_one(settings: Settings, request: Draft, model: str) -> bool:
    """Whether one call makes one image, whatever is asked for."""
    found = catalog.find(model)
    return settings.provider.wire == "responses" or (
        found is not None and len(found.n_range(request.operation)) == 1
    )


def _warn_of_end(settings: Settings, known: KnownModels, model: str, today: date) -> None:
    """Warn once of a model within 30 days of its end: by the catalogue on OpenAI's own host, by the live list
    anywhere.
    """
    official = settings.provider.official and settings.host == "api.openai.com"
    if not official and model not in known.live:
        return
    end = catalog.retiring_within(model, today, models=known.models)
    if end is not None and model not in _warned:
        import warnings

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
def keeping(done: Sequence[Sequence[SavableImage]], plan: Plan) -> Iterator[None]:
    """Around one of several paid calls: an error keeps the images of those before it, and their size."""
    try:
        yield
    except e.Dalle2Error as error:
        if done:
            error.images = [*(image for images in done for image in images), *error.images]
            error.maybe_billed = True
        if plan.scale is not None:
            from .._requests._successor import fit_each

            fit_each(error.images, plan.scale)
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
