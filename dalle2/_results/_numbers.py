"""Finds a free number for a name with few looks, wherever the looking is done."""

from __future__ import annotations

from collections.abc import Generator


def free_number(taken: int) -> Generator[int, bool, int]:
    """A number that is free while the one before it is taken: found by doubling, then by halving.

    It yields the numbers to look for, and is sent whether each is free.
    """
    step = 1
    while not (yield taken + step):
        taken += step
        step *= 2
    while step > 1:
        step //= 2
        if not (yield taken + step):
            taken += step
    return taken + 1
