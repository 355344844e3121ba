"""Annotations mean something at run time: to libraries that build, check and document values by them."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2 import bulk, events, retry

PUBLIC = [name for name in dalle2.__all__ if not inspect.ismodule(getattr(dalle2, name))]


def callables(value: Any) -> Iterator[Any]:
    """A public class with its public methods, or a public function."""
    yield value
    for kind in getattr(value, "__mro__", ()):
        if kind.__module__.startswith("dalle2"):
            for name, one in vars(kind).items():
                if name == "__init__" or not name.startswith("_"):
                    function = getattr(one, "fget", None) or getattr(one, "__func__", one)
                    if inspect.isfunction(function):
                        yield function


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_tells_what_its_annotations_mean(name: str) -> None:
    """Classes, functions, and what is public in them."""
    value = getattr(dalle2, name)
    if callable(value):
        for one in callables(value):
            hints = typing.get_type_hints(one)
            assert not any(isinstance(hint, (str, typing.ForwardRef)) for hint in hints.values())


@pytest.mark.parametrize("name", bulk.__all__)
def test_each_public_name_of_the_bulk_room_does_so_too(name: str) -> None:
    """Whose modules are all loaded with it."""
    for one in callables(getattr(bulk, name)):
        hints = typing.get_type_hints(one)
        assert not any(isinstance(hint, (str, typing.ForwardRef)) for hint in hints.values())
    assert typing.get_type_hints(bulk.Job)["request"] == typing.get_type_hints(bulk.Job.__init__)["request"]
    assert typing.get_type_hints(bulk.run)["return"] is bulk.Report


@pytest.mark.parametrize("kind", [*typing.get_args(events.Event), retry.RetryPolicy])
def test_each_event_tells_it_too(kind: type) -> None:
    """They are attrs classes, which attrs can resolve."""
    attrs.resolve_types(kind)
    assert typing.get_type_hints(kind.__init__)


def test_the_meaning_is_the_real_one() -> None:
    """And not just any object: a union, a generator of events, a mapping of options."""
    generate = typing.get_type_hints(dalle2.Client.generate)
    assert generate["return"] is dalle2.Images
    assert type(None) in typing.get_args(generate["n"])
    assert dalle2.Budget in typing.get_args(typing.get_type_hints(dalle2.Client.__init__)["budget"])
    assert dalle2.GenerateRequest in typing.get_args(typing.get_type_hints(dalle2.Adapted)["request"])
    (event, *_) = typing.get_args(typing.get_type_hints(dalle2.Client.stream)["return"])
    assert {typing.get_origin(one) for one in typing.get_args(event)} == {
        dalle2.PartialImage,
        dalle2.FinalImage,
    }
    assert dalle2.InputImage in typing.get_args(typing.get_type_hints(dalle2.read_input)["source"])
    assert typing.get_type_hints(dalle2.EditRequest)["image"] == tuple[dalle2.InputImage, ...]


@pytest.mark.parametrize(
    "name", ["Client", "GenerateRequest", "OutcomeUnknownError", "FinalImage", "Moderation"]
)
def test_no_order_of_use_matters(name: str) -> None:
    """A fresh process that asks for one name first, and for nothing else."""
    code = (
        f"import dalle2, typing; kind = dalle2.{name}\n"
        "typing.get_type_hints(kind); typing.get_type_hints(kind.__init__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nothing_is_loaded_before_somebody_asks() -> None:
    """The names that only annotations use cost a process that makes images nothing."""
    code = (
        "import sys, dalle2; dalle2.Client('sk-test')\n"
        "unused = [n for n in ('_money', '_types', 'retry', 'events', '_requests._values') "
        "if f'dalle2.{n}' in sys.modules]\n"
        "sys.exit(bool(unused))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@given(st.from_type(dalle2.Adaptation), st.from_type(dalle2.Moderation))
def test_hypothesis_builds_values_from_their_types(change: Any, said: Any) -> None:
    """What a caller's own tests do with a value that is plain."""
    assert isinstance(change.field, str)
    assert isinstance(said.flagged, bool)


def test_the_names_of_the_package_stay_its_own() -> None:
    """What stands in for others in private files does not appear among them."""
    assert "Mapping" not in vars(dalle2)
    assert not isinstance(vars(dalle2).get("Budget", dalle2.Budget), typing.ForwardRef)
