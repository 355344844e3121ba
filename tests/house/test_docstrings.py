"""What an editor shows of a public call stands alone: what it does, its units, what it raises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import dalle2

TWINS = [
    (dalle2.Client, dalle2.AsyncClient),
    (dalle2.ImageResult, dalle2.AsyncImageResult),
    (dalle2.Images, dalle2.AsyncImages),
]
RENAMED = {"close": "aclose"}


def pairs() -> Iterator[tuple[str, str, str]]:
    """The docstrings of each public method and of its awaited twin."""
    for kind, awaited in TWINS:
        for name, method in inspect.getmembers(kind, inspect.isroutine):
            if not name.startswith("_"):
                twin: Any = getattr(awaited, RENAMED.get(name, name))
                yield f"{kind.__name__}.{name}", inspect.getdoc(method) or "", inspect.getdoc(twin) or ""


PAIRS = list(pairs())


def raised(text: str) -> set[str]:
    """The errors that a docstring names."""
    return set(re.findall(r"`(\w+Error)s?`", text))


@pytest.mark.parametrize(("name", "own", "awaited"), PAIRS, ids=[name for name, _, _ in PAIRS])
def test_an_awaited_method_is_described_where_it_stands(name: str, own: str, awaited: str) -> None:
    """Not by a pointer to its blocking twin, and with the same errors."""
    assert len(awaited) >= 0.7 * len(own)
    assert raised(awaited) == raised(own)
    assert f"`{name}" not in awaited


@pytest.mark.parametrize("name", ["generate", "edit", "vary", "send", "stream"])
@pytest.mark.parametrize("kind", [dalle2.Client, dalle2.AsyncClient])
def test_a_paid_call_says_what_it_raises(kind: type, name: str) -> None:
    """Bad input, and an outcome that nobody knows; `edit` and `vary` also what a file may do."""
    errors = raised(inspect.getdoc(getattr(kind, name)) or "")
    assert {"InvalidRequestError", "OutcomeUnknownError"} <= errors
    if name in ("edit", "vary"):
        assert {"OSError", "DownloadError"} <= errors


@pytest.mark.parametrize("kind", [dalle2.Client, dalle2.AsyncClient])
def test_a_client_describes_each_of_its_arguments(kind: type) -> None:
    """Those of who is called speak for themselves."""
    text = inspect.getdoc(kind) or ""
    plain = {"self", "organization", "project"}
    assert [
        name for name in inspect.signature(kind).parameters if name not in text and name not in plain
    ] == []
    assert "seconds" in text
    assert "Raises `ConfigurationError`" in text
