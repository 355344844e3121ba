"""Decides what a pickled result keeps: plain values only, so that it can be read after any rearrangement.

The rule: what the image is and how patiently to fetch it stays; the key, the connections and what a client's
calls share (clock, rate limits, listener) do not. It is loaded only when a result is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._http import Timeouts
from .._image._data import ImageData, ImagesData
from .._image._expiry import Expiry
from ._origins import Fetching, Origins

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from .._money import PriceTable, Usage
    from .._requests._successor import Adaptation
    from ..retry import RetryPolicy

    Stored = Mapping[str, Any]


def image_state(image: ImageData) -> Stored:
    """One image, plainly."""
    state = image._asdict()
    del state["expiry"]
    return {
        **state,
        "extra": dict(image.extra),
        "expires_at": image.expiry.at,
        "expiry_source": image.expiry.source,
    }


def image_of(state: Stored) -> ImageData:
    """The image that `image_state` described."""
    known = {name: value for name, value in state.items() if name in ImageData._fields}
    return ImageData(**known, expiry=Expiry(state["expires_at"], state["expiry_source"]))


def answer_state(answer: ImagesData, usage: Usage | None) -> Stored:
    """What was said about all images of an answer, plainly."""
    state = {
        name: value
        for name, value in answer._asdict().items()
        if name not in ("images", "adaptations", "scale", "prices")
    }
    return {
        **state,
        "usage": None if usage is None else fields_of(usage),
        "extra": dict(answer.extra),
        "headers": dict(answer.headers),
    }


def answer_of(state: Stored) -> ImagesData:
    """The answer that `answer_state` described, without its images."""
    known = {name: value for name, value in state.items() if name in ImagesData._fields}
    if known["usage"] is not None:
        from .._money import Usage

        known["usage"] = Usage(**known["usage"])
    return ImagesData(images=(), **known)


def fetching_state(how: Fetching, origins: Origins) -> Stored:
    """How to fetch, plainly; `origins` as they are known by now."""
    return {
        **origins._asdict(),
        "policy": None if how.policy is None else fields_of(how.policy),
        "timeouts": None if how.timeouts is None else tuple(how.timeouts),
        "user_agent": how.user_agent,
    }


def fetching_of(state: Stored) -> Fetching:
    """The way to fetch that `fetching_state` described."""
    policy: RetryPolicy | None = None
    if state["policy"] is not None:
        from ..retry import RetryPolicy

        policy = RetryPolicy(**state["policy"])
    timeouts = state["timeouts"]
    return Fetching(
        policy=policy,
        origins=Origins(state["origin"], state["api_private"], state["allowed"]),
        timeouts=None if timeouts is None else Timeouts(*timeouts),
        user_agent=state["user_agent"],
    )


def adaptations_state(adaptations: tuple[Adaptation, ...]) -> tuple[object, ...]:
    """The changes made for a successor, plainly."""
    return tuple(map(fields_of, adaptations))


def adaptations_of(state: tuple[Stored, ...]) -> tuple[Adaptation, ...]:
    """The changes that `adaptations_state` described."""
    if not state:
        return ()
    from .._requests._successor import Adaptation

    return tuple(Adaptation(**fields) for fields in state)


def prices_state(prices: PriceTable | None) -> Stored | None:
    """A caller's own prices, plainly."""
    if prices is None:
        return None
    rows = {name: price._asdict() for name, price in prices.prices.items()}
    return {"as_of": prices.as_of, "prices": rows}


def prices_of(state: Stored | None) -> PriceTable | None:
    """The prices that `prices_state` described."""
    if state is None:
        return None
    from .._money import PriceTable
    from ..catalog import Price

    return PriceTable(state["as_of"], {name: Price(**price) for name, price in state["prices"].items()})


def fields_of(value: AttrsInstance) -> dict[str, Any]:
    """The fields of an attrs value, by name."""
    import attrs

    return attrs.asdict(value, recurse=False)
