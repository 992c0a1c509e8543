"""Compaction: the journal that continue-as-new carries, without what no plan can read again.

The law "compaction changes no plan and no explanation, whatever the code of the track becomes" is a property test.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Belongs,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Explained,
    Graduated,
    Held,
    Overridden,
    Paused,
    Resumed,
    Scored,
    Waited,
    Waiting,
)
from nurture.journey.journal import TOLERANCE, Journal

POSITIONS = (Enrolled, Done, Waited, Graduated, Chosen)
"""Facts that reads can be as of."""


def compact(journal: Journal) -> Journal:
    """The journal without what no plan can read again, whatever its code.

    Alike behaviours between two positions become one with a count, of the scores between two positions only the last
    and the lowest stay, of what is told of the same segments the last; settled waits and deferrals, old readings and
    past pauses go. Facts no decision has looked at yet stay as they are.
    """
    standing = {entry.index for entry in journal.entries}
    kept: list[AnyFact] = []
    gap: list[AnyFact] = []
    undecided = min(journal.decided, len(journal))
    for index in range(undecided):
        fact = journal.facts[index]
        if isinstance(fact, POSITIONS):
            kept += [*_compact_gap(gap, journal, index), fact]
            gap = []
        elif not _is_spent(index, fact, journal, standing):
            gap.append(fact)
    kept += _compact_gap(gap, journal, undecided)
    return Journal([*kept, *journal.facts[undecided:]], len(kept))


def _is_spent(index: int, fact: AnyFact, journal: Journal, standing: set[int]) -> bool:  # noqa: PLR0911 - one a kind
    match fact:
        case Waiting():
            return index not in standing
        case Deferred():
            return fact.key in journal.steps or journal.deferred[fact.key] != index
        case Explained():
            return fact is not journal.explained
        case Held():
            return fact is not journal.held
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
    told = [fact for fact in gap if isinstance(fact, Belongs)]
    stale = {
        id(fact) for fact, later in pairwise(told) if _names(fact) == _names(later) and _told_before(fact, journal)
    }
    for fact in gap:
        if id(fact) in stale:
            continue
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


def _names(fact: Belongs) -> set[str]:
    return {*fact.to, *fact.not_to}


def _told_before(fact: Belongs, journal: Journal) -> bool:
    """Whether this is not the first that tells of some segment: the first holds for what came before it, too."""
    earlier: set[str] = set()
    for index in journal.belongings:
        known = journal.facts[index]
        assert isinstance(known, Belongs)
        if known is fact:
            return _names(fact) <= earlier
        earlier |= _names(known)
    return False
