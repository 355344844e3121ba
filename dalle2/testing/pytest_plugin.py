"""The pytest plugin: the fixture `dalle2_emulator`.

The rule: pytest loads this in every run of every project that has the package installed, so importing it
must cost nothing; the emulator is imported when the fixture is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import Emulator


MARKER = (
    "dalle2_emulator(**options): how dalle2's emulator is made, such as today=..., latency=..., persona=..."
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, so that it passes `--strict-markers`."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def dalle2_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A fresh `dalle2.testing.Emulator`: the DALL·E 2 API without network and without cost.

    `@pytest.mark.dalle2_emulator(today=date(2026, 6, 1), latency=0.1)` gives it options; the marker nearest
    to the test wins for each.
    """
    from . import Emulator

    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("dalle2_emulator"))):
        if marker.args:
            raise pytest.UsageError("@pytest.mark.dalle2_emulator takes keyword arguments only")
        options |= marker.kwargs
    try:
        return Emulator(**options)
    except (TypeError, ValueError) as problem:
        raise pytest.UsageError(f"@pytest.mark.dalle2_emulator: {problem}") from None
