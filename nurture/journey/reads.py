"""What a track reads of its lead: values that tell what they were compared with, and can be taken otherwise.

Each comparison leaves a note for the decision's `because`. A `Judge`, if there is one, hears each comparison that the
code branches on and may turn it round: a reading does so behind the lead, where what was done says which branch was
taken (see `nurture.journey.explaining`); a check does so to see every branch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

Judge = Callable[[str, bool], bool]
"""Told what the code asks (`score < 20`) and what is so, answers what to tell the code."""

_NOT = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Observed:
    """What the observed values share: a name, the notes of the run, and its judge."""

    name: str
    notes: list[Any]
    judge: Judge | None = None

    def _compare(self, value: Any, op: str, compare: Callable[[Any, Any], bool], other: Any) -> bool:
        plain = plain_value(other)
        found = so = compare(value, plain)
        if self.judge is not None:
            found = self.judge(f"{self.name} {op} {plain}", so)
        if found is so:
            self.notes.append((self.name, value, op if found else _NOT[op], plain))
        return found


class ObservedInt(int, Observed):
    """An int read by a track."""

    def __lt__(self, other: float) -> bool:
        return self._compare(int(self), "<", operator.lt, other)

    def __le__(self, other: float) -> bool:
        return self._compare(int(self), "<=", operator.le, other)

    def __gt__(self, other: float) -> bool:
        return self._compare(int(self), ">", operator.gt, other)

    def __ge__(self, other: float) -> bool:
        return self._compare(int(self), ">=", operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return self._compare(int(self), "==", operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self._compare(int(self), "!=", operator.ne, other)

    def __bool__(self) -> bool:
        return self._compare(int(self), "!=", operator.ne, 0)

    __hash__ = int.__hash__


class ObservedFloat(float, Observed):
    """A float read by a track."""

    def __lt__(self, other: float) -> bool:
        return self._compare(float(self), "<", operator.lt, other)

    def __le__(self, other: float) -> bool:
        return self._compare(float(self), "<=", operator.le, other)

    def __gt__(self, other: float) -> bool:
        return self._compare(float(self), ">", operator.gt, other)

    def __ge__(self, other: float) -> bool:
        return self._compare(float(self), ">=", operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return self._compare(float(self), "==", operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self._compare(float(self), "!=", operator.ne, other)

    def __bool__(self) -> bool:
        return self._compare(float(self), "!=", operator.ne, 0)

    __hash__ = float.__hash__


class ObservedStr(str, Observed):  # noqa: SLOT000 - its attributes are set after it is made
    """A string read by a track. Its value is noted when it is read: only a judge hears what it is compared with."""

    def _asked(self, question: str, *, so: bool) -> bool:
        return so if self.judge is None else self.judge(f"{self.name} {question}", so)

    def __eq__(self, other: object) -> bool:
        return self._asked(f"== {other}", so=str.__eq__(self, other) is True)

    def __ne__(self, other: object) -> bool:
        return not self._asked(f"== {other}", so=str.__eq__(self, other) is True)

    def __contains__(self, part: object) -> bool:
        return self._asked(f"contains {part}", so=isinstance(part, str) and str.__contains__(self, part))

    def startswith(self, *args: Any) -> bool:
        """As of a string."""
        return self._asked(f"starts with {args[0]}", so=str.startswith(self, *args))

    def endswith(self, *args: Any) -> bool:
        """As of a string."""
        return self._asked(f"ends with {args[0]}", so=str.endswith(self, *args))

    def __bool__(self) -> bool:
        return self._asked("is known", so=len(self) > 0)

    __hash__ = str.__hash__


class ObservedDict(dict[str, Any]):
    """A mapping that an engineer's own activity returned: what is read from it is observed."""

    observe: Callable[[Any, str], Any]
    name: str
    sample: Any = None

    def __missing__(self, key: str) -> Any:
        if self.sample is None:
            raise KeyError(key)
        return self.sample

    def __getitem__(self, key: str) -> Any:
        return self.observe(super().__getitem__(key), f"{self.name}.{key}")

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, observed; the default if it is missing."""
        return self[key] if key in self else default  # noqa: SIM401 - reads through __getitem__


class SampleDict(dict[str, Any]):
    """A mapping, made to try a track out, in which any key has this value."""

    def __init__(self, sample: Any) -> None:
        super().__init__(any=sample)
        self.sample = sample


class ObservedRecord:
    """A model that an engineer's own activity returned: what is read from it is observed."""

    __slots__ = ("_observe", "_record")

    def __init__(self, record: Any, observe_field: Callable[[Any, str], Any]) -> None:
        self._record = record
        self._observe = observe_field

    def __getattr__(self, name: str) -> Any:
        return self._observe(getattr(self._record, name), name)

    def plain_record(self) -> Any:
        """The record itself."""
        return self._record

    def __eq__(self, other: object) -> bool:
        return bool(self._record == plain_value(other))

    def __hash__(self) -> int:
        return hash(self._record)

    def __repr__(self) -> str:
        return repr(self._record)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The record's class: isinstance and match see the model."""
        return type(self._record)


def observe(value: Any, name: str, notes: list[Any], judge: Judge | None) -> Any:
    """A value as a track reads it: it notes what it is compared with, and the judge is asked."""
    observed: Any
    match value:
        case bool():
            found = value if judge is None else judge(name, value)
            notes.append((name, found))
            return found
        case int():
            observed = ObservedInt(value)
        case float():
            observed = ObservedFloat(value)
        case str():
            observed = ObservedStr(value)
            notes.append((name, value))
        case dict():
            mapping = ObservedDict(value)
            mapping.observe = lambda each, label: observe(each, label, notes, judge)
            mapping.name = name
            mapping.sample = getattr(value, "sample", None)
            return mapping
        case list():
            return [each if isinstance(each, bool) else observe(each, name, notes, judge) for each in value]
        case _ if isinstance(value, BaseModel) or is_dataclass(value):
            return ObservedRecord(value, lambda each, field: _field(each, f"{name}.{field}", notes, judge))
        case _:
            return value
    observed.name, observed.notes, observed.judge = name, notes, judge
    return observed


def _field(value: Any, name: str, notes: list[Any], judge: Judge | None) -> Any:
    return value if callable(value) else observe(value, name, notes, judge)


def plain_value(value: Any) -> Any:
    """A value without what observes it."""
    return value.plain_record() if type(value) is ObservedRecord else _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case ObservedInt():
            return int(value)
        case ObservedFloat():
            return float(value)
        case ObservedStr():
            return str.__str__(value)
        case dict():
            return {plain_value(key): plain_value(each) for key, each in dict.items(value)}
        case list():
            return [plain_value(each) for each in value]
        case _:
            return value


class Length:
    """A length of time that is worked out when it is first needed: a wait that is over never needs it.

    Worked out as of the position where it was read; compares and counts as the timedelta it stands for. `span` is how
    the code says it (`cadence * 2`), by which an edited wait is told from the same wait.
    """

    __slots__ = ("_found", "_work_out", "span")

    def __init__(self, work_out: Callable[[], timedelta], span: str) -> None:
        self._work_out = work_out
        self._found: timedelta | None = None
        self.span = span

    def __pos__(self) -> timedelta:
        if self._found is None:
            self._found = self._work_out()
        return self._found

    @property
    def days(self) -> int:
        """Whole days."""
        return (+self).days

    def total_seconds(self) -> float:
        """Seconds."""
        return (+self).total_seconds()

    def __mul__(self, other: float) -> Length:
        return Length(lambda: +self * other, _said(self.span, "*", other))

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Length:
        return Length(lambda: +self / other, _said(self.span, "/", other))

    def __add__(self, other: timedelta | Length) -> Length:
        return Length(lambda: +self + +other, _said(self.span, "+", _span_of(other)))

    __radd__ = __add__

    def __sub__(self, other: timedelta | Length) -> Length:
        return Length(lambda: +self - +other, _said(self.span, "-", _span_of(other)))

    def __rsub__(self, other: timedelta) -> Length:
        return Length(lambda: other - +self, _said(_span_of(other), "-", self.span))

    def __lt__(self, other: timedelta | Length) -> bool:
        return +self < +other

    def __le__(self, other: timedelta | Length) -> bool:
        return +self <= +other

    def __gt__(self, other: timedelta | Length) -> bool:
        return +self > +other

    def __ge__(self, other: timedelta | Length) -> bool:
        return +self >= +other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, timedelta | Length) and +self == +other

    def __hash__(self) -> int:
        return hash(+self)

    def __str__(self) -> str:
        return str(+self)


def _span_of(length: timedelta | Length) -> str:
    return length.span if isinstance(length, Length) else f"{length.total_seconds():g} s"


@lru_cache(maxsize=1024)
def _said(left: str, op: str, right: float | str) -> str:
    return f"{left} {op} {right}"
