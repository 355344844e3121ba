"""What a name may stand for, as far as reading the source can tell.

The rule: a name stands for any of several values; none at all means "unknown". Nothing is ever run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Protocol, TypeAlias

import attrs

_MOST_KEYS = 1000
_MOST = 16  # a name that may stand for more than this is as good as unknown
LONGEST = 500  # characters: a longer text is no model, no size and no address


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
    """A text, a number, a truth value or `None`, as written; `constant` makes one."""

    value: object


@attrs.frozen
class Tail:
    """A text of which only the end is known: `f"{base}/images/generations"`."""

    text: str


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

    def find(self, name: str) -> Values:
        """The attribute, from here or from the nearest bases that have it."""
        found: list[Values] = []
        seen: set[Class] = set()
        left = [self]
        while left:
            cls = left.pop()
            if name in cls.attributes:
                found.append(cls.attributes[name])
            elif cls not in seen:
                left += [base for base in cls.bases if isinstance(base, Class)]
            seen.add(cls)
        return union(found)


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
    """A method of a dict or a text that is about to be called."""

    owner: Table | Const
    name: str


@attrs.frozen(eq=False)
class Module:
    """A module of the project that is scanned."""

    home: Home


@attrs.frozen(eq=False)
class Partial:
    """A callable with some of its arguments."""

    target: Value
    args: Args


Value: TypeAlias = Const | Tail | Ref | Table | Row | Class | Instance | Function | Method | Module | Partial
Values: TypeAlias = tuple[Value, ...]


@attrs.define(eq=False)
class Scope:
    """The names of a module, a class or a function, and the scope around it."""

    names: MutableMapping[str, Values]
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


def text_of(values: Values) -> list[str]:
    """The texts among the values."""
    return [value.value for value in values if isinstance(value, Const) and isinstance(value.value, str)]


def joined(table: Table, values: Values) -> Table:
    """The table with the entries of another one on top, as `{**table, **other}` gives it."""
    other = values[0] if len(values) == 1 else None
    if not isinstance(other, Table) or len(table.items) + len(other.items) > _MOST_KEYS:
        return Table(table.items, open=True)
    return Table({**table.items, **other.items}, table.open or other.open)


def put(table: Table, key: Values, values: Values) -> None:
    """Put an entry into the table itself."""
    if len(key) == 1 and isinstance(key[0], Const):
        table.items[str(key[0].value)] = values
    else:
        table.open = True


def constant(value: object) -> Values:
    """What is written as a constant; unknown if it is long, or of a kind that is never looked for."""
    if isinstance(value, str):
        return (Const(value),) if len(value) <= LONGEST else ()
    if isinstance(value, int):
        return (Const(value),) if value.bit_length() <= 64 else ()
    return (Const(value),) if value is None or isinstance(value, float) else ()


def text_from(parts: Sequence[Values]) -> Values:
    """The text that these parts make together, or its end if not all of them are known."""
    text, whole = "", True
    for values in reversed(parts):
        part = values[0] if len(values) == 1 else None
        if not isinstance(part, Const | Tail):
            whole = False
            break
        text = (str(part.value) if isinstance(part, Const) else part.text) + text
        whole = isinstance(part, Const)
        if len(text) > LONGEST:
            return ()
        if not whole:
            break
    if whole:
        return (Const(text),)
    return (Tail(text),) if text else ()


def called_on(method: Method, args: Args) -> Values:
    """What a method of a dict or a text returns; `update` changes the table."""
    if isinstance(method.owner, Const):
        return _called_on_text(str(method.owner.value), method.name, args)
    table = method.owner
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
        case "encode", _:  # of json.dumps(table)
            return (table,)
    return ()


def _called_on_text(text: str, name: str, args: Args) -> Values:
    match name, args.positional:
        case "format", given:
            written: list[Values] = [(Const(piece),) for piece in text.split("{}")]
            if len(written) != len(given) + 1 or "{" in text.replace("{}", ""):
                return (Tail(text.rpartition("}")[2]),)
            return text_from([part for pair in zip(((), *given), written, strict=True) for part in pair][1:])
        case "lower", ():
            return (Const(text.lower()),)
        case (("strip" | "lstrip" | "rstrip"), ()):
            return (Const(text.strip()),)
        case (("strip" | "lstrip" | "rstrip"), ((Const(str(ends)),),)):
            return (Const(text.strip(ends)),)
    return ()


def unbound(value: Value) -> Value:
    """A method as its class gives it: without the object, but a class method keeps its class."""
    if isinstance(value, Function) and any(isinstance(one, Instance) for one in value.bound):
        return Function(value.home, value.node, value.scope, value.defaults)
    return value
