"""The journal of one lead on one track: its facts in order, indexed for `plan`, and its compaction.

Compaction is what continue-as-new carries. It drops what no plan can read again, whatever the code of the track
becomes; the law "compaction changes no plan" is a property test.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nurture.journey.facts import (
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

TOLERANCE = timedelta(seconds=2)
"""Event times come in whole seconds, from clocks that are not ours: so much earlier is not before the enrolment."""

INSIDE = "graduation"
"""How the keys of a graduation's steps begin."""


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
        "inside",
        "overridden",
        "paused",
        "pauses",
        "progress",
        "scores",
        "settled",
        "steps",
    )

    def __init__(self, facts: Iterable[AnyFact] = (), decided: int = 0) -> None:
        self.facts: tuple[AnyFact, ...] = ()
        self.decided = decided
        self.steps: dict[str, int] = {}  # key of a step, wait or choice -> index of the fact that settled it
        self.settled = 0  # how many of the steps were done, waited or chosen: all but the skipped
        self.inside = 0  # how many of those are a graduation's
        self.deferred: dict[str, Deferred] = {}
        self.behaviours: tuple[int, ...] = ()
        self.scores: tuple[int, ...] = ()  # where the score changed, the enrolment included
        self.graduations: tuple[int, ...] = ()
        self.pauses: tuple[int, ...] = ()  # Paused and Resumed
        self.progress = 0
        self.overridden = -1
        self.paused = False
        self.end: Exited | Finished | None = None
        self._index(tuple(facts))

    def _index(self, facts: tuple[AnyFact, ...]) -> None:  # noqa: C901, PLR0912 - one case a kind of fact
        behaviours: list[int] = []
        scores: list[int] = []
        first = len(self.facts)
        self.facts += facts
        for index, fact in enumerate(facts, first):
            match fact:
                case Behaved():
                    behaviours.append(index)
                case Scored():
                    scores.append(index)
                case Done() | Waited():
                    self._settle(fact.key, index)
                    self.progress = index
                case Chosen():
                    self._settle(fact.key, index)
                case Skipped():
                    self.steps.setdefault(fact.key, index)
                case Deferred():
                    self.deferred[fact.key] = fact
                case Enrolled():
                    scores.append(index)
                    self.progress = index
                case Graduated():
                    self.graduations += (index,)
                    self.progress = index
                case Paused() | Resumed():
                    self.pauses += (index,)
                    self.paused = isinstance(fact, Paused)
                case Overridden():
                    self.overridden = index
                case Exited() | Finished():
                    self.end = self.end or fact
                case _:
                    pass
        if behaviours:
            self.behaviours += tuple(behaviours)
        if scores:
            self.scores += tuple(scores)

    def _settle(self, key: str, index: int) -> None:
        before = self.steps.get(key)
        if before is None or isinstance(self.facts[before], Skipped):
            self.settled += 1
            self.inside += key.startswith(INSIDE)
        self.steps[key] = index

    def extended(self, facts: Iterable[AnyFact], *, decided: int | None = None) -> "Journal":
        """The journal with `facts` appended; `decided` as it was unless given."""
        more = Journal.__new__(Journal)
        more.facts = self.facts
        more.decided = self.decided if decided is None else decided
        more.steps = self.steps.copy()
        more.settled = self.settled
        more.inside = self.inside
        more.deferred = self.deferred.copy()
        more.behaviours = self.behaviours
        more.scores = self.scores
        more.graduations = self.graduations
        more.pauses = self.pauses
        more.progress = self.progress
        more.overridden = self.overridden
        more.paused = self.paused
        more.end = self.end
        more._index(tuple(facts))  # noqa: SLF001 - its own kind
        return more

    def after(self, facts: Iterable[AnyFact] = ()) -> "Journal":
        """The journal with the facts of a decision appended, which has now looked at everything in it."""
        more = self.extended(facts)
        more.decided = len(more.facts)
        return more

    @property
    def enrolled(self) -> Enrolled:
        """The first fact."""
        first = self.facts[0]
        if not isinstance(first, Enrolled):
            raise ValueError("a journal starts with Enrolled")  # noqa: TRY004 - the value is wrong, not its type
        return first

    @property
    def last_at(self) -> datetime:
        """When the last fact was recorded."""
        return self.facts[-1].at

    def scored(self, position: int) -> Scored | Enrolled:
        """The last score recorded up to a position."""
        fact = self.facts[self.scores[bisect_right(self.scores, position) - 1]]
        assert isinstance(fact, Scored | Enrolled)
        return fact

    def behaved(self, position: int) -> Iterator[Behaved]:
        """The behaviours recorded up to a position, the latest first."""
        for at in range(bisect_right(self.behaviours, position) - 1, -1, -1):
            fact = self.facts[self.behaviours[at]]
            assert isinstance(fact, Behaved)
            yield fact

    def behaved_from(self, position: int) -> Iterator[Behaved]:
        """The behaviours recorded from a position on, in order."""
        for index in self.behaviours[bisect_right(self.behaviours, position - 1) :]:
            fact = self.facts[index]
            assert isinstance(fact, Behaved)
            yield fact

    def last_seen(self, position: int) -> datetime | None:
        """When the latest of the behaviours recorded up to a position happened."""
        last: datetime | None = None
        for index in self.behaviours:
            if index > position:
                break
            fact: Any = self.facts[index]
            seen = fact.last or fact.at
            if last is None or seen > last:
                last = seen
        return last

    def stood_still(self, since: int, now: datetime) -> timedelta:
        """How long the journey has been paused since the fact at index `since`, up to `now`."""
        start = self.facts[since].at
        total = timedelta(0)
        began: datetime | None = None
        for index in self.pauses:
            fact = self.facts[index]
            if isinstance(fact, Paused):
                began = began or fact.at
            elif began is not None:
                if index > since:
                    total += max(fact.at - max(began, start), timedelta(0))
                began = None
        if began is not None:
            total += max(now - max(began, start), timedelta(0))
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
    """The journal without what no plan can read again, whatever its code.

    Alike behaviours between two positions become one with a count, of the scores between two positions only the last
    and the lowest stay, settled deferrals and past pauses go. Facts no decision has looked at yet stay as they are.
    """
    kept: list[AnyFact] = []
    gap: list[AnyFact] = []
    undecided = min(journal.decided, len(journal))
    for index in range(undecided):
        fact = journal.facts[index]
        if isinstance(fact, POSITIONS):
            kept += [*_compact_gap(gap, journal, index), fact]
            gap = []
        elif not _is_spent(index, fact, journal):
            gap.append(fact)
    kept += _compact_gap(gap, journal, undecided)
    return Journal([*kept, *journal.facts[undecided:]], len(kept))


def _is_spent(index: int, fact: AnyFact, journal: Journal) -> bool:
    match fact:
        case Deferred():
            return fact.key in journal.steps or journal.deferred[fact.key] is not fact
        case Overridden():
            return index < journal.progress and all(key in journal.steps for key in journal.deferred)
        case Paused():
            over = next((at for at in journal.pauses if at > index), None)
            return over is not None and over < journal.progress
        case Resumed():
            return index < journal.progress
        case _:
            return False


def _compact_gap(gap: list[AnyFact], journal: Journal, end: int) -> list[AnyFact]:
    """The facts between two positions, the second at index `end`."""
    scores = [fact for fact in gap if isinstance(fact, Scored)]
    wanted = {id(scores[-1]), id(min(scores, key=lambda fact: fact.score))} if scores else set()
    in_wait = journal.enrolled.at - TOLERANCE if end > journal.progress else None
    kept: list[AnyFact] = []
    where: dict[tuple[str, str, bool], int] = {}
    for fact in gap:
        if isinstance(fact, Scored):
            if id(fact) in wanted:
                kept.append(fact)
            continue
        if not isinstance(fact, Behaved):
            kept.append(fact)
            continue
        # The present wait may yet ask which behaviour came first within its time: one that says it came earlier than
        # those recorded before it stays on its own, as does one from before the enrolment.
        counts = in_wait is not None and fact.at >= in_wait
        alike = (fact.name, fact.subject, counts)
        first = kept[where[alike]] if alike in where else None
        if isinstance(first, Behaved) and (not counts or fact.at >= first.at):
            kept[where[alike]] = replace(
                first,
                at=min(first.at, fact.at),
                times=first.times + fact.times,
                last=max(first.last or first.at, fact.last or fact.at),
            )
        else:
            where[alike] = len(kept)
            kept.append(fact)
    return kept
