"""Statements, read in order: what each name stands for, and which calls make images.

The rule: every branch is taken, a loop once, and a function with what it is given, then once more with its
defaults. All that is found is collected; the number of steps is bounded, so that no source can keep the
scanner busy.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Callable, Sequence

import attrs

from ._functions import Functions
from ._image_calls import STARRED, Host, Site, host_at, worse
from ._known import Class, Const, Home, Instance, Module, Ref, Row, Scope, Table, Values, put, union

_HOST_SETTINGS = ("openai.api_base", "openai.base_url")


class Walker(Functions):
    """Reads a module and collects the calls that make images."""

    def __init__(self, finder: Callable[[str, int], Home | None] | None = None) -> None:
        super().__init__()
        self._finder = finder
        self._host: Host = "openai"  # what the module lets openai.api_base point to
        self._branching = 0
        self.lost: list[int] = []

    def find(self, module: str, level: int = 0) -> Home | None:
        """Another module of the project, as an import in this one finds it."""
        return self._finder(module, level) if self._finder else None

    def read(self, body: Sequence[ast.stmt]) -> None:
        """Read the statements of the module itself; what its names stand for is known then.

        Those that are nested too deeply to be followed are `lost`, by their lines, like functions
        in `finish`.
        """
        for node in body:
            try:
                self.block([node], self.scope)
            except RecursionError:
                self.lost.append(node.lineno)

    def finish(self) -> None:
        """Read what waits inside functions."""
        # Twice, because what one method puts into `self` another one may read before.
        for _ in range(2):
            waiting, self.waiting = self.waiting, []
            for function in waiting:
                self.waiting.append(function)
                try:
                    self.enter(function, None)
                except RecursionError:
                    self.lost.append(function.node.lineno)

    def found(self) -> list[Site]:
        """All the calls that make images."""
        return [
            attrs.evolve(site, host=worse(site.host, self._host))
            if site.made is None and site.api.startswith("openai")
            else site
            for site in self.sites
        ]

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Read statements in order."""
        for node in body:
            method = getattr(self, f"_{type(node).__name__}", None)
            if method is None:
                self.parts(node, scope)
            else:
                method(node, scope)

    def _branches(self, bodies: Sequence[Sequence[ast.stmt]], scope: Scope) -> None:
        before = scope.names
        ends: list[dict[str, Values]] = []
        self._branching += 1
        try:
            for body in bodies:
                changed: dict[str, Values] = {}
                scope.names = ChainMap(changed, before)
                self.block(body, scope)
                ends.append(changed)
        finally:
            scope.names = before
            self._branching -= 1
        for name in dict.fromkeys(name for end in ends for name in end):
            known = before.get(name, ())
            before[name] = union(end.get(name, known) for end in ends)

    def _Import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            module = self.find(path)
            scope.give(alias.asname or path, (Module(module) if module else Ref(path),))

    def _ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = node.module or ""
        home = self.find(module, node.level)
        for alias in node.names:
            if alias.name != "*":
                scope.give(alias.asname or alias.name, self._imported(node, home, alias.name))
                continue
            known = home.scope.names if home else STARRED.get(module, ())
            for name in known if not node.level or home else ():
                if not name.startswith("_"):
                    scope.give(name, self._imported(node, home, name))

    def _imported(self, node: ast.ImportFrom, home: Home | None, name: str) -> Values:
        inner = self.find(f"{node.module}.{name}" if node.module else name, node.level)
        if home is not None and name in home.scope.names:
            return home.scope.names[name]
        if inner is not None:
            return (Module(inner),)
        return (Ref(f"{'.' * node.level}{node.module or ''}.{name}"),)

    def _Assign(self, node: ast.Assign, scope: Scope) -> None:
        values = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, values, scope)

    def _AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        values = self.value(node.value, scope) if node.value else ()
        self.assign(node.target, values or self.annotated(node.annotation, scope), scope)

    def _AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        changed = ast.BinOp(node.target, node.op, node.value)
        self.assign(node.target, self.value(changed, scope), scope)

    def assign(self, target: ast.expr, values: Values, scope: Scope) -> None:
        """Let the target of an assignment stand for these values."""
        if isinstance(target, ast.Name):
            scope.give(target.id, values)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, (), scope)
        elif isinstance(target, ast.Tuple | ast.List):
            rows = [v.items for v in values if isinstance(v, Row) and len(v.items) == len(target.elts)]
            for index, part in enumerate(target.elts):
                self.assign(part, union(row[index] for row in rows), scope)
        elif isinstance(target, ast.Attribute):
            self._assign_attribute(target, values, scope)
        else:
            assert isinstance(target, ast.Subscript)
            keys = self.value(target.slice, scope)
            for table in self.value(target.value, scope):
                if isinstance(table, Table):
                    put(table, keys, values)

    def _assign_attribute(self, target: ast.Attribute, values: Values, scope: Scope) -> None:
        for owner in self.value(target.value, scope):
            if isinstance(owner, Instance | Class):
                of = owner.of if isinstance(owner, Instance) else owner
                of.attributes[target.attr] = union((of.attributes.get(target.attr, ()), values))
            elif isinstance(owner, Ref):
                path = f"{owner.path}.{target.attr}"
                if path == "openai.api_type":
                    kind: Host = "other" if values else "unknown"
                    self._set_host("openai" if values == (Const("openai"),) else kind)
                elif path in _HOST_SETTINGS:
                    self._set_host(host_at(values))

    def _set_host(self, host: Host) -> None:
        """A setting of the whole module; made under a condition, it may hold or not."""
        if host != "openai":
            self._host = worse(self._host, "unknown" if self._branching else host)

    def _If(self, node: ast.If, scope: Scope) -> None:
        bodies: list[Sequence[ast.stmt]] = []
        rest: Sequence[ast.stmt] = [node]
        while len(rest) == 1 and isinstance(rest[0], ast.If):  # a long chain of elif is no deep nesting
            self.value(rest[0].test, scope)
            bodies.append(rest[0].body)
            rest = rest[0].orelse
        self._branches([*bodies, rest], scope)

    def _While(self, node: ast.While, scope: Scope) -> None:
        self.value(node.test, scope)
        self._branches([node.body, node.orelse], scope)

    def _For(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        self.assign(node.target, self.elements(self.value(node.iter, scope)), scope)
        self._branches([node.body, node.orelse], scope)

    _AsyncFor = _For

    def _With(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for item in node.items:
            values = self.value(item.context_expr, scope)
            if item.optional_vars:
                self.assign(item.optional_vars, values, scope)
        self.block(node.body, scope)

    _AsyncWith = _With

    def _Try(self, node: ast.Try, scope: Scope) -> None:
        handlers = [handler.body for handler in node.handlers]
        self._branches([[*node.body, *node.orelse], *handlers], scope)
        self.block(node.finalbody, scope)

    _TryStar = _Try

    def _Match(self, node: ast.Match, scope: Scope) -> None:
        self.value(node.subject, scope)
        for case in node.cases:
            if case.guard:
                self.value(case.guard, scope)
            for part in ast.walk(case.pattern):
                captured = getattr(part, "name", None) or getattr(part, "rest", None)
                if isinstance(captured, str):
                    scope.give(captured, ())
        self._branches([[], *(case.body for case in node.cases)], scope)

    def _Global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        for name in node.names:
            scope.elsewhere[name] = scope.owner_of(name)

    _Nonlocal = _Global

    def _Return(self, node: ast.Return, scope: Scope) -> None:
        if node.value:
            scope.returns.append(self.value(node.value, scope))

    def _ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        bases = union(self.value(base, scope) for base in node.bases)
        for decorator in node.decorator_list:
            self.value(decorator, scope)
        made = Class({}, bases)
        inside = Scope({"__class__": (made,)}, scope, is_class=True)
        scope.give(node.name, (made,))
        self.block(node.body, inside)
        inside.names.pop("__class__")
        for name, values in inside.names.items():
            made.attributes[name] = union((made.attributes.get(name, ()), values))
        inside.names["__class__"] = (made,)
