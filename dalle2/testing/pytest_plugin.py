"""The pytest plugin: the fixture `dalle2_emulator`.

The rule: pytest loads this in every run of every project that has the package installed, so importing it
must cost nothing; the emulator is imported when the fixture is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Emulator


@pytest.fixture
def dalle2_emulator() -> Emulator:
    """A fresh `dalle2.testing.Emulator`: the DALL·E 2 API without network and without cost."""
    from . import Emulator

    return Emulator()
