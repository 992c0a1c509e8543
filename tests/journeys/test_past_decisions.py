"""The decisions of the read model, each with the journal that it was taken over."""

from datetime import UTC, datetime

from models.journeys import DecisionRow
from nurture.bench.life import Life
from nurture.bench.retrace import deadline_of
from nurture.journey.facts import AnyFact, Behaved, Enrolled, Exited, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.wording import say_next
from perennial.journeys.past_decisions import past_decisions
from workflows.tracks.re_engagement import re_engagement

TUESDAY = datetime(2026, 3, 3, 10, tzinfo=UTC)


def test_the_rows_and_facts_of_a_whole_journey_give_its_decisions_back() -> None:
    """Each over the very journal that it was taken over, with what it derived."""
    life = Life(re_engagement, Journal([Enrolled(TUESDAY, "l1")]))
    turns = list(life.turns())
    rows = [
        DecisionRow(
            seq=len(journal),
            at=at,
            next=say_next(decision.next),
            until=deadline_of(decision.next),
            because=list(decision.because),
        )
        for journal, at, decision in turns
    ]
    found = past_decisions(life.journal.facts, rows)
    assert [(each.journal, each.at, each.derived) for each in found] == [
        (journal, at, decision.facts) for journal, at, decision in turns
    ]


def test_an_exit_is_the_plans_own_only_if_a_behaviour_was_its_reason() -> None:
    """A person's exit is part of the past that the next decision is taken over."""
    enrolled = Enrolled(TUESDAY, "l1")
    opted = Behaved(TUESDAY, "b1", "lead.opted_out")
    by_rule = [enrolled, opted, Exited(TUESDAY, "opted out")]
    by_hand = [enrolled, Exited(TUESDAY, "asked by phone")]
    row = DecisionRow(seq=2, at=TUESDAY, next="finish", until=None, because=[])
    assert past_decisions(by_rule, [row])[0].derived == (by_rule[2],)
    assert past_decisions(by_hand, [row])[0].derived == ()


def test_a_late_behaviour_is_of_the_decision_that_heard_it() -> None:
    """Though it happened before the one that came first, which derived nothing."""
    facts: list[AnyFact] = [
        Enrolled(TUESDAY, "l1"),
        Behaved(TUESDAY, "b1", "page.viewed", "/"),
        Scored(TUESDAY, 80, "decision"),
        Graduated(TUESDAY, 80),
    ]
    rows = [
        DecisionRow(seq=1, at=TUESDAY, next="wait", until=None, because=[]),
        DecisionRow(seq=3, at=TUESDAY, next="offer to sales", until=None, because=[]),
    ]
    first, second = past_decisions(facts, rows)
    assert (first.journal, first.derived) == (Journal(facts[:1], 0), ())
    assert (second.journal, second.derived) == (Journal(facts[:3], 1), (facts[3],))


def test_a_row_beyond_the_journal_is_no_decision() -> None:
    """A killed try left it; its facts were never taken over."""
    facts: list[AnyFact] = [Enrolled(TUESDAY, "l1")]
    row = DecisionRow(seq=2, at=TUESDAY, next="wait", until=None, because=[])
    assert past_decisions(facts, [row]) == []
