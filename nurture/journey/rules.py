"""The rules that a track's code keeps, checked on its source: no clock, no dice, no I/O, awaits only the lead's steps.

The check reads the function and every function of its own module that it calls, when the track is registered and once
its file is read to the end. How it takes its steps is `nurture.journey.step_rules`. What
source cannot show (a clock behind a library call) is found when the track is tried out: see `nurture.bench.tryout`.
"""

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from types import CodeType, ModuleType
from typing import Any

from nurture.journey.own import is_activity, name_of
from nurture.journey.source import Source
from nurture.journey.step_rules import recursion_breaches, step_breaches

CLOCKS = {"now", "utcnow", "today"}
FORBIDDEN_BUILTINS = {"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"}
FORBIDDEN_MODULES = {
    "time": "reads a clock",
    "random": "rolls dice",
    "secrets": "rolls dice",
    "uuid": "rolls dice",
    "os": "touches the machine",
    "sys": "touches the machine",
    "io": "does I/O",
    "pathlib": "does I/O",
    "shutil": "does I/O",
    "subprocess": "does I/O",
    "socket": "does I/O",
    "urllib": "does I/O",
    "http": "does I/O",
    "requests": "does I/O",
    "httpx": "does I/O",
    "httpx2": "does I/O",
    "aiohttp": "does I/O",
    "sqlalchemy": "does I/O",
    "asyncio": "awaits something foreign",
    "threading": "awaits something foreign",
    "temporalio": "awaits something foreign",
}
PURE_MODULES = frozenset({"urllib.parse"})
"""They only read text, though what stands beside them does more."""
LIBRARIES = sys.stdlib_module_names | {"nurture", "activities", "perennial", "temporalio"}
REMEDY = "a track reads the lead and awaits its steps; put the rest into an activity and call it with lead.do(...)"


def broken_rules(function: Callable[..., Any]) -> list[str]:
    """One line for each rule broken in the function or in the helpers it calls: `file:line: what; remedy`."""
    calls: dict[Any, set[Any]] = {}
    found = sources_of(function, calls)
    return [breach for each, source in found for breach in _source_breaches(each, source, calls)]


def sources_of(
    function: Callable[..., Any], calls: dict[Any, set[Any]] | None = None
) -> list[tuple[Callable[..., Any], Source]]:
    """The function and its helpers, each with its source; fills in who `calls` whom."""
    found: list[tuple[Callable[..., Any], Source]] = []
    for each in _with_helpers(function, {} if calls is None else calls):
        with suppress(OSError, SyntaxError):  # made without a source file; a lambda in the middle of a statement
            found.append((each, Source(each, story=each is function)))
    return found


def _with_helpers(function: Callable[..., Any], calls: dict[Any, set[Any]]) -> Iterator[Callable[..., Any]]:
    """The function, and the functions of its module and the coroutines of others that it calls, directly or not.

    Fills in who `calls` whom.
    """
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if each in calls:
            continue
        yield each
        called = [one for value in _values_named_in(each) for one in _functions_in(value, function.__module__)]
        calls[each] = {one for one in called if _is_helper(one, function)}
        waiting += [one for one in called if one in calls[each]]


def _values_named_in(function: Callable[..., Any]) -> Iterator[Any]:
    """What the names in a function, and in those that it defines, stand for."""
    yield from inspect.getclosurevars(function).nonlocals.values()
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
        yield from (function.__globals__[name] for name in code.co_names if name in function.__globals__)


def _functions_in(value: Any, module: str) -> Iterator[Callable[..., Any]]:
    """The functions that a value is, wraps or holds: a helper, a table of them, the methods of a class of `module`."""
    value = inspect.unwrap(value) if callable(value) else value
    made_here = value if inspect.isclass(value) else type(value)
    match value:
        case _ if inspect.isfunction(value):
            yield value
        case partial(func=func):
            yield from _functions_in(func, module)
        case dict() | list() | tuple():
            for each in value.values() if isinstance(value, dict) else value:
                if callable(each) and not inspect.isclass(each):
                    yield from _functions_in(each, module)
        case _ if made_here.__module__ == module:
            for each in vars(made_here).values():
                method = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
                if inspect.isfunction(method):
                    yield method
        case _:
            pass


def activities_of(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The own activities that the function and its helpers name, by their names."""
    found: dict[str, Callable[..., Any]] = {}
    for each in _with_helpers(function, {}):
        known = inspect.getclosurevars(each)
        found |= {name_of(one): one for one in (*known.globals.values(), *known.nonlocals.values()) if is_activity(one)}
    return found


def _is_helper(called: Callable[..., Any], function: Callable[..., Any]) -> bool:
    if is_activity(called):
        return False
    if called.__module__ == function.__module__:
        return True
    return inspect.iscoroutinefunction(called) and called.__module__.partition(".")[0] not in LIBRARIES


def _source_breaches(function: Callable[..., Any], source: Source, calls: dict[Any, set[Any]]) -> list[str]:
    known = inspect.getclosurevars(function)
    names = {**vars(builtins), **known.globals, **known.nonlocals}
    found = [(line, f"{broken}; {REMEDY}") for line, broken in _breaches(source.tree, names)]
    found += [*step_breaches(source), *recursion_breaches(source, function, calls)]
    return [f"{source.file}:{source.first + line - 1}: {said}" for line, said in sorted(found)]


def _breaches(tree: ast.AST, names: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from _import_breaches(node)
            case ast.Global() | ast.Nonlocal():
                yield node.lineno, "changes a variable outside the function"
            case ast.AsyncFor() | ast.AsyncWith():
                yield node.lineno, "awaits something foreign (async for, async with)"
            case ast.Name(id=name) if name in FORBIDDEN_BUILTINS and names.get(name) is getattr(builtins, name):
                yield node.lineno, f"does I/O ({name})"
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name)) if name in names:
                yield from _name_breaches(node, names[name])
            case _:
                pass


def _import_breaches(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
    for module in modules:
        if why := forbidden_module(module):
            yield node.lineno, f"{why} (import {module})"


def _name_breaches(node: ast.Name | ast.Attribute, value: Any) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute):
        said = ast.unparse(node)
        if isinstance(value, type) and issubclass(value, date) and node.attr in CLOCKS:
            yield node.lineno, f"reads a clock ({said})"
        elif isinstance(value, ModuleType):
            yield from _module_breaches(node, value.__name__, said)
    elif not isinstance(value, ModuleType) and not isinstance(value, type):
        module = getattr(value, "__module__", None) or ""
        if module.partition(".")[0] in sys.stdlib_module_names or module.partition(".")[0] in FORBIDDEN_MODULES:
            yield from _module_breaches(node, module, node.id)


def _module_breaches(node: ast.expr, module: str, said: str) -> Iterator[tuple[int, str]]:
    if why := forbidden_module(module.removeprefix("_")):
        yield node.lineno, f"{why} ({said})"


def forbidden_module(module: str) -> str | None:
    """What is wrong with a track that calls something of this module; None if nothing is."""
    return None if module in PURE_MODULES else FORBIDDEN_MODULES.get(module.partition(".")[0])
