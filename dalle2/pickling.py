"""Decides how a value of this package travels in a pickle: a public name, a version, and plain values.

The rule: a pickle names this module and no private one, so that it can be read after any rearrangement. What
version 1 holds stays readable; a pickle of a later version is refused by name.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Kind = str | type[object]
    State = Mapping[str, object]

VERSION = 1
"""Of the plain states that are written now."""

_HOMES = {
    "AsyncImageResult": "_results._awaited",
    "AsyncImages": "_results._at_once",
    "EditRequest": "_requests._values",
    "GenerateRequest": "_requests._values",
    "ImageResult": "_results._blocking",
    "Images": "_results._blocking",
    "InputImage": "_requests._inputs",
    "VariationRequest": "_requests._values",
}
"""Where each kind lives now, all others being errors. Its class makes a value: `_restored(state)`."""


def restore(kind: Kind, version: int, state: State) -> object:
    """The value of that kind that has this state: what unpickling calls.

    `kind` is the public name of a class of this package, or a caller's class made from one. Raises
    `ValueError` for what a later version of this package has written.
    """
    found = kind
    if isinstance(kind, str):
        home = _HOMES.get(kind, "errors")
        found = getattr(import_module(f"{__package__}.{home}"), kind, kind)
    if version > VERSION or isinstance(found, str):
        raise ValueError(
            f"this pickle holds {kind!r:.60} in version {version!r:.20}, written by a later dalle2; "
            f"this one reads up to version {VERSION}"
        )
    made: object = found._restored(state)  # type: ignore[attr-defined]
    return made


def stored(value: object, state: State) -> tuple[object, tuple[Kind, int, State]]:
    """What `__reduce__` gives for a value that has this plain state."""
    own = type(value)
    ours = own.__module__ in (__package__, f"{__package__}.errors")
    return restore, (own.__name__ if ours else own, VERSION, state)
