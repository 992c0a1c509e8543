"""Where a run stands, as a value: two readings in the same state go on alike, so the dearer one can be given up.

A state is everything that decides how the code goes on: the code and the line of each function it is in, its local
variables and what lies on its stack (the iterator of a loop is only there). What cannot be compared for certain makes a
state that equals no other: then nothing is given up, and the search is slower but never wrong.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any, cast

from nurture.journey import lead, open_step
from nurture.journey import run as running
from nurture.journey.explaining.liveness import live_names
from nurture.journey.facts import Chosen, Done, Waited
from nurture.journey.keys import Key
from nurture.journey.lead import Answer, Lead, OnOffer
from nurture.journey.reads import Length
from nurture.journey.run import Run
from nurture.journey.skipped import Skipped, Unknown

_OURS = {lead.__file__, running.__file__, open_step.__file__}
_PLAIN = (int, float, complex, str, bytes, bool, type(None), date, time, timedelta, tzinfo, range, type(...))
_ITERATORS: tuple[type[Any], ...] = tuple(
    type(each)
    for each in cast(
        "tuple[Any, ...]",
        (
            iter([]),
            iter(()),
            iter(range(0)),
            iter(""),
            iter({}),
            iter({}.items()),
            iter({}.values()),
            reversed([]),
            reversed(range(0)),
            enumerate([]),
            zip([]),
            map(str, []),
            filter(None, []),
        ),
    )
)
_DEEPEST = 40


class Unlike:
    """A value that equals nothing but itself."""


class _UnsureError(Exception):
    """Something cannot be compared for certain."""


def state_of(coroutine: Any, run: Run, remembered: Any) -> Any:
    """The state of a run that is lost, with what its reader remembers."""
    last_done = run.last_done.key if run.last_done is not None else ""
    place = (
        run.cursor,
        run.position,
        run.scope,
        run.graduated,
        run.offered,
        run.offer_seen,
        last_done,
        tuple(entry.index for entry in run.caught_up),
        tuple(call.name for call in run.catching_up),
        len(run.renames),
    )
    try:
        return place, remembered, _Freezer().frozen(coroutine, 0)
    except (_UnsureError, RecursionError):
        return Unlike()


def state_without_times(coroutine: Any) -> Any:
    """Where the code of a run stands, however often and whenever it came there: facts count by what they say.

    Code that reads the time of a fact (`answered.at`) may go on otherwise from equal states.
    """
    try:
        return _Freezer(timeless=True).frozen(coroutine, 0)
    except (_UnsureError, RecursionError):
        return Unlike()


class _Freezer:
    """Makes a value of what may change. `timeless`: facts without their times and numbers."""

    def __init__(self, *, timeless: bool = False) -> None:
        self.timeless = timeless
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that nothing made on the way gives its id to another

    def frozen(self, value: Any, depth: int) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case a kind
        if isinstance(value, Enum) or type(value) in _PLAIN:
            return type(value), value
        if depth > _DEEPEST:
            raise _UnsureError
        if id(value) in self._seen:
            return "again", self._seen[id(value)]
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        deeper = depth + 1
        match value:
            case int() | float() | str():  # observed: it compares as its plain value, and asks the judge under its name
                return type(value), value.__hash__(), value.__repr__(), getattr(value, "name", "")
            case Lead() | Run():
                return type(value)
            case Skipped():
                return Skipped, value.met, value.choice, self.frozen(value.value, deeper)
            case Unknown():
                return Unknown
            case Length():
                return Length, value.span, +value
            case OnOffer():
                return OnOffer, value.before
            case Done() | Waited() | Chosen() if self.timeless:
                return type(value), self.frozen(_said(value), deeper)
            case Answer():
                fact = value._fact  # noqa: SLF001 - the journal's own fact
                return Answer, self.frozen(_said(fact), deeper) if self.timeless else id(fact)
            case list() | tuple():
                return type(value), tuple(self.frozen(each, deeper) for each in value)
            case dict():
                return type(value), tuple(self.frozen(each, deeper) for each in _flat(value))
            case set() | frozenset():
                if any(type(each) not in _PLAIN for each in value):
                    raise _UnsureError
                return type(value), frozenset(value)
            case CoroutineType() | GeneratorType():
                return self._code(value, deeper)
            case FunctionType():
                cells = value.__closure__ or ()
                return "function", id(value.__code__), tuple(self.frozen(each, deeper) for each in cells)
            case MethodType():
                return "method", id(value.__func__), self.frozen(value.__self__, deeper)
            case BuiltinFunctionType():
                return "builtin", value.__qualname__, self.frozen(value.__self__, deeper)
            case CellType():
                try:
                    return "cell", self.frozen(value.cell_contents, deeper)
                except ValueError:
                    return "empty cell"
            case ModuleType() | type() | CodeType():
                return id(value)
        if isinstance(value, _ITERATORS):
            reduced: Any = value.__reduce__()
            return type(value), self.frozen(tuple(reduced[1:]), deeper)
        return self._object(value, deeper)

    def _code(self, owner: Any, depth: int) -> Any:
        """A coroutine or generator that is suspended: where it is, its variables, its stack."""
        coroutine = isinstance(owner, CoroutineType)
        frame: FrameType | None = owner.cr_frame if coroutine else owner.gi_frame
        if frame is None:
            return "over"
        here: Any = (id(frame.f_code), frame.f_lasti)
        inner = owner.cr_await if coroutine else owner.gi_yieldfrom
        if frame.f_code.co_filename in _OURS:
            return here, self.frozen(inner, depth) if isinstance(inner, CoroutineType) else None
        local = frame.f_locals
        referents = [
            each for each in gc.get_referents(owner) if each is not local and not isinstance(each, FrameType | CodeType)
        ]
        if self.timeless:
            live = live_names(frame.f_code, frame.f_lasti)
            for name, each in local.items():
                if name not in live:
                    _remove(referents, each)
            local = {name: each for name, each in local.items() if name in live}
        return here, tuple(sorted(local)), tuple([self.frozen(each, depth) for each in referents])

    def _object(self, value: Any, depth: int) -> Any:
        """An object of a class written in Python, by its attributes."""
        if is_dataclass(value):
            return type(value), tuple(self.frozen(getattr(value, each.name), depth) for each in fields(value))
        if isinstance(value, Iterator) or not hasattr(value, "__dict__"):
            raise _UnsureError
        return type(value), self.frozen(vars(value), depth)


def _said(fact: Done | Waited | Chosen) -> tuple[Any, ...]:
    match fact:
        case Done():
            return Key.parse(fact.key).place, fact.result, fact.reason, fact.value
        case Waited():
            return fact.by, fact.name, fact.subject
        case Chosen():
            return Key.parse(fact.key).place, fact.choice


def _remove(values: list[Any], value: Any) -> None:
    """Take one occurrence of this very object out."""
    for index, each in enumerate(values):
        if each is value:
            del values[index]
            return


def _flat(mapping: dict[Any, Any]) -> Iterator[Any]:
    for pair in dict.items(mapping):
        yield from pair
