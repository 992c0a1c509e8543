"""What was recorded of a life, and what a track reads of it: as of the position of the last settled step."""

from __future__ import annotations

import operator
from datetime import datetime, timedelta

from tests.laws.engine import AnyFact, Behaved, Enrolled, Overridden, Paused, Resumed, Scored, cadence, hears
from tests.laws.tracks import Condition
from tests.laws.world import root

Position = tuple[int, datetime]
"""A sequence number, and when that was recorded."""

_COMPARE = {"<": operator.lt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}


class Records:
    """Facts by sequence number. `fresh` are those that no decision has looked at yet."""

    def __init__(self, enrolled: Enrolled) -> None:
        self.enrolled = enrolled
        self.seq = 0
        self.behaviours: list[tuple[int, Behaved]] = []
        self.scores: list[tuple[int, int, str]] = [(0, enrolled.score, enrolled.stage)]
        self.pauses: list[tuple[int, datetime, bool]] = []
        self.paused = False
        self.overridden = -1
        self.fresh: list[Behaved] = []
        self.fresh_scores: list[int] = [enrolled.score]
        self.position: Position = (0, enrolled.at)
        self.progress: Position = (0, enrolled.at)

    def add(self, fact: AnyFact, *, decided: bool) -> None:
        """Record a fact."""
        self.seq += 1
        match fact:
            case Behaved():
                self.behaviours.append((self.seq, fact))
                if not decided:
                    self.fresh.append(fact)
            case Scored():
                self.scores.append((self.seq, fact.score, fact.stage))
                self.fresh_scores.append(fact.score)
            case Paused() | Resumed():
                self.paused = isinstance(fact, Paused)
                self.pauses.append((self.seq, fact.at, self.paused))
            case Overridden():
                self.overridden = self.seq
            case _:
                pass

    def moved(self, at: datetime) -> None:
        """A step, a wait or a graduation was settled: waits start here, reads are as of here."""
        self.seq += 1
        self.position = self.progress = (self.seq, at)

    def chose(self, at: datetime) -> None:
        """A choice was settled: reads are as of here, and no wait starts."""
        self.seq += 1
        self.position = (self.seq, at)

    # What a track reads

    def scored(self, position: Position) -> tuple[int, str]:
        """The score and the stage."""
        return [(score, stage) for seq, score, stage in self.scores if seq <= position[0]][-1]

    def cadence(self, position: Position) -> timedelta:
        """How long the next wait is, by score, stage and the last sign of life."""
        seen = [fact.at for seq, fact in self.behaviours if seq <= position[0]]
        quiet = (position[1] - max(seen)).total_seconds() / 86400 if seen else None
        return cadence(*self.scored(position), quiet)

    def holds(self, condition: Condition, variables: dict[str, object]) -> bool:
        """Whether a condition holds."""
        of, op, than = condition.of, condition.op, condition.than
        behaved = [fact for seq, fact in self.behaviours if seq <= self.position[0] and matches((of,), fact)]
        read: object
        match condition.reads:
            case "has":
                since = self.position[1] - timedelta(days=int(than)) if than else self.enrolled.at
                return any(fact.at >= since for fact in behaved) != (op == "not")
            case "met":
                return bool(variables.get(of)) != (op == "not")
            case "score":
                read = self.scored(self.position)[0]
            case "stage":
                read = self.scored(self.position)[1]
            case "trait":
                read = self.enrolled.traits.get(of, "")
            case "times":
                read = len(behaved)
            case _:
                read = variables.get(of)
        return bool(_COMPARE[op](read, than))

    # What a wait reads

    def over(self, end: datetime | None, until: tuple[str, ...], now: datetime) -> tuple[str, str] | None:
        """By what the present wait is over, and the name of the behaviour; None while it is not."""
        since = self.progress[0]
        if self.overridden > since:
            return ("override", "")
        for seq, fact in self.behaviours:
            if seq > since and (end is None or fact.at <= end) and matches(until, fact):
                return ("behaviour", fact.name)
        return ("time", "") if end is not None and now >= end else None

    def stood_still(self) -> timedelta:
        """How long the journey has been paused since the present wait began."""
        since, start = self.progress
        total, began = timedelta(0), None
        for seq, at, paused in self.pauses:
            if paused:
                began = began or at
            elif began is not None:
                if seq > since:
                    total += max(at - max(began, start), timedelta(0))
                began = None
        return total


def matches(patterns: tuple[str, ...], fact: Behaved) -> bool:
    """Whether a behaviour counts, whatever name its piece goes by."""
    return hears(tuple(map(rooted, patterns)), fact.name, root(fact.subject))


def rooted(pattern: str) -> str:
    """A pattern with the first name of its piece."""
    name, _, glob = pattern.partition(":")
    return f"{name}:{root(glob)}"
