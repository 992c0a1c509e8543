"""The journal of one lead on one track: its facts in order, indexed for `plan`, and its compaction.

Compaction is what continue-as-new carries. It drops what no plan can read again, whatever the code of the track
becomes; the law "compaction changes no plan" is a property test.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from nurture.facts import (
    AnyFact,
    Behaved,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Finished,
    Graduated,
    Overridden,
    Paused,
    Resumed,
    Scored,
    Skipped,
    Waited,
)

PROGRESS = (Enrolled, Done, Waited, Graduated)
"""Facts that move the lead: a wait starts where the last of them stands."""

POSITIONS = (*PROGRESS, Chosen)
"""Facts that reads can be as of."""


class Journal:
    """An append-only list of facts. `decided` is how many of them an earlier decision has already looked at.

    Rules that interrupt (exits, graduation) look only at facts from `decided` on, so that an edited rule never reaches
    back into the past.
    """

    __slots__ = (
        "behaviours",
        "decided",
        "deferred",
        "end",
        "facts",
        "graduations",
        "latest",
        "overridden",
        "paused",
        "pauses",
        "progress",
        "scores",
        "steps",
    )

    def __init__(self, facts: Iterable[AnyFact] = (), decided: int = 0) -> None:
        self.facts: tuple[AnyFact, ...] = ()
        self.decided = decided
        self.steps: dict[str, int] = {}  # key of a step, wait or choice -> index of the fact that settled it
        self.deferred: dict[str, Deferred] = {}
        self.behaviours: tuple[int, ...] = ()
        self.scores: tuple[int, ...] = ()  # where the score changed, the enrolment included
        self.graduations: tuple[int, ...] = ()
        self.pauses: tuple[int, ...] = ()  # Paused and Resumed
        self.progress = 0
        self.latest = -1  # where the last settled step, wait or choice stands
        self.overridden = -1
        self.paused = False
        self.end: Exited | Finished | None = None
        self._index(tuple(facts))

    def _index(self, facts: tuple[AnyFact, ...]) -> None:
        behaviours: list[int] = []
        scores: list[int] = []
        for index, fact in enumerate(facts, len(self.facts)):
            match fact:
                case Behaved():
                    behaviours.append(index)
                case Scored():
                    scores.append(index)
                case Done() | Waited():
                    self.steps[fact.key] = self.latest = self.progress = index
                case Chosen() | Skipped():
                    self.steps[fact.key] = self.latest = index
                case Deferred():
                    self.deferred[fact.key] = fact
                case Enrolled():
                    scores.append(index)
                    self.progress = index
                case Graduated():
                    self.graduations = (*self.graduations, index)
                    self.progress = index
                case Paused() | Resumed():
                    self.pauses = (*self.pauses, index)
                    self.paused = isinstance(fact, Paused)
                case Overridden():
                    self.overridden = index
                case Exited() | Finished():
                    self.end = self.end or fact
        self.behaviours += tuple(behaviours)
        self.scores += tuple(scores)
        self.facts += facts

    def extended(self, facts: Iterable[AnyFact], *, decided: int | None = None) -> "Journal":
        """This journal and `facts`; `decided` as it was unless given."""
        more = Journal.__new__(Journal)
        for name in Journal.__slots__:
            setattr(more, name, getattr(self, name))
        more.steps = self.steps.copy()
        more.deferred = self.deferred.copy()
        more._index(tuple(facts))
        if decided is not None:
            more.decided = decided
        return more

    def after(self, facts: Iterable[AnyFact] = ()) -> "Journal":
        """This journal and the facts of a decision that has now looked at everything in it."""
        more = self.extended(facts)
        more.decided = len(more.facts)
        return more

    @property
    def enrolled(self) -> Enrolled:
        """The first fact."""
        first = self.facts[0]
        if not isinstance(first, Enrolled):
            raise ValueError("a journal starts with Enrolled")
        return first

    @property
    def last_at(self) -> datetime:
        """When the last fact was recorded."""
        return self.facts[-1].at

    def stood_still(self, since: datetime, now: datetime) -> timedelta:
        """How long the journey was paused between `since` and `now`."""
        total = timedelta(0)
        began: datetime | None = None
        for index in self.pauses:
            fact = self.facts[index]
            if isinstance(fact, Paused):
                began = began or fact.at
            elif began is not None:
                total += max(fact.at - max(began, since), timedelta(0))
                began = None
        if began is not None:
            total += max(now - max(began, since), timedelta(0))
        return total

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[AnyFact]:
        return iter(self.facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journal) and (self.facts, self.decided) == (other.facts, other.decided)

    def __hash__(self) -> int:
        return hash((len(self.facts), self.decided))

    def __repr__(self) -> str:
        return f"Journal({list(self.facts)!r}, decided={self.decided})"


def compact(journal: Journal) -> Journal:
    """The journal without what no plan can read again: alike behaviours between two positions become one with a count,
    of the scores between two positions only the last and the lowest stay, settled deferrals and past pauses go.

    Facts that no decision has looked at yet stay as they are.
    """
    kept: list[AnyFact] = []
    gap: list[AnyFact] = []
    decided = 0
    for index, fact in enumerate(journal.facts):
        if index == journal.decided:
            kept += _compact_gap(gap, journal)
            gap = []
            decided = len(kept)
        if index >= journal.decided:
            kept.append(fact)
        elif isinstance(fact, POSITIONS):
            kept += [*_compact_gap(gap, journal), fact]
            gap = []
        elif not _is_spent(index, fact, journal):
            gap.append(fact)
    if journal.decided >= len(journal):
        kept += _compact_gap(gap, journal)
        decided = len(kept)
    return Journal(kept, decided)


def _is_spent(index: int, fact: AnyFact, journal: Journal) -> bool:
    match fact:
        case Deferred():
            return fact.key in journal.steps or journal.deferred[fact.key] is not fact
        case Overridden():
            return index < journal.progress
        case Paused():
            over = next((at for at in journal.pauses if at > index), None)
            return over is not None and over < journal.progress
        case Resumed():
            return index < journal.progress
        case _:
            return False


def _compact_gap(gap: list[AnyFact], journal: Journal) -> list[AnyFact]:
    scores = [fact for fact in gap if isinstance(fact, Scored)]
    wanted = {id(scores[-1]), id(min(scores, key=lambda fact: fact.score))} if scores else set()
    kept: list[AnyFact] = []
    where: dict[tuple[str, str], int] = {}
    for fact in gap:
        if isinstance(fact, Scored):
            if id(fact) in wanted:
                kept.append(fact)
        elif isinstance(fact, Behaved):
            alike = (fact.name, fact.subject)
            if alike not in where:
                where[alike] = len(kept)
                kept.append(fact)
                continue
            first = kept[where[alike]]
            assert isinstance(first, Behaved)
            kept[where[alike]] = replace(
                first,
                at=min(first.at, fact.at),
                times=first.times + fact.times,
                last=max(first.last or first.at, fact.last or fact.at),
            )
        else:
            kept.append(fact)
    return kept
