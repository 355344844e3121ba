"""Functions of the source: defined, entered with arguments, and told by their annotations.

The rule: a function is read with what each call gives it, and once with its defaults; how many calls are
followed, and how deep, is bounded. Calls that hand over a client, a model or an address come first.
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Sequence

from ._evaluate import MOST_NODES, Evaluator
from ._image_calls import CLIENTS, is_telling
from ._known import Args, Class, Function, Instance, Ref, Row, Scope, Table, Values, union
from ._syntax import expression

_STEPS = 400  # calls of functions of the source that are followed, if they are given something telling
_PASSES = 3  # and those of one function, if they are not
_DEPTH = 6


class Functions(Evaluator):
    """Reads definitions and calls of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Function] = []
        self._active: list[ast.AST] = []
        self._steps = 0
        self._returned: dict[ast.AST, tuple[int, Values]] = {}

    @abc.abstractmethod
    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Read statements in order."""

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        marks = {part.id for part in node.decorator_list if isinstance(part, ast.Name)}
        self.decorators.update(node.decorator_list)
        for decorator in node.decorator_list:
            self.value(decorator, scope)
        spec = node.args
        places = [*spec.posonlyargs, *spec.args]
        defaults = dict(
            zip([p.arg for p in places][len(places) - len(spec.defaults) :], spec.defaults, strict=True)
        )
        defaults |= {p.arg: d for p, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d}
        known = {name: self.value(default, scope) for name, default in defaults.items()}
        owner = scope.names.get("__class__", ()) if scope.is_class and "staticmethod" not in marks else ()
        if owner and "classmethod" not in marks:
            owner = tuple(Instance(one) for one in owner if isinstance(one, Class))
        function = Function(self, node, scope, known, owner)
        self.waiting.append(function)
        if "property" in marks or "cached_property" in marks:
            scope.give(node.name, self.enter(function, None))
        else:
            scope.give(node.name, (function,))

    _AsyncFunctionDef = _FunctionDef

    def enter(self, function: Function, args: Args | None) -> Values:
        """Read the body of a function with these arguments (`None`: with its defaults); what it returns."""
        if function.home is not self:
            return function.home.enter(function, args)
        node = function.node
        if node in self._active or len(self._active) >= _DEPTH:
            return ()
        passes, returned = self._returned.get(node, (0, ()))
        if args is not None:
            telling = is_telling(args)
            if self.nodes >= MOST_NODES or (self._steps >= _STEPS if telling else passes >= _PASSES):
                return returned
            self._steps += telling
        scope = Scope(self._parameters(function, args), function.scope)
        self._active.append(node)
        before, self.waiting = self.waiting, []
        try:
            self.block(node.body, scope)
            for inner in self.waiting:
                self.enter(inner, None)
        finally:
            self.waiting = before
            self._active.pop()
        hint = self.annotated(node.returns, function.scope) if node.returns else ()
        returned = union(scope.returns) or hint
        self._returned[node] = passes + 1, returned
        return returned

    def _parameters(self, function: Function, args: Args | None) -> dict[str, Values]:
        spec = function.node.args
        names: dict[str, Values] = {}
        places = [*spec.posonlyargs, *spec.args]
        given = list(args.positional) if args else []
        left = dict(args.named) if args else {}
        if function.bound and places:
            names[places.pop(0).arg] = function.bound
        for place in (*places, *spec.kwonlyargs):
            if given and place in places:
                names[place.arg] = given.pop(0)
            elif place.arg in left:
                names[place.arg] = left.pop(place.arg)
            else:
                hint = self.annotated(place.annotation, function.scope) if place.annotation else ()
                names[place.arg] = union((function.defaults.get(place.arg, ()), hint))
        if spec.vararg:
            names[spec.vararg.arg] = (Row(tuple(given)),)
        if spec.kwarg:
            names[spec.kwarg.arg] = (Table(left, open=args is None or args.open),)
        return names

    def annotated(self, node: ast.expr, scope: Scope) -> Values:
        """What a value with this annotation is, if that is a client or a class of the source."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            quoted = expression(node.value)
            return self.annotated(quoted, scope) if quoted is not None else ()
        if isinstance(node, ast.BinOp):
            return union((self.annotated(node.left, scope), self.annotated(node.right, scope)))
        if isinstance(node, ast.Subscript):
            first = (
                node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            )
            return self.annotated(first, scope)
        found: list[Values] = []
        for value in self.value(node, scope) if isinstance(node, ast.Name | ast.Attribute) else ():
            if isinstance(value, Class):
                found.append((Instance(value),))
            elif isinstance(value, Ref) and CLIENTS.fullmatch(value.path):
                made = Args((), {"model": (), "successor": ()}) if value.path.startswith("dalle2") else None
                found.append((Ref(f"{value.path}()", made),))
        return union(found)
