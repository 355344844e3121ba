"""What is decided about batches, each a pure function of what is known: no disk, no clock, no host.

The rule: rows are planned again only where their host says, or proves by its list, that they were not carried
out. What may have been paid for and is not there is held; what was paid for and is gone is told as gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Literal, overload

from .. import catalog
from .. import errors as e
from .._secrets import one_line
from .._wire._problem import text_of

if TYPE_CHECKING:
    from ..settings import Settings

PART_IMAGES = 500
"""Images in one batch: its output, some 2 MB an image, is what limits it."""
SETTLED_AFTER = 30.0
"""Seconds after which a batch that the host does not list was never created: the request is a few hundred
bytes, and answered in less than a second.
"""
LOOKS = (0.0, 2.0, 8.0)
"""Seconds before each look at the host's list that comes earlier than that."""
TROUBLES = 10
"""How many questions in a row may fail while a batch is waited for."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0


@overload
def half(nano: int) -> int: ...
@overload
def half(nano: int | None) -> int | None: ...
def half(nano: int | None) -> int | None:
    """What a line of a batch costs by the price of its call, rounded up."""
    return None if nano is None else (nano + 1) // 2


def metadata_of(run: str, part: int) -> dict[str, str]:
    """What a batch says of itself, by which it is found again."""
    return {"dalle2_run": run, "dalle2_part": str(part)}


def who(settings: Settings, run: str) -> str | None:
    """Who asks whom, as a word that tells nothing of the key: what one of them is not shown, the other may
    be. `None` where each call asks for a key of its own.
    """
    if settings.key_source is not None:
        return None
    parts = settings.base_url, settings.organization, settings.project, settings.key.reveal()
    return hashlib.blake2b(repr(parts).encode(), key=run.encode(), digest_size=4).hexdigest()


def is_it(row: Mapping[str, object], run: str, part: int, file: str, known: Container[object]) -> bool:
    """Whether a row of the host's list is the batch of this part: by its metadata, or, at a host that does
    not give them back (and may have its own), by its file, if the batch is not known as another one.
    """
    metadata, ours = row.get("metadata"), metadata_of(run, part)
    if isinstance(metadata, Mapping) and not ours.keys().isdisjoint(metadata):
        return all(text_of(metadata.get(name)) == value for name, value in ours.items())
    return row.get("input_file_id") == file and row.get("id") not in known


def file_name(data: bytes) -> str:
    """What an input file is called: the same for the same lines, so that it is uploaded once."""
    return f"dalle2-{hashlib.sha256(data).hexdigest()[:32]}.jsonl"


def unsettled(sent_at: float, now: float) -> float:
    """Seconds until a batch that the host does not list was certainly never created."""
    return min(max(sent_at + SETTLED_AFTER - now, 0.0), SETTLED_AFTER)


def pause(polls: int) -> float:
    """Seconds to the next question after a batch, which takes minutes or hours."""
    return min(FIRST_PAUSE * 1.5 ** min(polls, 20), LONGEST_PAUSE)


def left_over(*, undone: bool, gone: bool, doubtful: bool) -> Literal["planned", "held", "expired"]:
    """What becomes of a row that no line of an ended batch speaks of.

    `undone`: the batch ended before all was carried out. `gone`: one of its files was not there any more.
    `doubtful`: lines could not be read, or fewer went well than the host counted.
    """
    if gone:
        return "expired"
    return "planned" if undone and not doubtful else "held"


def passes(error: e.Dalle2Error) -> bool:
    """Whether a free question may go better a little later."""
    if isinstance(error, (e.APIConnectionError, e.OutcomeUnknownError, e.InternalServerError)):
        return True
    return isinstance(error, e.RateLimitError) and not isinstance(error, e.QuotaExceededError)


def unreadable(error: e.Dalle2Error) -> bool:
    """Whether something came that is no answer of the API: a page of a proxy, or of a host that answers every
    question with its own.
    """
    odd = isinstance(error, e.OutcomeUnknownError) and error.reason == "unreadable"
    return odd or isinstance(error, e.DecodeError)


def not_shown(error: e.Dalle2Error) -> bool:
    """Whether a host has no such list, or does not show it to this key."""
    if isinstance(error, (e.AuthenticationError, e.QuotaExceededError)):
        return False
    refused = isinstance(error, e.APIStatusError) and (error.status_code == 501 or not passes(error))
    return unreadable(error) or refused


def has_none(error: e.Dalle2Error) -> bool:
    """Whether the host says that it has no batches, or no files for them."""
    status = error.status_code if isinstance(error, e.APIStatusError) else None
    named = isinstance(error, e.APIStatusError) and error.code is not None
    return status in (405, 501) or (status == 404 and not named)


def check_batchable(operation: str, model: str, *, force: bool) -> None:
    """That a request can be a line of a batch. Raises `InvalidRequestError`."""
    if operation != "generate":
        raise e.InvalidRequestError(
            "a batch takes generations only: make edits and variations with bulk.run", field="image"
        )
    known = catalog.find(model)
    if force or (known is not None and known.batches):
        return
    able = tuple(name for name, one in catalog.MODELS.items() if one.batches and one.snapshot_of is None)
    how = f"{one_line(model, 60)} is not known to be made in batches"
    if model == "dall-e-2":
        how = "dall-e-2 was never made in batches"
    raise e.InvalidRequestError(
        f"{how}: use model={able[0]!r} or successor={able[0]!r}; bulk.run makes them one by one, and "
        "force=True asks the host all the same",
        field="model",
        allowed=able,
    )
