"""Values of the package in a pickle: a public name, a version, a plain state."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

import dalle2
from dalle2._image._data import ImageData
from dalle2.pickling import VERSION, restore


def test_what_a_later_version_wrote_is_refused_by_name() -> None:
    """A newer form, and a kind that is not known yet."""
    for kind, version in (("ImageResult", VERSION + 1), ("Hologram", 1)):
        with pytest.raises(ValueError, match=f"'{kind}'.*later dalle2"):
            restore(kind, version, {})


class Mine(dalle2.ImageResult):
    """A caller's own class of results."""


def test_a_class_of_the_caller_comes_back_as_itself() -> None:
    """Its pickle names the caller's module; the state is ours."""
    mine = Mine(ImageData(datetime(2026, 6, 1, tzinfo=UTC), content=b"GIF89a"))
    other = pickle.loads(pickle.dumps(mine))
    assert type(other) is Mine
    assert other == mine
