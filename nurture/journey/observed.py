"""What a track reads: numbers that note what they were compared with, and a length not yet worked out."""

import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any

_NOT = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class ObservedInt(int):
    """An int read by a track. Each comparison leaves a note: what was read, how it compared, and with what."""

    name: str
    notes: list[Any]

    def _compare(self, op: str, compare: Callable[[Any, Any], bool], other: object) -> bool:
        plain = int(other) if isinstance(other, ObservedInt) else other
        found = compare(int(self), plain)
        self.notes.append((self.name, int(self), op if found else _NOT[op], plain))
        return found

    def __lt__(self, other: float) -> bool:
        return self._compare("<", operator.lt, other)

    def __le__(self, other: float) -> bool:
        return self._compare("<=", operator.le, other)

    def __gt__(self, other: float) -> bool:
        return self._compare(">", operator.gt, other)

    def __ge__(self, other: float) -> bool:
        return self._compare(">=", operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return self._compare("==", operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self._compare("!=", operator.ne, other)

    def __bool__(self) -> bool:
        return self._compare("!=", operator.ne, 0)

    __hash__ = int.__hash__


class Length:
    """A length of time that is worked out when it is first needed: a wait that is over never needs it.

    Worked out as of the position where it was read; compares and counts as the timedelta it stands for.
    """

    __slots__ = ("_found", "_position", "_work_out")

    def __init__(self, work_out: Callable[[int], timedelta], position: int = 0) -> None:
        self._work_out = work_out
        self._position = position
        self._found: timedelta | None = None

    def __pos__(self) -> timedelta:
        if self._found is None:
            self._found = self._work_out(self._position)
        return self._found

    @property
    def days(self) -> int:
        """Whole days."""
        return (+self).days

    def total_seconds(self) -> float:
        """Seconds."""
        return (+self).total_seconds()

    def __add__(self, other: "timedelta | Length") -> timedelta:
        return +self + +other

    __radd__ = __add__

    def __sub__(self, other: "timedelta | Length") -> timedelta:
        return +self - +other

    def __rsub__(self, other: timedelta) -> timedelta:
        return other - +self

    def __mul__(self, other: float) -> timedelta:
        return +self * other

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> timedelta:
        return +self / other

    def __lt__(self, other: "timedelta | Length") -> bool:
        return +self < +other

    def __le__(self, other: "timedelta | Length") -> bool:
        return +self <= +other

    def __gt__(self, other: "timedelta | Length") -> bool:
        return +self > +other

    def __ge__(self, other: "timedelta | Length") -> bool:
        return +self >= +other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, timedelta | Length) and +self == +other

    def __hash__(self) -> int:
        return hash(+self)

    def __str__(self) -> str:
        return str(+self)
