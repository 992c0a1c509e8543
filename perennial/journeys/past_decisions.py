"""A journey's decisions as the read model has them, each with the journal that it was taken over."""

from collections.abc import Sequence

from models.journeys import DecisionRow
from nurture.bench.life import Event
from nurture.bench.retrace import PastDecision
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Enrolled, Exited, Scored
from nurture.journey.journal import Journal
from nurture.journey.wording import say_fact

GIVEN = (Enrolled, Done, Deferred, Event)
"""Facts that are given to `plan`; the others it derived. `Exited` is given if a person's."""


def past_decisions(facts: Sequence[AnyFact], rows: Sequence[DecisionRow]) -> list[PastDecision]:
    """The decisions in order. A row says how long the journal was before it; what it derived follows there."""
    found: list[PastDecision] = []
    decided = 0
    for number, row in enumerate(rows):
        end = rows[number + 1].seq if number + 1 < len(rows) else len(facts)
        given = row.seq
        while given < end and _came_with(row, facts[given]):
            given += 1
        last = given
        while last < end and _is_derived(facts, last):
            last += 1
        before = Journal(facts[:given], decided)
        because = tuple(map(str, row.because))
        found.append(PastDecision(before, row.at, tuple(facts[given:last]), row.next, row.until, because))
        decided = last
    return found


def _came_with(row: DecisionRow, fact: AnyFact) -> bool:
    """Whether a fact was given to a decision by its own transaction: an unheard behaviour, or the score.

    A behaviour of a later time was recorded afterwards, where the lead rested.
    """
    match fact:
        case Behaved():
            return fact.at <= row.at
        case Scored():
            return fact.at == row.at
        case _:
            return False


def _is_derived(facts: Sequence[AnyFact], index: int) -> bool:
    fact = facts[index]
    if isinstance(fact, Exited):
        return any(isinstance(each, Behaved) and say_fact(each) == fact.reason for each in facts[:index])
    return not isinstance(fact, GIVEN)
