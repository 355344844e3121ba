"""`kill -9` at random moments, over a real server that takes its time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kills import Nursery, killed_until_done, nursing

SEEDS = int(os.environ.get("DALLE2_KILLS", "20"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """The process that forks the runs."""
    with nursing() as nursery:
        yield nursery


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_can_be_killed_at_any_moment(nursery: Nursery, tmp_path: Path, seed: int) -> None:
    """No job is paid for twice, every file is whole, and held is at most what was under way.

    Every second host fails, refuses, loses answers and breaks off downloads besides; half of the hosts answer
    in base64.
    """
    killed_until_done(nursery, seed, tmp_path, faulty=seed % 2 == 1)
