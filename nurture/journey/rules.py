"""The rules that a track's code keeps, checked on its source: no clock, no dice, no I/O, awaits only the lead's steps.

The check reads the function and every function of its own module that it calls, when the track is registered. What
source cannot show (a clock behind a library call) is found when the track is tried out: see `nurture.bench.tryout`.
"""

import ast
import builtins
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import date
from types import ModuleType
from typing import Any

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
REMEDY = "a track reads the lead and awaits its steps; put the rest into an activity and call it with lead.do(...)"


def broken_rules(function: Callable[..., Any]) -> list[str]:
    """One line for each rule broken in the function or in its module's helpers: `file:line: what; remedy`."""
    return [breach for each in _with_helpers(function) for breach in _source_breaches(each)]


def _with_helpers(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The function, and every function of its own module that it calls, directly or not."""
    seen: set[Callable[..., Any]] = set()
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        yield each
        called = inspect.getclosurevars(each).globals.values()
        waiting += [one for one in called if inspect.isfunction(one) and one.__module__ == function.__module__]


def _source_breaches(function: Callable[..., Any]) -> list[str]:
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:
        return []  # made without a source file
    tree = ast.parse(textwrap.dedent("".join(lines)))
    file = inspect.getsourcefile(function) or "?"
    known = inspect.getclosurevars(function)
    names = {**vars(builtins), **known.globals, **known.nonlocals}
    return [f"{file}:{first + line - 1}: {broken}; {REMEDY}" for line, broken in sorted(_breaches(tree, names))]


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
