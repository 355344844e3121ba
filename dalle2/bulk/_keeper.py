"""How the images of one answer get to their place, written once for threads and for tasks.

The rule: this file decides, and whoever drives it does: it yields what is to be done (`Load`, `Fetch`, `Put`)
and is given the result or the exception. Each image is tried, whatever happens to the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias, cast

import attrs

from .._image._media import ImageCheck, ImageError, sniff, suffix_for
from ..errors import ImageExpiredError
from ._journal import Awaiting, Journal, Kept, MadeOf, spool_name
from ._planner import Unit


@attrs.frozen
class Load:
    """Give the spooled bytes of an image, or `None`."""

    name: str
    index: int


@attrs.frozen
class Fetch:
    """Download an image by its facts."""

    facts: dict[str, object]


@attrs.frozen
class Put:
    """Keep bytes under a key; with `create`, only if nothing is there. `load`: of which image."""

    key: str
    data: bytes
    create: bool
    load: Load | None = None


Effect: TypeAlias = Load | Fetch | Put


@attrs.frozen
class Keeping:
    """Images to be kept: those of `unit`, whose answer is spooled as `name`."""

    unit: Unit
    name: str
    images: Sequence[Awaiting]
    made_of: MadeOf | None = None
    """What their sidecars say, if they get any."""


def awaited(journal: Journal, unit: Unit, *, made_of: bool) -> Keeping:
    """What the journal says is to be kept of a unit."""
    attempt, images = journal.awaiting(unit)
    return Keeping(unit, spool_name(unit.number, attempt), images, journal.made_of(unit) if made_of else None)


@attrs.frozen
class Keepings:
    """How it went: what is in place, what is dead (paid for, and gone), what failed and may work later."""

    unit: Unit
    name: str
    count: int
    kept: tuple[Kept, ...]
    dead: str | None = None
    note: str | None = None
    failed: Exception | None = None
    taken: tuple[int, ...] = ()


Steps: TypeAlias = Generator[Effect, object, Keepings]


def keeping(work: Keeping) -> Steps:
    """Keep each image of an answer."""
    kept: list[Kept] = []
    taken: list[int] = []
    dead = note = None
    failed: Exception | None = None
    for image in work.images:
        try:
            load = Load(work.name, image.place - 1)
            data = cast("bytes | None", (yield load))
            if data is None and not image.facts.get("url"):
                dead = "the image's bytes were not safe when the machine failed"
                continue
            if data is None:
                data = cast("bytes", (yield Fetch(image.facts)))  # which checks what it fetches
            else:
                note = _flaw(data) or note
            key = image.name if image.whole else image.name + _suffix(data)
            yield Put(key, data, not image.again, load)
            if work.made_of is not None:
                yield _beside(key, work.made_of, image)
            kept.append(Kept(image.place, key, len(data), hashlib.sha256(data).hexdigest()))
        except ImageExpiredError as error:
            dead = str(error)
        except FileExistsError as error:
            taken.append(image.place)
            failed = error
        except Exception as error:
            failed = error
    return Keepings(work.unit, work.name, len(work.images), tuple(kept), dead, note, failed, tuple(taken))


def advance(
    steps: Steps, result: object, perform: Callable[[Effect], object], until: Callable[[Effect], bool]
) -> Effect | Keepings:
    """Go on with keeping from the last effect's result or exception, up to its end or an effect that somebody
    else performs (`until`).
    """
    try:
        while True:
            effect = steps.throw(result) if isinstance(result, Exception) else steps.send(result)
            if until(effect):
                return effect
            try:
                result = perform(effect)
            except Exception as error:
                result = error
    except StopIteration as end:
        return cast("Keepings", end.value)


def _flaw(data: bytes) -> str | None:
    """What is wrong with an image that is kept all the same: it was paid for."""
    check = ImageCheck()
    try:
        check.feed(data)
        check.finish()
    except ImageError as problem:
        return f"kept as it came, but it is not a whole image: {problem}"
    return None


def _beside(key: str, made_of: MadeOf, image: Awaiting) -> Put:
    """The sidecar of an image that is in place."""
    from .._stores import SIDECAR, sidecar_of

    asked, facts = made_of.request, image.facts
    document = sidecar_of(
        prompt=cast("str | None", asked.get("prompt")),
        revised_prompt=facts.get("revised_prompt"),
        model=cast("str | None", facts.get("model") or asked.get("model")),
        parameters=asked,
        request_id=made_of.request_id,
        created=made_of.created,
    )
    return Put(key + SIDECAR, document, not image.again)


def _suffix(data: bytes) -> str:
    kind = sniff(data[:512])
    return ".bin" if kind is None else suffix_for(kind)
