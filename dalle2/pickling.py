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
    "AsyncImages": "_results._awaited",
    "ImageResult": "_results._blocking",
    "Images": "_results._blocking",
}
"""Where each kind lives now. Its class makes a value from a state: `_restored(state)`."""


def restore(kind: Kind, version: int, state: State) -> object:
    """The value of that kind that has this state: what unpickling calls.

    `kind` is the public name of a class of this package, or a caller's class made from one. Raises
    `ValueError` for what a later version of this package has written.
    """
    home = None if isinstance(kind, type) else _HOMES.get(kind)
    if version > VERSION or (home is None and isinstance(kind, str)):
        raise ValueError(
            f"this pickle holds {kind!r:.60} in version {version!r:.20}, written by a later dalle2; "
            f"this one reads up to version {VERSION}"
        )
    found = kind if home is None else getattr(import_module(f"{__package__}.{home}"), str(kind))
    made: object = found._restored(state)  # type: ignore[union-attr]
    return made


def stored(value: object, state: State) -> tuple[object, tuple[Kind, int, State]]:
    """What `__reduce__` gives for a value that has this plain state."""
    own = type(value)
    ours = own.__module__.partition(".")[0] == __package__ and own.__name__ in _HOMES
    return restore, (own.__name__ if ours else own, VERSION, state)
