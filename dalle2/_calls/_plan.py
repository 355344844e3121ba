"""What a request becomes before it is sent: itself, what a successor takes, or several calls of one image.
No I/O.

The rule: everything that can be refused is refused here, before money is spent; and of several paid calls, a
later failure never throws away the images of an earlier one.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from .. import catalog
from .. import errors as e
from .._image._data import ImageData, ImagesData
from .._requests._draft import Draft
from ._envelope import checked_key, key_of
from ._paid import check_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._money import PriceTable
    from .._requests._successor import Adaptation
    from .._state import ClientState
    from .._wire._responses import Task
    from ..settings import Settings
    from ._attempts import Attempts
    from ._envelope import Options

_warned: set[str] = set()


class Plan(NamedTuple):
    """The calls that a request becomes, the request that they amount to, and how it was adapted.

    `replaced` names the model whose place a successor took although the caller named neither.
    """

    request: Draft
    parts: tuple[tuple[Draft, Options], ...]
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None
    replaced: str | None = None


def make_plan(
    settings: Settings, state: ClientState, request: Draft, options: Options, *, stream: bool
) -> Plan:
    """What is to be sent for a request. Raises `InvalidRequestError` or `ConfigurationError`: nothing was
    sent then.

    Where nobody named a model and dall-e-2 may be gone, the call goes out as dall-e-2 all the same, unless
    its host has said that it has none, or dall-e-2 could not take it and its successor can.
    """
    if request.model is not None or settings.successor is not None or not settings.falls_back:
        return _planned(settings, state, request, options, settings.successor, stream=stream)
    if settings.model in state.known.gone:
        return replaced_plan(settings, state, request, options, stream=stream)
    try:
        return _planned(settings, state, request, options._replace(falls_back=True), None, stream=stream)
    except e.InvalidRequestError as error:
        refused = error
    if not _heir_takes(settings.model, state, request, stream=stream):
        raise refused
    return replaced_plan(settings, state, request, options, stream=stream)


def _heir_takes(model: str, state: ClientState, request: Draft, *, stream: bool) -> bool:
    """Whether the successor takes, as it stands, each parameter that the model refuses: `quality`, a long
    prompt, `stream` and the like. Input images are another matter.
    """
    heir = catalog.default_successor(state.today(), models=state.known.models)
    refused = _refused(request, model, stream=stream)
    if heir is None or not refused:
        return False
    if refused.get("quality") in ("standard", "hd"):  # dall-e-3's words, which `adapt` translates
        refused.pop("quality")
    try:
        catalog.check(request.operation, heir, refused)
    except e.InvalidRequestError:
        return False
    return True


def _refused(request: Draft, model: str, *, stream: bool) -> dict[str, object]:
    """The parameters that a model refuses, by name."""
    values = {**request.parameters, **({"stream": True} if stream else {})}
    found: dict[str, object] = {}
    for name, value in values.items():
        try:
            catalog.check(request.operation, model, {name: value})
        except e.InvalidRequestError:
            found[name] = value
    return found


def replaced_plan(
    settings: Settings, state: ClientState, request: Draft, options: Options, *, stream: bool = False
) -> Plan:
    """The plan with the successor of a model that nobody named. Raises like `make_plan`; warns once."""
    plan = _planned(settings, state, request, options._replace(again=request), "auto", stream=stream)
    if settings.model not in _warned:
        import warnings

        _warned.add(settings.model)
        living = plan.request.model
        price = plan.request.without("n").value.estimate(rough=True)
        about = "" if price is None else f", for about ${price:.2g} an image"
        warnings.warn(
            f"{settings.host} no longer has {settings.model}: {living} takes its place{about}. "
            f"Name what you want: Client(successor={living!r}), or model= for another",
            e.ModelRetirementWarning,
            _callers_level(),
        )
    return plan._replace(replaced=settings.model)


def _planned(
    settings: Settings,
    state: ClientState,
    request: Draft,
    options: Options,
    successor: str | None,
    *,
    stream: bool,
) -> Plan:
    sent = original = request if request.model is not None else request.to(settings.model)
    adaptations: tuple[Adaptation, ...] = ()
    scale: tuple[int, int] | None = None
    if successor is not None:
        from .._requests._successor import adapt

        adapted = adapt(original.value, successor, today=state.today(), models=state.known.models)
        sent, adaptations, scale = Draft.of(adapted.request), adapted.adaptations, adapted.scale
        if scale is not None:
            from .._requests._opened import require_pillow

            require_pillow()
    model = sent.model or settings.model
    _warn_of_end(settings, state, model)
    again = options.again or original
    if stream or sent.n == 1 or not (settings.split_n and _makes_one(settings, sent, model)):
        check_request(sent, model, stream=stream)
        if stream:  # sent again, it is no stream
            again = again.without("partial_images")
        return Plan(
            sent, ((sent, options._replace(again=None if again is sent else again)),), adaptations, scale
        )
    part = sent.without("n")
    check_request(part, model)
    key = key_of(settings, options)
    checked_key(f"{key}-{sent.n}")  # the longest of them, before the first is paid for
    options = options._replace(again=again.without("n"))
    numbered = (options._replace(idempotency_key=f"{key}-{number}") for number in range(1, sent.n + 1))
    return Plan(sent, tuple((part, each) for each in numbered), adaptations, scale)


def _makes_one(settings: Settings, request: Draft, model: str) -> bool:
    """Whether one call makes one image, whatever is asked for."""
    found = catalog.find(model)
    return settings.provider.wire == "responses" or (
        found is not None and len(found.n_range(request.operation)) == 1
    )


def _warn_of_end(settings: Settings, state: ClientState, model: str) -> None:
    """Warn once of a model within 30 days of its end: by the catalogue on OpenAI's own host, by the live
    list anywhere.
    """
    known, today = state.known, state.today()
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


def keep(
    problem: BaseException,
    calls: Sequence[Attempts[ImagesData | Task]],
    plan: Plan,
    wrap: Callable[[Sequence[ImageData]], Sequence[e.KeptImage]],
) -> None:
    """Let what stops the calls of a plan keep what they gave.

    An error holds the images as results (`wrap` makes them); an interrupt goes on with a note of their URLs,
    which are all that is left of what was paid for, and with the images where it can hold any.
    """
    paid = _images(calls, plan)
    if isinstance(problem, e.Dalle2Error):
        if paid:
            problem.maybe_billed = True
        problem.images = wrap([*paid, *(_fitted(image, plan) for image in problem.images)])
        if paid and len(plan.parts) > 1:
            whole = sum(isinstance(call.value, ImagesData) for call in calls)
            problem.args = (
                f"{whole} of the {len(plan.parts)} calls are paid for: error.images has what they gave, so "
                f"ask for the rest only. Of the next one: {problem.message}",
            )
        if plan.replaced is not None:
            problem.args = (f"{plan.request.model}, in the place of {plan.replaced}: {problem.message}",)
        return
    paid += [_fitted(image, plan) for call in calls for image in call.doubtful]
    urls = [image.url for image in paid if image.url]
    if urls:
        problem.add_note("dalle2: paid for and not handed over: " + ", ".join(urls))
    if paid:
        with suppress(AttributeError, TypeError):
            problem.images = wrap(paid)  # type: ignore[attr-defined]


def _images(calls: Sequence[Attempts[ImagesData | Task]], plan: Plan) -> list[ImageData]:
    answers = [call.value for call in calls if isinstance(call.value, ImagesData)]
    return [_fitted(image, plan) for answer in answers for image in answer.images]


def _fitted(image: object, plan: Plan) -> ImageData:
    assert isinstance(image, ImageData)
    if plan.scale is None:
        return image
    from .._requests._successor import fitted

    return fitted(image, plan.scale)


def joined(plan: Plan, answers: Sequence[ImagesData], prices: PriceTable | None) -> ImagesData:
    """The answers of all calls of a plan as one, in order, with what the plan knows of them."""
    data = answers[0]
    if len(answers) > 1:
        from .._money import Usage

        data = data._replace(
            images=tuple(image for answer in answers for image in answer.images),
            usage=Usage.total(Usage.from_json(answer.usage) for answer in answers),
            request=plan.request,
        )
    return data._replace(adaptations=plan.adaptations, scale=plan.scale, prices=prices)
