"""What the rate-limit headers of an answer say, as one typed value.

The rule: what a host does not say, or says as `-1`, is `None`; nothing raises. Source of the names and forms:
https://platform.openai.com/docs/guides/rate-limits and https://github.com/openai/openai-java/pull/1039 (the
reset of images is documented as whole seconds and travels as a duration).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_DURATION = (
    r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?)s)?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?"
)
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_SECONDS = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_COUNT = r"[0-9]{1,15}"


class RateLimit(NamedTuple):
    """How much a key may still ask for, by the headers of one answer; `None` where the host does not say.

    `limit_*` is how many a window allows, `remaining_*` how many are left of it, `reset_*` the seconds until
    it is full again: of images and of requests.
    """

    limit_images: int | None = None
    remaining_images: int | None = None
    reset_images: float | None = None
    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None


RateLimit.__module__ = "dalle2"


def read_rate_limit(headers: Mapping[str, str]) -> RateLimit:
    """The rate limit that headers (lower-case names) tell."""

    def told(name: str) -> str:
        return headers.get(f"x-ratelimit-{name}", "").strip().lower()

    return RateLimit(
        limit_images=_count(told("limit-images")),
        remaining_images=_count(told("remaining-images")),
        reset_images=seconds_of(told("reset-images")),
        limit_requests=_count(told("limit-requests")),
        remaining_requests=_count(told("remaining-requests")),
        reset_requests=seconds_of(told("reset-requests")),
    )


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(_COUNT, text) else None


def seconds_of(text: str) -> float | None:
    """A duration such as `12ms`, `1s`, `6m0s`, or plain seconds, in seconds; `None` for anything else."""
    if re.fullmatch(_SECONDS, text):
        return float(text)
    found = re.fullmatch(_DURATION, text)
    if not text or found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)
