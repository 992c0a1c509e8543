"""Traits of every type: `trait("industry") == "finance"`, `trait("seats") >= 50`, `trait("renewal").before(date(...))`.

The value that a trait is compared with says its type. A number may be stored as text (`"250"`), a date is text that
begins `2026-03-01`. Words are compared as they are written, in any script.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any, Literal, get_args

from nurture.errors import InputError
from nurture.segments.facts import LeadFacts
from nurture.segments.predicates import Not, Predicate

Test = Literal["==", "<", "<=", ">", ">=", "is one of", "contains", "starts with", "is set", "before", "on or after"]
Kind = Literal["word", "number", "boolean", "date", "list"]

NUMBER_TEXT, LONGEST_NUMBER = r"-?[0-9][0-9.]*", 15
_NUMBER = re.compile(NUMBER_TEXT)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda found, value: bool(found < value),
    "<=": lambda found, value: bool(found <= value),
    ">": lambda found, value: bool(found > value),
    ">=": lambda found, value: bool(found >= value),
}


@dataclass(frozen=True, slots=True)
class TraitIs(Predicate):
    """A trait passes a test. `value`: a word, float, bool, ISO date, a tuple of words, or None for `is set`."""

    name: str
    test: Test
    value: Any = None

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it passes; a missing trait, or one of another type, does not."""
        return self.passes(lead.traits.get(self.name))

    def passes(self, found: object) -> bool:  # noqa: PLR0911 - a test each
        """Whether a value passes."""
        match self.test, self.value:
            case "is set", _:
                return found not in (None, "")
            case "before" | "on or after", str(day):
                return isinstance(found, str) and bool(_DATE.fullmatch(found)) and _beside(found[:10], self.test, day)
            case "==", bool(value):
                return found is value
            case "==", float(value):
                return number_of(found) == value
            case "==", str(value):
                return isinstance(found, str) and found == value
            case "is one of", tuple(values):
                return isinstance(found, str) and found in values
            case "contains", str(value):
                return isinstance(found, str | list) and value in found
            case "starts with", str(value):
                return isinstance(found, str) and found.startswith(value)
            case _, float(value):
                number = number_of(found)
                return number is not None and _COMPARE[self.test](number, value)
        raise AssertionError(self)

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """The trait and its value."""
        return [f"{self.name} is {lead.traits[self.name]}"] if self.holds(lead, now) else []

    def __str__(self) -> str:
        match self.value:
            case None:
                return f"{self.name} {self.test}"
            case float(value):
                return f"{self.name} {self.test} {value:g}"
            case tuple(values):
                return f"{self.name} is one of {', '.join(values)}"
            case value:
                return f"{self.name} {self.test} {value}"


def _beside(found: str, test: str, day: str) -> bool:
    return found < day if test == "before" else found >= day


def number_of(value: object) -> float | None:
    """A number as it is stored: JSON's, or text that is one, such as `250` or `-1.5`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value) and value.count(".") < 2:
        return float(value)
    return None


@dataclass(frozen=True, eq=False)
class Trait:
    """A trait by its name. Comparing it makes a predicate."""

    name: str
    kind: Kind | None = None

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]  # a comparison is a value here
        return TraitIs(self.name, "==", self._value(other, "=="))

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]
        return Not(self == other)

    def __lt__(self, other: float) -> Predicate:
        return self._number("<", other)

    def __le__(self, other: float) -> Predicate:
        return self._number("<=", other)

    def __gt__(self, other: float) -> Predicate:
        return self._number(">", other)

    def __ge__(self, other: float) -> Predicate:
        return self._number(">=", other)

    __hash__ = None  # type: ignore[assignment]

    def is_in(self, *words: str) -> Predicate:
        """It is one of these words."""
        if not words:
            raise InputError(f"trait({self.name!r}).is_in() names no word; name those that are meant")
        return TraitIs(self.name, "is one of", tuple(self._word(each, "is_in") for each in words))

    def contains(self, word: str) -> Predicate:
        """A word holds this text, or a list this word."""
        return TraitIs(self.name, "contains", self._word(word, "contains"))

    def starts_with(self, text: str) -> Predicate:
        """A word begins so."""
        return TraitIs(self.name, "starts with", self._word(text, "starts_with"))

    def is_set(self) -> Predicate:
        """It is known, and not empty."""
        return TraitIs(self.name, "is set")

    def before(self, day: date) -> Predicate:
        """A date before this day."""
        return TraitIs(self.name, "before", self._day(day, "before"))

    def after(self, day: date) -> Predicate:
        """A date after this day."""
        return TraitIs(self.name, "on or after", date.fromordinal(self._date(day, "after").toordinal() + 1).isoformat())

    def _value(self, value: object, said: str) -> Any:
        match value:
            case bool():
                return self._typed(value, "boolean", said)
            case int() | float():
                return self._finite(value, said)
            case str():
                return self._word(value, said)
        raise InputError(f"trait({self.name!r}) {said} {value!r}: compare it with a word, a number, True or False")

    def _number(self, test: Test, value: object) -> Predicate:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"trait({self.name!r}) {test} {value!r}: only numbers compare by {test}; dates by before, after"
            )
        return TraitIs(self.name, test, self._finite(value, test))

    def _finite(self, value: float, said: str) -> float:
        if not isfinite(value):
            raise InputError(f"trait({self.name!r}) {said} {value!r}: it is no finite number")
        return float(self._typed(value, "number", said))

    def _word(self, value: object, said: str) -> str:
        if not isinstance(value, str) or "\x00" in value:
            raise InputError(f"trait({self.name!r}).{said}({value!r}): name words")
        if self.kind not in (None, "word", "list"):
            self._typed(value, "word", said)
        return value

    def _day(self, value: object, said: str) -> str:
        return self._date(value, said).isoformat()

    def _date(self, value: object, said: str) -> date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise InputError(f"trait({self.name!r}).{said}({value!r}): give a day, such as date(2026, 3, 1)")
        return date.fromisoformat(self._typed(value, "date", said).isoformat())

    def _typed(self, value: Any, kind: Kind, said: str) -> Any:
        if self.kind not in (None, kind):
            raise InputError(f"trait({self.name!r}, {self.kind!r}) {said} {value!r}: a {self.kind} is no {kind}")
        return value


def trait(name: str, kind: Kind | None = None) -> Trait:
    """A trait; `kind`, if it is given, is the type that comparisons are held to. Raises InputError."""
    if not isinstance(name, str) or not name or '"' in name or "\\" in name or "\x00" in name:
        raise InputError(f"trait({name!r}): a trait has a name, such as 'industry'")
    if kind is not None and kind not in get_args(Kind):
        raise InputError(f"trait({name!r}, {kind!r}): the types are {', '.join(get_args(Kind))}")
    return Trait(name, kind)
