"""Replaying decisions: today's code compared step by step, a past changed, and what is to come foretold."""

from datetime import UTC, datetime, timedelta

import pytest

from models.journeys import DecisionRow
from nurture.bench.retrace import ahead, changed, retrace, taken_of, until_of, up_to
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import AnyFact, Behaved, Done, Enrolled, Exited, Finished, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import plan
from nurture.journey.track import Track, track
from nurture.journey.wording import say_next

TUESDAY = datetime(2026, 3, 3, 10, tzinfo=UTC)
EMPTY = Catalogue({})


@track("letters", exits_on=(opted_out,), graduates_at=75)
async def letters(lead: Lead) -> Outcome:
    """Two letters, a week apart."""
    await lead.send("one")
    await lead.wait(days=7, until=link_clicked("one"))
    await lead.send("two")
    return nurtured


@track("letters", exits_on=(opted_out,), graduates_at=75)
async def letters_slower(lead: Lead) -> Outcome:
    """The same, edited: two weeks apart."""
    await lead.send("one")
    await lead.wait(days=14, until=link_clicked("one"))
    await lead.send("two")
    return nurtured


def lived(the_track: Track) -> tuple[Journal, list[DecisionRow]]:
    """A quiet lead's whole journal, with its decisions as the read model has them."""
    journal = Journal([Enrolled(TUESDAY, "l1", traits={"industry": "retail"})])
    now = TUESDAY
    rows: list[DecisionRow] = []
    while True:
        decision = plan(the_track, journal, now, EMPTY)
        rows.append(
            DecisionRow(
                seq=len(journal),
                at=now,
                next=say_next(decision.next),
                until=until_of(decision.next),
                because=list(decision.because),
            )
        )
        journal = journal.after(decision.facts)
        match decision.next:
            case Finish():
                return journal, rows
            case Park():
                assert decision.next.until is not None
                now = decision.next.until
            case step:
                journal = journal.extended([Done(now, step.key, step.expected)])


def test_the_same_code_takes_every_decision_alike() -> None:
    """The journal holds all that a decision rested on."""
    journal, rows = lived(letters)
    retraced = retrace(letters, taken_of(journal.facts, rows), EMPTY)
    assert [each.taken.next for each in retraced] == ["send one", "wait after send one", "send two", "finish: nurtured"]
    assert [each.today for each in retraced] == [None] * 4


def test_edited_code_is_shown_where_it_decides_otherwise() -> None:
    """A longer wait: the lead would still be waiting when the second letter went out."""
    journal, rows = lived(letters)
    retraced = retrace(letters_slower, taken_of(journal.facts, rows), EMPTY)
    assert [each.today for each in retraced] == [
        None,
        "wait after send one until 17 Mar 2026 10:00",
        "wait after send one until 17 Mar 2026 10:00",
        None,
    ]


def test_a_score_taken_by_a_decision_is_given_to_it_again() -> None:
    """The score that `decide` takes anew stands first in what it adds, and is the world's, not the plan's."""
    facts: list[AnyFact] = [Enrolled(TUESDAY, "l1"), Scored(TUESDAY, 80, "decision"), Graduated(TUESDAY, 80)]
    row = DecisionRow(seq=1, at=TUESDAY, next="offer to sales", until=None, because=[])
    (taken,) = taken_of(facts, [row])
    assert taken.before == Journal(facts[:2], 0)
    assert taken.derived == (facts[2],)


def test_an_exit_is_the_plans_own_only_if_a_behaviour_was_its_reason() -> None:
    """A person's exit is part of the past that the next decision is taken over."""
    enrolled = Enrolled(TUESDAY, "l1")
    opted = Behaved(TUESDAY, "b1", "lead.opted_out")
    by_rule = [enrolled, opted, Exited(TUESDAY, "opted out")]
    by_hand = [enrolled, Exited(TUESDAY, "asked by phone")]
    row = DecisionRow(seq=2, at=TUESDAY, next="finish", until=None, because=[])
    assert taken_of(by_rule, [row])[0].derived == (by_rule[2],)
    assert taken_of(by_hand, [row])[0].derived == ()


def test_a_quiet_leads_future_is_every_step_with_its_date() -> None:
    """From the enrolment on."""
    coming = [(each.at, each.what) for each in ahead(letters, Journal([Enrolled(TUESDAY, "l1")]), TUESDAY, EMPTY)]
    week = TUESDAY + timedelta(days=7)
    assert coming == [(TUESDAY, "send one"), (week, "send two"), (week, "finish: nurtured")]


def test_a_what_if_of_a_score_graduates_the_lead() -> None:
    """The past stays; the change comes after it, yet to be decided about."""
    journal = Journal([Enrolled(TUESDAY, "l1"), Done(TUESDAY, "send:one", "sent")], 2)
    what_if = changed(journal, [("score", "80")], TUESDAY)
    assert what_if.facts[:2] == journal.facts
    assert say_next(plan(letters, what_if, TUESDAY, EMPTY).next) == "offer to sales"


def test_a_what_if_of_a_behaviour_ends_the_wait_for_it() -> None:
    """The behaviour's subject is the value."""
    journal = Journal([Enrolled(TUESDAY, "l1"), Done(TUESDAY, "send:one", "sent")], 2)
    what_if = changed(journal, [("email.clicked", "one")], TUESDAY)
    assert say_next(plan(letters, what_if, TUESDAY, EMPTY).next) == "send two"


def test_a_what_if_of_a_trait_is_as_though_it_had_been_imported() -> None:
    """Traits are read as of the enrolment."""
    journal = Journal([Enrolled(TUESDAY, "l1", traits={"industry": "retail"})], 1)
    assert changed(journal, [("industry", "finance")], TUESDAY).enrolled.traits == {"industry": "finance"}


@pytest.mark.parametrize("change", [("score", "101"), ("score", "high"), ("stage", "warm"), ("email.cliked", "one")])
def test_a_what_if_that_cannot_be_is_refused(change: tuple[str, str]) -> None:
    """Each with what can be."""
    with pytest.raises(InputError, match="--set"):
        changed(Journal([Enrolled(TUESDAY, "l1")]), [change], TUESDAY)


def test_a_journal_is_cut_at_a_moment() -> None:
    """Facts of that very moment are in; before the enrolment there is none."""
    facts: list[AnyFact] = [Enrolled(TUESDAY, "l1"), Finished(TUESDAY + timedelta(days=1), "nurtured")]
    assert up_to(facts, TUESDAY).facts == (facts[0],)
    assert up_to(facts, TUESDAY + timedelta(days=1)).facts == tuple(facts)
    with pytest.raises(InputError, match="before the lead enrolled"):
        up_to(facts, TUESDAY - timedelta(days=1))
