"""What a name may stand for, as far as reading the source can tell.

The rule: a name stands for any of several values; none at all means "unknown". Nothing is ever run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Protocol, TypeAlias

import attrs

_MOST = 16  # a name that may stand for more than this is as good as unknown


class Home(Protocol):
    """The module that something was written in."""

    @property
    def scope(self) -> Scope: ...

    def find(self, module: str, level: int = 0) -> Home | None:
        """Another module of the project, as an import here would find it."""

    def enter(self, function: Function, args: Args | None) -> Values:
        """What a function of this module returns, called with these arguments."""


@attrs.frozen
class Const:
    """A text, a number, a truth value or `None`, as written."""

    value: object


@attrs.frozen(eq=False)
class Args:
    """The arguments of a call; `open` if some of them could not be read (`**something`)."""

    positional: tuple[Values, ...] = ()
    named: dict[str, Values] = attrs.field(factory=dict)
    open: bool = False

    def over(self, earlier: Args) -> Args:
        """These arguments on top of earlier ones, as for a partial call."""
        named = {**earlier.named, **self.named}
        return Args(earlier.positional + self.positional, named, earlier.open or self.open)


@attrs.frozen(eq=False)
class Ref:
    """A thing known by its import path (`openai.OpenAI().images`), and the arguments it was made with."""

    path: str
    made: Args | None = None


@attrs.define(eq=False)
class Table:
    """A dict with text keys; `open` if it may have keys that could not be read."""

    items: dict[str, Values]
    open: bool = False


@attrs.frozen(eq=False)
class Row:
    """A list, tuple or set."""

    items: tuple[Values, ...]


@attrs.frozen(eq=False)
class Class:
    """A class of the source: what its body, and assignments to `self`, put into it."""

    attributes: dict[str, Values]
    bases: Values = ()

    def find(self, name: str, depth: int = 8) -> Values:
        """The attribute, from here or from the bases."""
        if name in self.attributes or not depth:
            return self.attributes.get(name, ())
        return union(base.find(name, depth - 1) for base in self.bases if isinstance(base, Class))


@attrs.frozen(eq=False)
class Instance:
    """An object of a class of the source."""

    of: Class


@attrs.frozen(eq=False)
class Function:
    """A function of the source: where it was defined, its defaults, and the object it is bound to."""

    home: Home
    node: ast.FunctionDef | ast.AsyncFunctionDef
    scope: Scope
    defaults: dict[str, Values]
    bound: Values = ()


@attrs.frozen(eq=False)
class Method:
    """A method of a dict that is about to be called."""

    table: Table
    name: str


@attrs.frozen(eq=False)
class Module:
    """A module of the project that is scanned."""

    home: Home


@attrs.frozen(eq=False)
class Partial:
    """A callable with some of its arguments."""

    target: Values
    args: Args


Value: TypeAlias = Const | Ref | Table | Row | Class | Instance | Function | Method | Module | Partial
Values: TypeAlias = tuple[Value, ...]


@attrs.define(eq=False)
class Scope:
    """The names of a module, a class or a function, and the scope around it."""

    names: dict[str, Values]
    outer: Scope | None = None
    is_class: bool = False
    elsewhere: dict[str, Scope] = attrs.field(factory=dict)
    returns: list[Values] = attrs.field(factory=list)

    def find(self, name: str) -> Values | None:
        """What the name stands for: `None` if it was never given, `()` if it is unknown."""
        if name in self.names and name not in self.elsewhere:
            return self.names[name]
        scope = self.outer
        while scope is not None:
            if name in scope.names and not scope.is_class:
                return scope.names[name]
            scope = scope.outer
        return None

    def give(self, name: str, values: Values) -> None:
        """Let the name stand for these values, here or where `global` and `nonlocal` point."""
        self.elsewhere.get(name, self).names[name] = values

    def owner_of(self, name: str) -> Scope:
        """The nearest scope around this one that has the name, or the module's."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
            if name in scope.names and not scope.is_class:
                break
        return scope


def union(many: Iterable[Values]) -> Values:
    """All the values once; unknown if there are too many."""
    found = tuple(dict.fromkeys(value for values in many for value in values))
    return found if len(found) <= _MOST else ()


def merge(branches: list[dict[str, Values]]) -> dict[str, Values]:
    """What names may stand for after any one of several branches."""
    names = dict.fromkeys(name for branch in branches for name in branch)
    return {name: union(branch.get(name, ()) for branch in branches) for name in names}


def text_of(values: Values) -> list[str]:
    """The texts among the values."""
    return [value.value for value in values if isinstance(value, Const) and isinstance(value.value, str)]


def joined(table: Table, values: Values) -> Table:
    """The table with the entries of another one on top, as `{**table, **other}` gives it."""
    if len(values) == 1 and isinstance(values[0], Table):
        return Table({**table.items, **values[0].items}, table.open or values[0].open)
    return Table(table.items, open=True)


def with_entry(table: Table, key: Values, values: Values) -> Table:
    """The table with one more entry."""
    if len(key) == 1 and isinstance(key[0], Const):
        return Table({**table.items, str(key[0].value): values}, table.open)
    return Table(table.items, open=True)


def called_on_table(method: Method, args: Args) -> Values:
    """What a method of a dict returns; `update` changes the table."""
    table = method.table
    match method.name, args.positional:
        case "update", given:
            more = joined(Table({}), given[0]) if given else Table({})
            table.items.update({**more.items, **args.named})
            table.open |= more.open or args.open
        case "copy", _:
            return (Table(dict(table.items), table.open),)
        case (("get" | "pop" | "setdefault"), ((Const(key),), *default)):
            return table.items.get(str(key)) or union(default)
        case "values", _:
            return (Row(tuple(table.items.values())),)
    return ()
