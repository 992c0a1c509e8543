"""The source of a function as the rules read it: its tree, what its names mean, and which of them hold the lead."""

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable
from functools import cached_property
from typing import Any

UNKNOWN = object()
"""The value of what only a run can know."""

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Source:
    """A function's source. `names` are the globals, builtins and closure values that it sees, its own names left out.

    Raises OSError if the function was made without a source file.
    """

    def __init__(self, function: Callable[..., Any], *, story: bool = False) -> None:
        lines, self.first = inspect.getsourcelines(function)
        self.file = inspect.getsourcefile(function) or "?"
        self.tree = ast.parse(textwrap.dedent("".join(lines)))
        self._story = story
        known = inspect.getclosurevars(function)
        self.names: dict[str, Any] = {**vars(builtins), **function.__globals__, **known.nonlocals}
        self.own = self._own_names() - {name for name in known.globals if name in function.__code__.co_names}
        for name in self.own:
            self.names.pop(name, None)
        self._shared_defaults = {
            name: each.default
            for name, each in inspect.signature(function).parameters.items()
            if isinstance(each.default, list | dict | set)
        }

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Each node's parent."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def leads(self) -> frozenset[str]:
        """The names that hold the lead: a story's argument, arguments called or annotated so, and their other names."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, _FUNCTIONS):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                found |= {each.arg for each in arguments if each.arg == "lead" or _is_lead(each.annotation)}
        if self._story and isinstance(function := self.tree.body[0], ast.AsyncFunctionDef) and function.args.args:
            found.add(function.args.args[0].arg)
        for node in ast.walk(self.tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)) if value in found:
                    found.add(name)
        return frozenset(found)

    def made(self, name: str) -> ast.Call | None:
        """The call that made what a name of the function holds, if it is given once."""
        found = [
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
        ]
        return found[0] if len(found) == 1 and isinstance(found[0], ast.Call) else None

    @cached_property
    def coroutines(self) -> frozenset[str]:
        """The async functions defined inside this one."""
        inner = (node for node in ast.walk(self.tree) if isinstance(node, ast.AsyncFunctionDef))
        return frozenset(node.name for node in inner if node is not self.tree.body[0])

    def value(self, node: ast.expr) -> Any:
        """What an expression stands for, if its source alone says so; else UNKNOWN."""
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
        match node:
            case ast.Name(id=name):
                return self.names.get(name, UNKNOWN)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if _is_open(self.names.get(name)):
                return getattr(self.names[name], attr, UNKNOWN)
            case _:
                return UNKNOWN

    def outside(self, name: str) -> Any:
        """The value of a name that outlives a run: a global, a closure's, a mutable default; else UNKNOWN."""
        name = self._aliases.get(name, name)
        return self._shared_defaults.get(name, self.names.get(name, UNKNOWN))

    @cached_property
    def _aliases(self) -> dict[str, str]:
        """Names that are given once, to what outlives a run."""
        stored = [node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and type(node.ctx) is ast.Store]
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)) if stored.count(name) == 1:
                    found[name] = found.get(value, value)
        return found

    def around(self, node: ast.AST) -> ast.AST | None:
        """The function that a node stands in."""
        found = self.parents.get(node)
        while found is not None and not isinstance(found, _FUNCTIONS):
            found = self.parents.get(found)
        return found

    def _own_names(self) -> set[str]:
        own: set[str] = set()
        for node in ast.walk(self.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    own.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if node is not self.tree.body[0]:
                    own.add(name)
                case _:
                    pass
        return own


def _is_open(value: Any) -> bool:
    """Whether what stands behind a dot may be looked up: of a module or a class it is the same for every lead."""
    return inspect.ismodule(value) or inspect.isclass(value)


def _is_lead(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name(id="Lead") | ast.Attribute(attr="Lead") | ast.Constant(value="Lead"):
            return True
        case _:
            return False
