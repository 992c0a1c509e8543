"""The rule about sets: nothing is taken from one in its own order, which differs from one process to the next."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress

from nurture.journey.source import UNKNOWN, Source

ORDERLESS = frozenset({"sorted", "any", "all", "sum", "min", "max", "len", "set", "frozenset"})
KEYED = frozenset({"sorted", "min", "max"})
IN_ORDER = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "dict", "str", "repr"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
SAYS = "takes a set in the order in which it comes, which differs from one process to the next; write sorted(...)"
TIES = (
    "leaves those of a set whose keys are equal in the order in which they come, which differs from one process to the "
    "next; write sorted(sorted(...), key=...)"
)
DEEPEST = 3
"""How many helpers that hand on a helper's set are followed."""


def set_breaches(source: Source, steps: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Where a set's order would decide what happens."""
    sets = _Sets(source)
    for node in ast.walk(source.tree):
        for taken in _taken_in_order(node, source, steps):
            if sets.holds(taken) and not _order_is_lost(node, source):
                yield taken.lineno, TIES if _is_keyed(node) else SAYS


class _Sets:
    """Which expressions of a source are sets."""

    def __init__(self, source: Source, depth: int = 0) -> None:
        self._source = source
        self._depth = depth
        self._names: set[str] = set()
        for _ in range(2):
            for node in ast.walk(source.tree):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value) if self.holds(value):
                        self._names.add(name)
                    case ast.NamedExpr(target=ast.Name(id=name), value=value) if self.holds(value):
                        self._names.add(name)
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=said) if _says_set(said):
                        self._names.add(name)
                    case ast.arg(arg=name, annotation=said) if _says_set(said):
                        self._names.add(name)

    def holds(self, node: ast.expr) -> bool:  # noqa: C901, PLR0911 - a table of cases
        """Whether an expression is a set, as far as the source says."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name(id="set" | "frozenset")):
                return True
            case ast.Call(func=ast.Attribute(value=inner, attr=attr)):
                return (attr in SET_METHODS and self.holds(inner)) or (attr == "get" and self._has_sets(inner))
            case ast.Call(func=ast.Name()):
                return self._returns_one(node.func)
            case ast.Subscript(value=inner):
                return self._has_sets(inner)
            case ast.NamedExpr(value=value):
                return self.holds(value)
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
                return self.holds(left) or self.holds(right) or (_is_keys(left) and _is_keys(right))
            case ast.IfExp(body=body, orelse=other):
                return self.holds(body) or self.holds(other)
            case ast.Name(id=name) if name in self._names:
                return True
            case ast.Name() | ast.Attribute():
                value = self._source.value(node)
                return value is not UNKNOWN and isinstance(value, set | frozenset)
            case _:
                return False

    def _has_sets(self, node: ast.expr) -> bool:
        """Whether an expression is a table of sets."""
        value = self._source.value(node)
        return isinstance(value, Mapping) and any(isinstance(each, set | frozenset) for each in value.values())

    def _returns_one(self, node: ast.expr) -> bool:
        """Whether a helper returns a set, as its signature or its source says."""
        called = self._source.value(node)
        if not inspect.isfunction(called) or self._depth == DEEPEST:
            return False
        with suppress(OSError, SyntaxError):
            source = Source(called)
            sets = _Sets(source, self._depth + 1)
            for each in ast.walk(source.tree):
                match each:
                    case ast.FunctionDef(name=called.__name__, returns=said) if _says_set(said):
                        return True
                    case ast.Return(value=ast.expr() as value) if sets.holds(value):
                        return True
        return False


def _taken_in_order(  # noqa: C901, PLR0912 - a table of cases
    node: ast.AST, source: Source, steps: frozenset[str]
) -> Iterator[ast.expr]:
    match node:
        case ast.For(iter=taken):
            yield taken
        case ast.ListComp(generators=generators) | ast.GeneratorExp(generators=generators):
            yield from (each.iter for each in generators)
        case ast.SetComp(generators=generators) if any(isinstance(each, ast.Await) for each in ast.walk(node)):
            yield from (each.iter for each in generators)
        case ast.Call(func=ast.Name(), args=[taken, *_]) if _is_keyed(node):
            yield taken
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
            yield from right.elts if isinstance(right, ast.Tuple) else [right]
        case ast.DictComp(generators=generators):
            yield from (each.iter for each in generators)
        case ast.Call(func=ast.Name(id=name), args=args) if name in IN_ORDER:
            yield from args
        case ast.Call(func=ast.Attribute(attr="join" | "extend" | "format" | "fromkeys"), args=args):
            yield from args
        case ast.Call(func=ast.Attribute(value=taken, attr="pop"), args=[]):
            yield taken
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if name in source.leads and attr in steps:
            yield from [*node.args, *(keyword.value for keyword in node.keywords)]
        case ast.Starred(value=taken) | ast.FormattedValue(value=taken) | ast.YieldFrom(value=taken):
            yield taken
        case ast.Assign(targets=[ast.Tuple() | ast.List(), *_], value=taken):
            yield taken
        case _:
            pass


def _order_is_lost(node: ast.AST, source: Source) -> bool:
    """Whether what was taken goes straight into something that has no order of its own, or sorts."""
    parent = source.parents.get(node)
    while isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name):
        if parent.func.id in ORDERLESS and not _is_keyed(parent):
            return True
        if parent.func.id not in IN_ORDER:
            return False
        parent = source.parents.get(parent)
    return isinstance(node, ast.Starred) and isinstance(parent, ast.Set)


def _is_keyed(node: ast.AST | None) -> bool:
    """Whether a call sorts, or takes the least or greatest, by a key: two with one key stay in the order of the set."""
    match node:
        case ast.Call(func=ast.Name(id=name), keywords=keywords):
            return name in KEYED and any(each.arg == "key" for each in keywords)
        case _:
            return False


def _is_keys(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="keys" | "items")):
            return True
        case _:
            return False


def _says_set(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name(id="set" | "frozenset" | "Set") | ast.Subscript(value=ast.Name(id="set" | "frozenset" | "Set")):
            return True
        case _:
            return False
