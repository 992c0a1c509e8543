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
from types import ModuleType
from typing import Any

from nurture.journey.own import is_activity, name_of
from nurture.journey.source import Source
from nurture.journey.step_rules import recursion_breaches, step_breaches

CLOCKS = {"now", "utcnow", "today"}
FORBIDDEN_BUILTINS = {"open", "input", "print", "exec", "eval", "__import__", "breakpoint"}
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
LIBRARIES = sys.stdlib_module_names | {"nurture", "activities", "perennial", "temporalio"}
REMEDY = "a track reads the lead and awaits its steps; put the rest into an activity and call it with lead.do(...)"


def broken_rules(function: Callable[..., Any]) -> list[str]:
    """One line for each rule broken in the function or in the helpers it calls: `file:line: what; remedy`."""
    calls: dict[Any, set[Any]] = {}
    found: list[tuple[Callable[..., Any], Source]] = []
    for each in _with_helpers(function, calls):
        with suppress(OSError):  # made without a source file
            found.append((each, Source(each, story=each is function)))
    return [breach for each, source in found for breach in _source_breaches(each, source, calls)]


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
        called = [one for one in inspect.getclosurevars(each).globals.values() if inspect.isfunction(one)]
        calls[each] = {one for one in called if _is_helper(one, function)}
        waiting += [one for one in called if one in calls[each]]


def helpers_of(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The function, and the helpers that it calls, directly or not."""
    return list(_with_helpers(function, {}))


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
        why = FORBIDDEN_MODULES.get(module.partition(".")[0])
        if why:
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
    why = FORBIDDEN_MODULES.get(module.partition(".")[0].removeprefix("_"))
    if why:
        yield node.lineno, f"{why} ({said})"
