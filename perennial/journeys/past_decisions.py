"""A journey's decisions as the read model has them, each with the journal that it was taken over."""

from collections.abc import Sequence

from models.journeys import DecisionRow
from nurture.bench.life import Event
from nurture.bench.retrace import PastDecision
from nurture.journey.facts import AnyFact, Behaved, Belongs, Deferred, Done, Enrolled, Exited
from nurture.journey.journal import Journal
from nurture.journey.wording import say_fact

GIVEN = (Enrolled, Belongs, Done, Deferred, Event)
"""Facts that are given to `plan`; the others it derived. `Exited` is given if a person's."""


def past_decisions(facts: Sequence[AnyFact], rows: Sequence[DecisionRow]) -> list[PastDecision]:
    """The decisions in order. A row says over how many facts it was taken; what it derived follows there.

    A row over more facts than there are was left by a try whose facts were never taken over.
    """
    rows = [row for row in rows if row.seq <= len(facts)]
    found: list[PastDecision] = []
    decided = 0
    for number, row in enumerate(rows):
        end = rows[number + 1].seq if number + 1 < len(rows) else len(facts)
        last = row.seq
        while last < end and _is_derived(facts, last):
            last += 1
        before = Journal(facts[: row.seq], decided)
        because = tuple(map(str, row.because))
        found.append(PastDecision(before, row.at, tuple(facts[row.seq : last]), row.next, row.until, because))
        decided = last
    return found


def _is_derived(facts: Sequence[AnyFact], index: int) -> bool:
    fact = facts[index]
    if isinstance(fact, Exited):
        return any(isinstance(each, Behaved) and say_fact(each) == fact.reason for each in facts[:index])
    return not isinstance(fact, GIVEN)
