"""What a lead did in which order, and how long ago last: `in_order(page_viewed("/pricing*"), demo_requested())`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.errors import InputError
from nurture.segments.behaviour import LATEST, Did
from nurture.segments.facts import LeadFacts
from nurture.segments.predicates import Predicate


@dataclass(frozen=True, slots=True)
class InOrder(Predicate):
    """Each of several was done after the one before it, all of them within a time before now if there is one."""

    parts: tuple[Did, ...]
    window: timedelta | None = None

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether they were; two at one moment are in no order."""
        since = now - self.window if self.window is not None else None
        reached: datetime | None = None
        for part in self.parts:
            later = [
                each.at
                for each in lead.behaviours
                if each.at < now
                and (since is None or each.at >= since)
                and (reached is None or each.at > reached)
                and part.counts(each)
            ]
            if not later:
                return False
            reached = min(later)
        return True

    def __str__(self) -> str:
        within = "" if self.window is None else f" within {self.window.total_seconds() / 86_400:g} days"
        return " and then ".join(str(each) for each in self.parts) + within


@dataclass(frozen=True, slots=True)
class LastDid(Predicate):
    """It was last done between two ages ago: `[now - at_most, now - at_least)`; not if it never was."""

    part: Did
    at_least: timedelta
    at_most: timedelta | None = None

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether it was."""
        last = max((each.at for each in lead.behaviours if each.at < now and self.part.counts(each)), default=None)
        if last is None or last >= now - self.at_least:
            return False
        return self.at_most is None or last >= now - self.at_most

    def __str__(self) -> str:
        least = f"more than {self.at_least.total_seconds() / 86_400:g} days ago"
        most = "" if self.at_most is None else f", at most {self.at_most.total_seconds() / 86_400:g}"
        return f"{self.part} last {least}{most}"


def in_order(*parts: Did, within: timedelta | None = None) -> Predicate:
    """Each was done after the one before it, all within a time before now. Raises InputError."""
    if len(parts) < 2:
        raise InputError("in_order takes two behaviours or more, such as in_order(page_viewed(), demo_requested())")
    return InOrder(tuple(_plain(each, "in_order") for each in parts), None if within is None else _length(within))


def last(part: Did, *, at_least: timedelta, at_most: timedelta | None = None) -> Predicate:
    """It was last done at least, and at most, so long ago. Raises InputError."""
    least = _length(at_least)
    most = None if at_most is None else _length(at_most)
    if most is not None and most <= least:
        raise InputError(f"last: at_most={most} is no longer than at_least={least}; nobody is meant")
    return LastDid(_plain(part, "last"), least, most)


def _plain(part: object, said: str) -> Did:
    """A behaviour without a count or a window of its own."""
    if not isinstance(part, Did):
        raise InputError(f"{said}({part!r}): name behaviours, such as page_viewed('/pricing*')")
    if (part.at_least, part.at_most, part.window) != (1, None, None):
        raise InputError(f"{said}({part}): how often and within what is not asked here; name the behaviour alone")
    return part


def _length(value: object) -> timedelta:
    if not isinstance(value, timedelta) or not timedelta(0) < value <= LATEST:
        raise InputError(f"{value!r} is no length of time; write days(14)")
    return value
