"""The fingerprint of a track's code: equal for equal code, in every process.

A hint that was made with other code is searched again. The fingerprint covers the functions of the track, the Python
functions and plain values that they refer to, and what they are closed over; a comment or a moved line changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from hashlib import sha256
from itertools import islice
from types import CodeType, FunctionType, ModuleType
from typing import Any

_MOST_PARTS = 20_000
_DEEPEST = 30


def fingerprint(*functions: Callable[..., Any]) -> str:
    """16 hex digits for the code of these functions and of what they refer to."""
    digest = sha256()
    for part in islice(_parts(functions, set(), 0), _MOST_PARTS):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]


def _parts(value: Any, seen: set[int], depth: int) -> Iterator[str]:  # noqa: C901, PLR0912 - one case a kind
    if depth > _DEEPEST:
        return
    match value:
        case None | bool() | int() | float() | str() | bytes():
            yield repr(value)
            return
        case CodeType():
            yield from _parts_of_code(value, seen, depth)
            return
    if id(value) in seen:
        yield "again"
        return
    seen.add(id(value))
    yield type(value).__qualname__
    match value:
        case list() | tuple():
            for each in value:
                yield from _parts(each, seen, depth + 1)
        case dict():
            for key, each in value.items():
                yield from _parts(key, seen, depth + 1)
                yield from _parts(each, seen, depth + 1)
        case set() | frozenset():
            yield from sorted(repr(each) for each in value if isinstance(each, str | int | float))
        case FunctionType():
            yield from _parts_of_function(value, seen, depth + 1)
        case type() | ModuleType():
            yield value.__name__
        case _ if is_dataclass(value):
            for each in fields(value):
                if each.compare:  # not where a segment is written, and the like
                    yield from _parts(getattr(value, each.name), seen, depth + 1)
        case _ if hasattr(value, "__func__"):
            yield from _parts(value.__func__, seen, depth + 1)
        case _ if hasattr(value, "__dict__"):
            yield from _parts(vars(value), seen, depth + 1)
        case _:
            yield repr(value) if type(value).__module__ in ("datetime", "builtins") else ""


def _parts_of_function(function: FunctionType, seen: set[int], depth: int) -> Iterator[str]:
    yield from _parts(function.__code__, seen, depth)
    yield from _parts(function.__defaults__, seen, depth)
    yield from _parts(function.__kwdefaults__, seen, depth)
    for cell in function.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, seen, depth)
        except ValueError:
            yield "empty"
    names = set(_names_in(function.__code__))
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        yield name
        if isinstance(value, ModuleType):
            for attribute in sorted(names & vars(value).keys()):
                if isinstance(vars(value)[attribute], FunctionType):
                    yield from _parts(vars(value)[attribute], seen, depth)
        else:
            yield from _parts(value, seen, depth)


def _parts_of_code(code: CodeType, seen: set[int], depth: int) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for constant in code.co_consts:
        yield from _parts(constant, seen, depth + 1)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
