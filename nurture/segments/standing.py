"""Where a lead stands: its stage of life, score, band, tracks, and whether it may not be mailed."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
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
class FitIs(Predicate):
    """The points for who the lead is, such as its company's, compare so."""

    test: Comparison
    value: int

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether they do."""
        return COMPARE[self.test](lead.fit, self.value)

    def __str__(self) -> str:
        return f"fit {self.test} {self.value}"


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


@dataclass(frozen=True, slots=True)
class Subscribed(Predicate):
    """It has not said that it does not want this topic."""

    topic: str

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it has not."""
        return self.topic not in lead.unwanted

    def __str__(self) -> str:
        return f"subscribed to {self.topic}"


@dataclass(frozen=True, slots=True)
class InBucket(Predicate):
    """It is among this share of all leads, drawn by a hash: the same leads at each time and in each process."""

    name: str
    first: float
    end: float

    def holds(self, lead: LeadFacts, now: datetime) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it is."""
        return self.draws(lead.id)

    def draws(self, lead_id: str) -> bool:
        """Whether the lead of this id is."""
        digest = sha256(f"{self.name}\0{lead_id}".encode()).digest()
        return self.first <= int.from_bytes(digest[:8], "big") / 2**64 < self.end

    def __str__(self) -> str:
        return f"in {self.first:.0%} to {self.end:.0%} of {self.name}"


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


class _Fit:
    """The points for who the lead is: its company, its role. Comparing them makes a predicate."""

    def __lt__(self, other: int) -> Predicate:
        return FitIs("<", _whole(other))

    def __le__(self, other: int) -> Predicate:
        return FitIs("<=", _whole(other))

    def __gt__(self, other: int) -> Predicate:
        return FitIs(">", _whole(other))

    def __ge__(self, other: int) -> Predicate:
        return FitIs(">=", _whole(other))


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


score, fit, band, stage = _Score(), _Fit(), _Band(), _Stage()


def on_track(*tracks: str) -> Predicate:
    """On one of these tracks now, or on any."""
    return OnTrack(tracks)


def in_no_track() -> Predicate:
    """On no track now."""
    return Not(OnTrack())


def suppressed() -> Predicate:
    """It must not be mailed."""
    return Suppressed()


def subscribed(topic: str) -> Predicate:
    """It has not said that it does not want this topic. Raises InputError."""
    if not isinstance(topic, str) or not topic:
        raise InputError(f"subscribed({topic!r}): name a topic, such as 'product-news'")
    return Subscribed(topic)


def in_bucket(name: str, share: float, *, after: float = 0.0) -> Predicate:
    """A random share (0 to 1) of the leads, drawn under this name; `after`: behind the share that others take.

    `in_bucket("trial", 0.5)` and `in_bucket("trial", 0.5, after=0.5)` are the two halves. Raises InputError.
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"in_bucket({name!r}, ...): a draw has a name, such as 'holdout'")
    shares = (share, after)
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in shares):
        raise InputError(f"in_bucket({name!r}, {share!r}): a share is a number from 0 to 1, such as 0.1")
    if not (0 < share <= 1 and after >= 0 and after + share <= 1):
        raise InputError(f"in_bucket({name!r}, {share}, after={after}): shares lie between 0 and 1 together")
    return InBucket(name, float(after), float(after + share))


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
