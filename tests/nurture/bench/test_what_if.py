"""What if: a past changed or cut, and what is to come foretold."""

from datetime import UTC, datetime, timedelta

import pytest

from nurture.bench.what_if import changed, journal_at, upcoming
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.facts import AnyFact, Done, Enrolled, Finished
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import plan
from nurture.journey.track import track
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


def test_a_quiet_leads_future_is_every_step_with_its_date() -> None:
    """From the enrolment on."""
    coming = [(each.at, each.what) for each in upcoming(letters, Journal([Enrolled(TUESDAY, "l1")]), TUESDAY, EMPTY)]
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
    assert journal_at(facts, TUESDAY).facts == (facts[0],)
    assert journal_at(facts, TUESDAY + timedelta(days=1)).facts == tuple(facts)
    with pytest.raises(InputError, match="before the lead enrolled"):
        journal_at(facts, TUESDAY - timedelta(days=1))


def test_of_a_long_future_only_the_next_steps_are_told() -> None:
    """One step is enough to say what comes next; a wait for good is told as such."""
    enrolled = Journal([Enrolled(TUESDAY, "l1")])
    assert [each.what for each in upcoming(letters, enrolled, TUESDAY, EMPTY, most=1)] == ["send one"]

    @track("for-good")
    async def for_good(lead: Lead) -> Outcome:
        await lead.wait(until=link_clicked())
        return nurtured

    assert [each.what for each in upcoming(for_good, enrolled, TUESDAY, EMPTY)] == ["wait after enrolment"]
