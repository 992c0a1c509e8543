"""Retracing decisions: today's code compared with what was decided, step by step."""

from datetime import UTC, datetime

from nurture.bench.life import Life
from nurture.bench.retrace import PastDecision, deadline_of, retrace
from nurture.content.catalogue import Catalogue
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured
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


def past(the_track: Track) -> list[PastDecision]:
    """A quiet lead's decisions, from the enrolment to the end."""
    turns = Life(the_track, Journal([Enrolled(TUESDAY, "l1", traits={"industry": "retail"})])).turns()
    return [
        PastDecision(journal, at, taken.facts, say_next(taken.next), deadline_of(taken.next), taken.because)
        for journal, at, taken in turns
    ]


def test_the_same_code_takes_every_decision_alike() -> None:
    """The journal holds all that a decision rested on."""
    retraced = retrace(letters, past(letters), EMPTY)
    assert [each.past.next for each in retraced] == ["send one", "wait after send one", "send two", "finish: nurtured"]
    assert [each.today for each in retraced] == [None] * 4


def test_edited_code_is_shown_where_it_decides_otherwise() -> None:
    """A longer wait: the lead would still be waiting when the second letter went out."""
    retraced = retrace(letters_slower, past(letters), EMPTY)
    assert [each.today for each in retraced] == [
        None,
        "wait after send one until 17 Mar 2026 10:00",
        "wait after send one until 17 Mar 2026 10:00",
        None,
    ]
