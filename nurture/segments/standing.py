"""Where a lead stands: its stage of life, score, band, tracks, and whether it may not be mailed."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from nurture.errors import InputError, close_names
from nurture.people.scoring import BANDS
from nurture.segments.facts import LeadFacts
from nurture.segments.predicates import Either, Not, Predicate

STAGE_AFTER = {
    "sales.accepted": "sql",
    "sales.rejected": "lead",
    "deal.opened": "opportunity",
    "deal.won": "customer",
    "deal.lost": "lost",
    "lead.disqualified": "disqualified",
}
"""The stage of life that a behaviour begins; the last one counts. A `lead` whose band is mql is an MQL."""

LIFE = ("lead", "mql", "sql", "opportunity", "customer", "disqualified", "lost")
Comparison = Literal["<", "<=", ">", ">=", "=="]
COMPARE: dict[Comparison, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class LastWas(Predicate):
    """The last behaviour that changes the stage of life, before now, is one of these."""

    names: tuple[str, ...]

    def holds(self, lead: LeadFacts, now: datetime) -> bool:
        """Whether it is; not if there is none. Of two at one moment the one with the later id is the last."""
        changes = [each for each in lead.behaviours if each.name in STAGE_AFTER and each.at < now]
        last = max(changes, key=lambda each: (each.at, each.id), default=None)
        return last is not None and last.name in self.names

    def __str__(self) -> str:
        return f"stage is {' or '.join(dict.fromkeys(STAGE_AFTER[each] for each in self.names))}"


@dataclass(frozen=True, slots=True)
class ScoreIs(Predicate):
    """The score as of now compares so."""

    test: Comparison
    value: int

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it does."""
        return self.passes(lead.score, lead.band)

    def passes(self, total: int, band: str) -> bool:  # noqa: ARG002 - as of a band
        """Whether this score is meant."""
        return COMPARE[self.test](total, self.value)

    def __str__(self) -> str:
        return f"score {self.test} {self.value}"


@dataclass(frozen=True, slots=True)
class BandIs(Predicate):
    """The band as of now is one of these."""

    bands: tuple[str, ...]

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it is."""
        return self.passes(lead.score, lead.band)

    def passes(self, total: int, band: str) -> bool:  # noqa: ARG002 - as of a score
        """Whether this band is meant."""
        return band in self.bands

    def __str__(self) -> str:
        return f"band is {' or '.join(self.bands)}"


@dataclass(frozen=True, slots=True)
class OnTrack(Predicate):
    """It is on one of these tracks now; on any, if none is named."""

    tracks: tuple[str, ...] = ()

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it is."""
        return bool(lead.tracks & set(self.tracks) if self.tracks else lead.tracks)

    def __str__(self) -> str:
        return f"on {' or '.join(self.tracks) or 'a track'}"


@dataclass(frozen=True, slots=True)
class Suppressed(Predicate):
    """It must not be mailed: it opted out, complained, or its address is dead."""

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it must not."""
        return lead.suppressed

    def __str__(self) -> str:
        return "suppressed"


class _Score:
    """The score. Comparing it makes a predicate."""

    def __lt__(self, other: int) -> Predicate:
        return ScoreIs("<", _whole(other))

    def __le__(self, other: int) -> Predicate:
        return ScoreIs("<=", _whole(other))

    def __gt__(self, other: int) -> Predicate:
        return ScoreIs(">", _whole(other))

    def __ge__(self, other: int) -> Predicate:
        return ScoreIs(">=", _whole(other))


class _Band:
    """The band: cold, warm, hot, mql."""

    def is_in(self, *bands: str) -> Predicate:
        """One of these."""
        return BandIs(_of(bands, BANDS, "band"))


class _Stage:
    """The stage of life: lead, mql, sql, opportunity, customer, disqualified, lost."""

    def is_in(self, *stages: str) -> Predicate:
        """One of these. Raises InputError for another."""
        wanted = _of(tuple(each.lower() for each in stages), LIFE, "stage")
        parts: list[Predicate] = []
        begun = tuple(name for name, stage in STAGE_AFTER.items() if stage in wanted and stage != "lead")
        if begun:
            parts.append(LastWas(begun))
        with_marketing = ~LastWas(tuple(name for name, stage in STAGE_AFTER.items() if stage != "lead"))
        if {"lead", "mql"} <= set(wanted):
            parts.append(with_marketing)
        elif "mql" in wanted:
            parts.append(with_marketing & BandIs(("mql",)))
        elif "lead" in wanted:
            parts.append(with_marketing & Not(BandIs(("mql",))))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))


score, band, stage = _Score(), _Band(), _Stage()


def on_track(*tracks: str) -> Predicate:
    """On one of these tracks now, or on any."""
    return OnTrack(tracks)


def in_no_track() -> Predicate:
    """On no track now."""
    return Not(OnTrack())


def suppressed() -> Predicate:
    """It must not be mailed."""
    return Suppressed()


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"score compared with {value!r}: a score is a whole number from 0 to 100")
    return value


def _of(words: tuple[str, ...], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    for each in words:
        if each not in known:
            near = close_names(each, known)
            raise InputError(
                f"{what}.is_in({each!r}): "
                + (f"did you mean {near[0]!r}?" if near else f"the {what}s are {', '.join(known)}")
            )
    if not words:
        raise InputError(f"{what}.is_in() names none; the {what}s are {', '.join(known)}")
    return words
