"""The rule about sets: nothing is taken from one in its own order, which differs from one process to the next."""

import ast
from collections.abc import Iterator

from nurture.journey.source import UNKNOWN, Source

ORDERLESS = frozenset({"sorted", "any", "all", "sum", "min", "max", "len", "set", "frozenset"})
IN_ORDER = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "dict", "str", "repr"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
SAYS = "takes a set in the order in which it comes, which differs from one process to the next; write sorted(...)"


def set_breaches(source: Source, steps: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Where a set's order would decide what happens."""
    sets = _Sets(source)
    for node in ast.walk(source.tree):
        for taken in _taken_in_order(node, source, steps):
            if sets.holds(taken) and not _order_is_lost(node, source):
                yield taken.lineno, SAYS


class _Sets:
    """Which expressions of a source are sets."""

    def __init__(self, source: Source) -> None:
        self._source = source
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

    def holds(self, node: ast.expr) -> bool:  # noqa: PLR0911 - a table of cases
        """Whether an expression is a set, as far as the source says."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name(id="set" | "frozenset")):
                return True
            case ast.Call(func=ast.Attribute(value=inner, attr=attr)):
                return attr in SET_METHODS and self.holds(inner)
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


def _taken_in_order(node: ast.AST, source: Source, steps: frozenset[str]) -> Iterator[ast.expr]:
    match node:
        case ast.For(iter=taken):
            yield taken
        case ast.ListComp(generators=generators) | ast.GeneratorExp(generators=generators):
            yield from (each.iter for each in generators)
        case ast.DictComp(generators=generators):
            yield from (each.iter for each in generators)
        case ast.Call(func=ast.Name(id=name), args=args) if name in IN_ORDER:
            yield from args
        case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=args):
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
        if parent.func.id in ORDERLESS:
            return True
        if parent.func.id not in IN_ORDER:
            return False
        parent = source.parents.get(parent)
    return isinstance(node, ast.Starred) and isinstance(parent, ast.Set)


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
