"""A world in which whatever may go one way or another is a fork: each step, and the end of each rest with its score."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from nurture.bench.life import refused, succeeded
from nurture.bench.samples import samples_of
from nurture.journey.decision import AnyStep, Do, Park
from nurture.journey.facts import Behaved, Done, Scored
from nurture.journey.own import return_type
from nurture.journey.patterns import Pattern
from nurture.journey.rules import activities_of
from nurture.journey.track import Track
from nurture.people.scoring import stage_of

Way = TypeVar("Way")
Choose = Callable[[int, int], int]
"""Which way to take, from 0: given the number of the fork, from 0, and of its ways."""

LOW, HIGH, GRADUATING = 10, 60, 95
_UNLIMITED = timedelta(days=365)


def along(*tape: int) -> Choose:
    """Take the ways on this tape, and the first of each fork after it."""
    return lambda fork, _: tape[fork] if fork < len(tape) else 0


def live_every_way(live: Callable[[Choose], Sequence[int]], most: int) -> None:
    """Live the plainest life, then every single departure from it, then pairs of them: at most this many lives.

    `live` lives once, each fork decided as it is told, and answers how many ways each fork had.
    """
    tapes: deque[tuple[int, ...]] = deque([()])
    for _ in range(most):
        if not tapes:
            return
        tape = tapes.popleft()
        ways = live(along(*tape))
        for fork in range(len(tape), len(ways)):
            tapes.extend((*tape, *(0,) * (fork - len(tape)), other) for other in range(1, ways[fork]))


class ForkedWorld:
    """One way through all forks, chosen by `choose`; `ways` says how many ways each fork so far had.

    The first way of each fork is the plainest: the step succeeds, the rest ends by time, the score stays low.
    """

    def __init__(self, track: Track, choose: Choose) -> None:
        self.ways: list[int] = []
        self._exits = track.exits.patterns
        self._activities = {**activities_of(track.function), **activities_of(track.on_graduation)}
        self._choose = choose
        self._score = LOW
        self._asked: Park | None = None

    def answer(self, step: AnyStep, now: datetime) -> Done:
        """It succeeds, or is refused; an own activity returns an example of its type."""
        if isinstance(step, Do) and (own := self._activities.get(step.activity)) is not None:
            returned = samples_of(return_type(own))
            return self._take((*(succeeded(step, now, each) for each in returned), refused(step, now)))
        return self._take((succeeded(step, now), refused(step, now)))

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Behaved | None:
        """Nothing, or a behaviour that the lead's code listens for; once a rest."""
        if park is self._asked:
            return None
        self._asked = park
        ways = self._ends_of(park, now, by)
        if not ways:
            return None
        self._score, event = self._take(ways)
        return event

    def score(self, now: datetime) -> Scored:
        """The score that was chosen with the end of the last rest."""
        return Scored(now, self._score, stage_of(self._score))

    def _take(self, ways: Sequence[Way]) -> Way:
        self.ways.append(len(ways))
        return ways[self._choose(len(self.ways) - 1, len(ways))]

    def _ends_of(self, park: Park, now: datetime, by: datetime | None) -> list[tuple[int, Behaved | None]]:
        """How a rest may end: the score from then on, and the behaviour that ends it (None: time)."""
        middle = now + ((by - now) if by is not None else _UNLIMITED) / 2
        heard = [
            behaved(Pattern.parse(text), middle) for text in dict.fromkeys(park.listens) if text not in self._exits
        ]
        ways: list[tuple[int, Behaved | None]] = []
        if park.until is not None:
            ways += [(LOW, None), (HIGH, None)]
        if park.wakes_at_score is not None:
            graduating = max(GRADUATING, park.wakes_at_score)
            ways.append((graduating, None if park.until is not None else behaved(Pattern("page.viewed"), middle)))
        return ways + [(score, behaved) for behaved in heard for score in (LOW, HIGH)]


def behaved(pattern: Pattern, at: datetime) -> Behaved:
    """A behaviour that the pattern matches."""
    subject = pattern.glob.replace("*", "").replace("?", "x")
    return Behaved(at, f"{pattern} at {at.isoformat()}", pattern.name, subject)
