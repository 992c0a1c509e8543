"""A segment: a predicate with a name. It is a predicate itself, so that one segment can be made of others."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType, ModuleType

from nurture.errors import InputError, NotFoundError, close_names
from nurture.segments.facts import LeadFacts
from nurture.segments.predicates import Both, Predicate, required

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Segment(Predicate):
    """A named predicate, and where it is written."""

    name: str
    meant: Predicate
    where: str = field(default="", compare=False)

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether a live lead is in it."""
        return self.meant.holds(lead, now)

    def includes(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether the lead is in it; one that is erased or merged into another is in none."""
        return lead.live and self.holds(lead, now)

    def because(self, lead: LeadFacts, now: datetime) -> list[str]:
        """What puts the lead in it."""
        return self.meant.because(lead, now)

    def leaves(self) -> Iterator[Predicate]:
        """Those of its predicate."""
        yield from self.meant.leaves()

    def __str__(self) -> str:
        return f"in {self.name}"


def segment(name: str, *predicates: Predicate) -> Segment:
    """A segment called `name` (lower-case words joined by hyphens): who meets all of these. Raises InputError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no segment name; use lower-case words joined by hyphens")
    if not predicates:
        raise InputError(f"segment {name!r} has no predicate; write one such as trait('industry') == 'finance'")
    parts = tuple(map(required, predicates))
    caller = sys._getframe(1)  # noqa: SLF001 - where it is written, as `inspect` reads it
    where = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    return Segment(name, parts[0] if len(parts) == 1 else Both(parts), where)


class Segments(Mapping[str, Segment]):
    """The segments of a programme, by name; `broken` says, a line each, what is wrong with its file."""

    def __init__(self, segments: tuple[Segment, ...] = (), broken: tuple[str, ...] = ()) -> None:
        found: dict[str, Segment] = {}
        twice = [each for each in segments if found.setdefault(each.name, each) is not each]
        self.broken = (
            *broken,
            *(f"{each.where}: a segment called {each.name!r} is already at {found[each.name].where}" for each in twice),
        )
        self._found = MappingProxyType(found)

    def __getitem__(self, name: str) -> Segment:
        """The segment of this name. Raises NotFoundError."""
        try:
            return self._found[name]
        except KeyError:
            near = close_names(name, self._found)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self._found) or 'none'}"
            broken = f"; broken: {self.broken[0]}" if self.broken else ""
            raise NotFoundError(f"no segment called {name!r}; {hint}{broken}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def segments_in(module: ModuleType) -> tuple[Segment, ...]:
    """The segments that a module defines, in order."""
    found = {id(each): each for each in vars(module).values() if isinstance(each, Segment)}
    return tuple(found.values())
