"""The models that the emulator plays, and what each of them accepts.

The rule: this table is written from the vendor's published contract and shares nothing with the client's
own catalogue, so that a mistake there is found and not repeated here. Whether a model is retired depends on
`Emulator(today=...)` alone, never on a clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

import attrs

Family = Literal["dall-e-2", "dall-e-3", "gpt-image"]
Operation = Literal["generate", "edit", "vary"]

_SQUARES = ("256x256", "512x512", "1024x1024")
_GPT_SIZES = ("1024x1024", "1024x1536", "1536x1024", "auto")
_GPT_QUALITIES = ("low", "medium", "high", "auto")
_DALLE2 = frozenset({"model", "prompt", "n", "size", "response_format", "user"})
_GPT = frozenset(
    {"model", "prompt", "n", "size", "quality", "background", "moderation", "output_format"}
    | {"output_compression", "stream", "partial_images", "user", "safety_identifier"}
)


@attrs.frozen
class EmulatedModel:
    """One model: its limits, its parameters and its dates."""

    id: str
    family: Family
    released: date
    shutdown: date | None = None
    prompt_limit: int = 32000
    sizes: tuple[str, ...] = _GPT_SIZES
    free_sizes: bool = False
    qualities: tuple[str, ...] = _GPT_QUALITIES
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    input_fidelity: bool = False
    more: frozenset[str] = frozenset()
    """Parameters beyond those of the family."""
    batches: bool = False
    """Whether it is made in batches, too."""

    def is_retired(self, today: date | None) -> bool:
        """Whether the model is gone on that day; `None` stands for a world without retirements."""
        return today is not None and self.shutdown is not None and today >= self.shutdown

    def row(self) -> dict[str, object]:
        """The model as the model list shows it. The dates are facts, whether or not retirements are on."""
        released = datetime(self.released.year, self.released.month, self.released.day, tzinfo=UTC)
        shutdown = None if self.shutdown is None else self.shutdown.isoformat()
        row: dict[str, object] = {"id": self.id, "object": "model", "created": int(released.timestamp())}
        return row | {"owned_by": "system", "shutdown_date": shutdown}

    def operations(self) -> tuple[Operation, ...]:
        """The image endpoints that take this model."""
        if self.family == "dall-e-2":
            return ("generate", "edit", "vary")
        return ("generate",) if self.family == "dall-e-3" else ("generate", "edit")

    def parameters(self, operation: Operation) -> frozenset[str]:
        """The names that this endpoint accepts for the model; any other is an unknown parameter."""
        names = _GPT if self.family == "gpt-image" else _DALLE2
        names |= self.more
        if operation == "vary":
            return names - {"prompt"} | {"image", "image[]"}
        if operation == "edit":
            names |= {"image", "image[]", "mask"}
            if self.family == "gpt-image":
                names |= {"images", "input_fidelity"}
        return names - {"markup"} if operation == "generate" else names


_DALLE_END = date(2026, 5, 12)
_NEXT_END = date(2026, 12, 1)
_NEWER = (*_GPT_QUALITIES[:-1], "xhigh", "max", "auto")
_MORE_26 = frozenset({"complexity", "frame_count", "frame_duration_ms", "markup"})


def _gpt2(id: str, released: date, *, qualities: tuple[str, ...] = _NEWER) -> EmulatedModel:
    batches = qualities is not _NEWER
    return EmulatedModel(id, "gpt-image", released, free_sizes=True, qualities=qualities, batches=batches)


def _gpt26(id: str) -> EmulatedModel:
    model = _gpt2(id, date(2026, 11, 4))
    return attrs.evolve(model, formats=(*model.formats, "gif", "svg"), more=_MORE_26)


MODELS: dict[str, EmulatedModel] = {
    model.id: model
    for model in (
        EmulatedModel(
            "dall-e-2",
            "dall-e-2",
            date(2022, 11, 3),
            _DALLE_END,
            prompt_limit=1000,
            sizes=_SQUARES,
            qualities=(),
        ),
        EmulatedModel(
            "dall-e-3",
            "dall-e-3",
            date(2023, 11, 6),
            _DALLE_END,
            prompt_limit=4000,
            sizes=("1024x1024", "1792x1024", "1024x1792"),
            qualities=("standard", "hd"),
            more=frozenset({"quality", "style"}),
        ),
        EmulatedModel("gpt-image-1", "gpt-image", date(2025, 4, 23), date(2026, 10, 23), input_fidelity=True),
        EmulatedModel("gpt-image-1-mini", "gpt-image", date(2025, 10, 6), _NEXT_END),
        EmulatedModel("gpt-image-1.5", "gpt-image", date(2025, 12, 16), _NEXT_END, input_fidelity=True),
        EmulatedModel(
            "gpt-image-1.5-2025-12-16", "gpt-image", date(2025, 12, 16), _NEXT_END, input_fidelity=True
        ),
        EmulatedModel(
            "chatgpt-image-latest", "gpt-image", date(2025, 12, 16), _NEXT_END, input_fidelity=True
        ),
        _gpt2("gpt-image-2", date(2026, 4, 21), qualities=_GPT_QUALITIES),
        _gpt2("gpt-image-2-2026-04-21", date(2026, 4, 21), qualities=_GPT_QUALITIES),
        _gpt2("gpt-image-2.5-sunburst", date(2026, 9, 8)),
        _gpt2("gpt-image-2.5-sunburst-2026-09-08", date(2026, 9, 8)),
        _gpt2("gpt-image-2.5-flare", date(2026, 9, 8)),
        _gpt2("gpt-image-2.5-flare-2026-09-08", date(2026, 9, 8)),
        _gpt26("gpt-image-2.6-sunburst"),
        _gpt26("gpt-image-2.6-flare"),
    )
}


def default_model(operation: Operation, today: date | None) -> str:
    """The model used when a request names none: the vendor changed it for edits when dall-e-2 went."""
    if operation == "edit" and MODELS["dall-e-2"].is_retired(today):
        return "gpt-image-1.5"
    return "dall-e-2"
