"""Which context managers swallow everything that leaves their block, also what lets a lead rest."""

import ast
import builtins
import inspect
from contextlib import suppress
from typing import Any

from nurture.journey.source import Source

SWALLOWS = (BaseException, GeneratorExit)


def swallows(manager: Any) -> bool:
    """Whether a manager, its class, or a `@contextmanager` swallows every exception, as its source says."""
    with suppress(OSError, SyntaxError, TypeError):
        function = inspect.unwrap(manager) if callable(manager) else manager
        if inspect.isgeneratorfunction(function):
            return _catches_at_yield(Source(function))
        kind = manager if inspect.isclass(manager) else type(manager)
        leaves = getattr(kind, "__exit__", None)
        if inspect.isfunction(leaves):
            return _says_true(Source(leaves))
    return False


def _says_true(source: Source) -> bool:
    returned = (node.value for node in ast.walk(source.tree) if isinstance(node, ast.Return))
    return any(isinstance(value, ast.Constant) and bool(value.value) for value in returned)


def _catches_at_yield(source: Source) -> bool:
    """Whether a `try` around the yield catches everything and does not raise it again."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Try) or not _has(node.body, ast.Yield):
            continue
        if _has(node.finalbody, ast.Return):
            return True
        for handler in node.handlers:
            caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            everything = any(each is None or _value(each, source) in SWALLOWS for each in caught)
            if everything and not _has(handler.body, ast.Raise):
                return True
    return False


def _has(body: list[ast.stmt], kind: type[ast.AST]) -> bool:
    return any(isinstance(inner, kind) for each in body for inner in ast.walk(each))


def _value(caught: ast.expr, source: Source) -> Any:
    return getattr(builtins, caught.id, None) if isinstance(caught, ast.Name) else source.value(caught)
