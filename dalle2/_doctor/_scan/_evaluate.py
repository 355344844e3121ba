"""Expressions: what each may stand for, and the calls in it.

The rule: every part of an expression is read, since a call can stand anywhere; what has no known value
is `()`.
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Sequence

from ._image_calls import Site, at_address, copied, is_operation, made_address, of_unknown, plain, site_of
from ._known import (
    Args,
    Class,
    Const,
    Function,
    Home,
    Instance,
    Method,
    Module,
    Partial,
    Ref,
    Row,
    Scope,
    Table,
    Tail,
    Value,
    Values,
    called_on,
    constant,
    joined,
    put,
    text_from,
    unbound,
    union,
)

MOST_NODES = 500_000  # expressions that are read in one source before no call is followed any more
_LONGEST_PATH = 200
_ENVIRONMENT = frozenset({"os.environ.get", "os.getenv", "environ.get"})
# A call that stands for its default: a field, an option of a command.
_DEFAULTED = frozenset(
    {"attr.ib", "attrs.field", "dataclasses.field", "pydantic.Field", "typer.Argument", "typer.Option"}
)


class Evaluator(abc.ABC):
    """Reads expressions; what follows a function of the source is left to `enter`."""

    def __init__(self) -> None:
        self.scope = Scope({})
        self.sites: list[Site] = []
        self.nodes = 0
        self.decorators: set[ast.expr] = set()
        self._lacking: set[ast.expr] = set()  # attributes that something known does not have

    @abc.abstractmethod
    def find(self, module: str, level: int = 0) -> Home | None:
        """Another module of the project."""

    @abc.abstractmethod
    def enter(self, function: Function, args: Args | None) -> Values:
        """What the function returns, called with these arguments."""

    @abc.abstractmethod
    def assign(self, target: ast.expr, values: Values, scope: Scope) -> None:
        """Let the target stand for these values."""

    def value(self, node: ast.expr, scope: Scope) -> Values:
        """What the expression may stand for."""
        self.nodes += 1
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is not None:
            found: Values = method(node, scope)
            return found
        self.parts(node, scope)
        return ()

    def parts(self, node: ast.AST, scope: Scope) -> None:
        """Read the expressions that something is made of."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child, scope)

    def elements(self, values: Values) -> Values:
        """What iterating over the values may give."""
        rows = [item for value in values if isinstance(value, Row) for item in value.items]
        keys = [(Const(key),) for value in values if isinstance(value, Table) for key in value.items]
        return union([*rows, *keys])

    def _Constant(self, node: ast.Constant, scope: Scope) -> Values:
        return constant(node.value)

    def _Name(self, node: ast.Name, scope: Scope) -> Values:
        found = scope.find(node.id)
        if found is None:
            return (Ref("builtins.dict"),) if node.id == "dict" else ()
        return found

    def _Attribute(self, node: ast.Attribute, scope: Scope) -> Values:
        owners = self.value(node.value, scope)
        found = union(self.attribute(owner, node.attr) for owner in owners)
        if owners and not found:
            self._lacking.add(node)
        return found

    def attribute(self, owner: Value, name: str) -> Values:
        """The attribute of one value."""
        match owner:
            case Ref():
                path = plain(f"{owner.path}.{name}")
                if len(path) > _LONGEST_PATH:
                    return ()
                module = self.find(path) if owner.made is None else None
                return (Ref(path, owner.made),) if module is None else (Module(module),)
            case Module():
                values = owner.home.scope.names.get(name)
                module = owner.home.find(name, 1) if values is None else None
                return (Module(module),) if module else values or ()
            case Instance():
                return owner.of.find(name)
            case Class():
                return tuple(unbound(one) for one in owner.find(name))
            case Table():
                return (Method(owner, name),)
            case Const() if name == "value":  # of a member of an Enum
                return (owner,)
            case Const(str()):
                return (Method(owner, name),)
        return ()

    def _Await(self, node: ast.Await, scope: Scope) -> Values:
        return self.value(node.value, scope)

    def _IfExp(self, node: ast.IfExp, scope: Scope) -> Values:
        self.value(node.test, scope)
        return union((self.value(node.body, scope), self.value(node.orelse, scope)))

    def _BoolOp(self, node: ast.BoolOp, scope: Scope) -> Values:
        found = union(self.value(part, scope) for part in node.values)
        if isinstance(node.op, ast.Or):  # `x or "default"`: what is empty gives way to the next
            found = tuple(value for value in found if value not in (Const(None), Const("")))
        return found

    def _BinOp(self, node: ast.BinOp, scope: Scope) -> Values:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        match node.op, left, right:
            case ast.Add(), _, (Const(str()),) | (Tail(),):
                return text_from([left, right])
        return ()

    def _JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> Values:
        return text_from([self.value(part, scope) for part in node.values])

    def _FormattedValue(self, node: ast.FormattedValue, scope: Scope) -> Values:
        values = self.value(node.value, scope)
        return () if node.format_spec or node.conversion != -1 else values

    def _List(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Values:
        return (Row(tuple(self.value(part, scope) for part in node.elts)),)

    _Tuple = _Set = _List

    def _Dict(self, node: ast.Dict, scope: Scope) -> Values:
        table = Table({})
        for key, part in zip(node.keys, node.values, strict=True):
            values = self.value(part, scope)
            if key is None:
                table = joined(table, values)
            else:
                put(table, self.value(key, scope), values)
        return (table,)

    def _Subscript(self, node: ast.Subscript, scope: Scope) -> Values:
        owners, keys = self.value(node.value, scope), self.value(node.slice, scope)
        found: list[Values] = []
        for owner in owners:
            match owner, keys:
                case Table(), (Const(key),):
                    found.append(owner.items.get(str(key), ()))
                case Table(), _:
                    found += owner.items.values()
                case Row(), (Const(int(index)),) if -len(owner.items) <= index < len(owner.items):
                    found.append(owner.items[index])
        return union(found)

    def _Lambda(self, node: ast.Lambda, scope: Scope) -> Values:
        spec = node.args
        places = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        inside = Scope({place.arg: () for place in places if place}, scope)
        for default in (*spec.defaults, *filter(None, spec.kw_defaults)):
            self.value(default, scope)
        self.value(node.body, inside)
        return ()

    def _ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Values:
        return (Row((self._comprehended(node.generators, [node.elt], scope),)),)

    _SetComp = _GeneratorExp = _ListComp

    def _DictComp(self, node: ast.DictComp, scope: Scope) -> Values:
        self._comprehended(node.generators, [node.key, node.value], scope)
        return (Table({}, open=True),)

    def _comprehended(
        self, generators: Sequence[ast.comprehension], parts: Sequence[ast.expr], scope: Scope
    ) -> Values:
        inside = Scope({}, scope)
        for generator in generators:
            self.assign(generator.target, self.elements(self.value(generator.iter, inside)), inside)
            for test in generator.ifs:
                self.value(test, inside)
        return union([self.value(part, inside) for part in parts])

    def _Call(self, node: ast.Call, scope: Scope) -> Values:
        functions = self.value(node.func, scope)
        args = self._arguments(node, scope)
        for value in (value for values in args.positional for value in values):
            self._handed_over(value, functions, args, node)
        addressed = not any(isinstance(function, Function | Class) for function in functions)
        site = at_address(args, node) if addressed else None
        if node not in self.decorators:  # a decorator with such an address is a server's own route
            self._keep(site)
        if not functions and not self._lacking & {node.func, getattr(node.func, "value", None)}:
            self._keep(of_unknown(args, node))
        found = union(self._applied(function, args, node) for function in functions)
        if addressed and site is None and all(isinstance(value, Ref) for value in found):
            return made_address(args) or found
        return found

    def _handed_over(self, value: Value, functions: Values, args: Args, node: ast.Call) -> None:
        """A method that is handed over with its arguments: to to_thread(), submit() and their like.

        A partial() that names its model is told where it is made, any other where it is handed over
        or called.
        """
        method = value
        if isinstance(value, Partial):
            method, args = value.target, value.args
        if isinstance(value, Partial) if "model" in args.named else _waits(functions, args):
            return
        if isinstance(method, Ref) and is_operation(method.path):
            self._keep(site_of(method, Args((), args.named, args.open), node))

    def _keep(self, site: Site | None) -> None:
        if site is not None:
            self.sites.append(site)

    def _arguments(self, node: ast.Call, scope: Scope) -> Args:
        positional = [self.value(part, scope) for part in node.args]
        table = Table({})
        for keyword in node.keywords:
            values = self.value(keyword.value, scope)
            if keyword.arg is None:
                table = joined(table, values)
            else:
                table.items[keyword.arg] = values
        return Args(tuple(positional), table.items, table.open)

    def _applied(self, function: Value, args: Args, node: ast.Call) -> Values:
        match function:
            case Ref():
                return self._called(function, args, node)
            case Function():
                return self.enter(function, args)
            case Class():
                return self._made(function, args)
            case Method():
                return called_on(function, args)
            case Partial():
                if "model" in args.named or "model" not in function.args.named:  # else told where it was made
                    return self._applied(function.target, args.over(function.args), node)
        return ()

    def _called(self, ref: Ref, args: Args, node: ast.Call) -> Values:
        if ref.path in _ENVIRONMENT:
            return args.positional[1] if len(args.positional) > 1 else args.named.get("default", ())
        if ref.path in _DEFAULTED:
            return args.named.get("default") or (args.positional[0] if args.positional else ())
        if ref.path == "builtins.dict":
            table = joined(Table({}), args.positional[0]) if args.positional else Table({})
            return (joined(table, (Table(args.named, args.open),)),)
        if ref.path == "json.dumps" and args.positional:  # the body of a request
            return args.positional[0]
        if _is_partial(ref) and args.positional:
            more = Args(args.positional[1:], args.named, args.open)
            return union((_partial(target, more),) for target in args.positional[0])
        if copied(ref.path):
            return (Ref(ref.path.rpartition(".")[0], args.over(ref.made or Args())),)
        self._keep(site_of(ref, args, node))
        return (Ref(f"{ref.path}()", args),)

    def _made(self, cls: Class, args: Args) -> Values:
        for init in cls.find("__init__"):
            if isinstance(init, Function):
                self.enter(init, args)
                return (Instance(cls),)
        for name, values in args.named.items():
            cls.attributes[name] = union((cls.find(name), values))
        return (Instance(cls),)


def _partial(target: Value, args: Args) -> Partial:
    """`partial(target, …)`; one of a partial is one of what that calls."""
    if isinstance(target, Partial):
        return Partial(target.target, args.over(target.args))
    return Partial(target, args)


def _waits(functions: Values, args: Args) -> bool:
    """Whether what is handed over is called later, with arguments that are not here."""
    return any(_is_partial(one) for one in functions) or not (args.named or args.open)


def _is_partial(value: Value) -> bool:
    return isinstance(value, Ref) and value.path == "functools.partial"
