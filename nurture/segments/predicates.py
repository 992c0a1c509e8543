"""Predicates over leads, joined by `&`, `|` and `~`; two-valued: what is missing makes a leaf false.

So `~p` is the exact complement of `p` among the leads.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from nurture.errors import InputError
from nurture.segments.facts import LeadFacts


class Predicate(ABC):
    """Whether a lead is meant. `holds` answers for one lead; `perennial.segments` makes SQL of the same value."""

    @abstractmethod
    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether it holds for a lead that is live, as of `now`."""

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """What makes it hold, a phrase each, for a lead for which it holds."""
        return [str(self)] if self.holds(lead, now) else []

    def leaves(self) -> "Iterator[Predicate]":
        """The predicates that it is made of, itself if it is none of several."""
        yield self

    def __and__(self, other: "Predicate") -> "Predicate":
        return Both((self, required(other)))

    def __or__(self, other: "Predicate") -> "Predicate":
        return Either((self, required(other)))

    def __invert__(self) -> "Predicate":
        return Not(self)

    def __bool__(self) -> bool:
        raise InputError(f"join predicates by &, | and ~, not by `and`, `or`, `not`: ({self})")


def required(value: object) -> Predicate:
    """The value, if it is a predicate. Raises InputError."""
    if not isinstance(value, Predicate):
        raise InputError(f"{value!r} is no predicate; write one such as trait('industry') == 'finance'")
    return value


@dataclass(frozen=True, slots=True)
class Both(Predicate):
    """All of several hold."""

    parts: tuple[Predicate, ...]

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether each holds."""
        return all(each.holds(lead, now) for each in self.parts)

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """What each says."""
        return [said for each in self.parts for said in each.because(lead, now)] if self.holds(lead, now) else []

    def leaves(self) -> Iterator[Predicate]:
        """Those of each part."""
        for each in self.parts:
            yield from each.leaves()

    def __str__(self) -> str:
        return " and ".join(f"({each})" if isinstance(each, Either) else str(each) for each in self.parts)


@dataclass(frozen=True, slots=True)
class Either(Predicate):
    """One of several holds, or more."""

    parts: tuple[Predicate, ...]

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether any holds."""
        return any(each.holds(lead, now) for each in self.parts)

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """What those say that hold."""
        return [said for each in self.parts for said in each.because(lead, now)]

    def leaves(self) -> Iterator[Predicate]:
        """Those of each part."""
        for each in self.parts:
            yield from each.leaves()

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The exact complement."""

    part: Predicate

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether the part does not."""
        return not self.part.holds(lead, now)

    def leaves(self) -> Iterator[Predicate]:
        """Those of the part."""
        yield from self.part.leaves()

    def __invert__(self) -> Predicate:
        return self.part

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, Both | Either) else f"not {self.part}"
