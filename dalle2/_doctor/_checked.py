"""What one look gives: a name, a state, and what to do."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

Status: TypeAlias = Literal["ok", "note", "warning", "problem"]


@attrs.frozen
class Check:
    """One thing looked at: its name, how it is, and what to do about it. A `note` is neither good nor bad."""

    name: str
    status: Status
    detail: str
