"""The blocking and the awaited surface are one surface: the same names, parameters, defaults and types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import dalle2
from dalle2 import AsyncClient, AsyncImageResult, AsyncImages, Client, ImageResult, Images, compat

PAIRS: list[tuple[type, type]] = [
    (Client, AsyncClient),
    (ImageResult, AsyncImageResult),
    (Images, AsyncImages),
    (compat.OpenAI, compat.AsyncOpenAI),
    (compat.AzureOpenAI, compat.AsyncAzureOpenAI),
    (compat.Images, compat.AsyncImages),
]
# The blocking name, where the awaited one differs.
RENAMED = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
# Nothing is awaited to make these; the iterator that `stream` gives is awaited itself.
PLAIN = {"with_options", "copy", "image", "images_of", "to_dict", "from_dict", "of", "joined", "fit"}
PLAIN |= {"stream", "is_closed"}


def surface(kind: type) -> dict[str, Any]:
    """The public attributes of a class, with its constructor and context manager."""
    special = {"__init__", *RENAMED, *RENAMED.values()}
    names = [name for name in dir(kind) if not name.startswith("_") or name in special]
    return {name: inspect.getattr_static(kind, name) for name in names}


def plain(annotation: object) -> str:
    """An annotation as text, with what is awaited told as its blocking twin."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return (
        re.sub(r"\bAsync(?=[A-Z])", "", text)
        .replace("HttpClient", "Client")
        .replace(", None, None]", ", None]")
        .replace("str | Awaitable[str]", "str")
    )


def twin(name: str, awaited: type) -> str:
    """The awaited name of a blocking one. The official SDK's `close` keeps its name, and so `compat`'s."""
    other = RENAMED.get(name, name)
    return other if hasattr(awaited, other) else name


def function(attribute: object) -> Callable[..., object] | None:
    """The function behind an attribute, if it is one."""
    if isinstance(attribute, (classmethod, staticmethod)):
        return attribute.__func__
    if isinstance(attribute, property):
        return attribute.fget
    return attribute if inspect.isfunction(attribute) else None


def methods() -> list[Any]:
    """Every pair of methods, by name."""
    return [
        pytest.param(blocking, awaited, name, id=f"{blocking.__name__}.{name}")
        for blocking, awaited in PAIRS
        for name, attribute in surface(blocking).items()
        if function(attribute) is not None and name not in RENAMED.values()
    ]


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_have_the_same_names(blocking: type, awaited: type) -> None:
    """Whatever one can do the other can, under the same name (or with an `a`, where Python asks for it)."""
    assert sorted(twin(name, awaited) for name in surface(blocking)) == sorted(surface(awaited))


@pytest.mark.parametrize(("blocking", "awaited", "name"), methods())
def test_both_take_and_give_the_same(blocking: type, awaited: type, name: str) -> None:
    """Parameters agree in name, order, kind, default and type; so does what comes back."""
    first = surface(blocking)[name]
    second = surface(awaited)[twin(name, awaited)]
    assert type(first) is type(second)
    one, two = function(first), function(second)
    assert one is not None
    assert two is not None
    left, right = inspect.signature(one), inspect.signature(two)
    assert [(p.name, p.kind, p.default) for p in left.parameters.values()] == [
        (p.name, p.kind, p.default) for p in right.parameters.values()
    ]
    for parameter in left.parameters.values():
        other = right.parameters[parameter.name].annotation
        assert plain(other) == plain(parameter.annotation), parameter.name
    assert plain(right.return_annotation) == plain(left.return_annotation)
    assert one.__doc__ or name == "__init__" or name.startswith("__")
    assert two.__doc__ or name == "__init__" or name.startswith("__")


@pytest.mark.parametrize(("blocking", "awaited", "name"), methods())
def test_what_does_io_is_awaited(blocking: type, awaited: type, name: str) -> None:
    """A method is a coroutine exactly where the blocking one may wait."""
    one = function(surface(blocking)[name])
    two = function(surface(awaited)[twin(name, awaited)])
    assert not inspect.iscoroutinefunction(one)
    waits = not isinstance(surface(blocking)[name], property) and name not in PLAIN | {
        "__init__",
        "index",
        "count",
    }
    assert inspect.iscoroutinefunction(two) is waits


def test_the_requests_take_what_the_methods_take() -> None:
    """`send` can do all that `generate`, `edit` and `vary` can: each parameter has its field."""
    own = {"self", "extra_headers", "timeout", "idempotency_key"}
    for method, request in (
        (Client.generate, dalle2.GenerateRequest),
        (Client.edit, dalle2.EditRequest),
        (Client.vary, dalle2.VariationRequest),
    ):
        taken = set(inspect.signature(method).parameters) - own
        fields = set(inspect.signature(request).parameters)
        assert taken <= fields
        assert fields - taken <= {"partial_images"}  # `stream` takes these


def test_with_options_names_settings_that_the_clients_take() -> None:
    """Each change is an argument of the constructor, too."""
    from dalle2.settings import Changes

    assert set(Changes.__annotations__) <= set(inspect.signature(Client.__init__).parameters)
