"""The graph of a track: where lives can stand (places), and what leads from one to another (moves)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.facts import AnyFact, Waiting
from nurture.journey.journal import Journal

MoveKind = Literal["start", "done", "refused", "time", "behaviour", "graduation"]


@dataclass(frozen=True, slots=True)
class Move:
    """What happens between two decisions: its kind, and the facts that it adds to the journal, in order."""

    kind: MoveKind
    facts: tuple[AnyFact, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the track's code, 1-based."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


@dataclass(slots=True)
class Place:
    """Where lives can stand: what comes next there, and the shortest life that comes to it.

    `journal` is of that life, with the facts of the decision.
    """

    number: int
    next: AnyNext
    journal: Journal
    now: datetime
    because: tuple[str, ...]
    line: Line
    edges: list[tuple[Move, int]] = field(default_factory=list)

    @property
    def ends(self) -> bool:
        """Whether the journey is over here."""
        return isinstance(self.next, Finish)

    @property
    def rests(self) -> bool:
        """Whether the lead rests here."""
        return isinstance(self.next, Park)

    @property
    def wait(self) -> Waiting | None:
        """The wait that the lead stands in."""
        stands = self.journal.stands
        return stands.fact if stands is not None and isinstance(stands.fact, Waiting) else None


@dataclass(slots=True)
class Graph:
    """All places of a track, in the order in which they were found: the nearest to the enrolment first.

    `whole` is False if the exploration was given up at `decisions` decisions; `lines` are those from which a step was
    called; `choices` are what pieces were asked for, with the line; `took` is what each variant of an experiment led
    to; `errors` are what the code raised, with the life that did it.
    """

    places: list[Place] = field(default_factory=list)
    decisions: int = 0
    whole: bool = True
    lines: set[Line] = field(default_factory=set)
    choices: dict[tuple[str, tuple[str, ...]], Line] = field(default_factory=dict)
    took: dict[str, dict[str, set[tuple[str, str]]]] = field(default_factory=dict)
    errors: dict[str, Journal] = field(default_factory=dict)

    def coming_to(self, goals: Iterable[int]) -> set[int]:
        """The places from which one of these can be reached, these included."""
        back = self._reversed()
        found = set(goals)
        queue = deque(found)
        while queue:
            for number in back.get(queue.popleft(), ()):
                if number not in found:
                    found.add(number)
                    queue.append(number)
        return found

    def _reversed(self) -> dict[int, list[int]]:
        back: dict[int, list[int]] = {}
        for place in self.places:
            for _, to in place.edges:
                back.setdefault(to, []).append(place.number)
        return back
