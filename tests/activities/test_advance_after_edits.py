"""advance after an edit: who looks after leads is told with the decision, once however often it is tried."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from models.journeys import Alert, Enrolment
from models.messages import Behaviour
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Behaved, Done, Enrolled, Graduated, Scored, Waited, Waiting
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.people.scoring import ScoreLine
from perennial.journeys.unheard import leave_unheard
from perennial.leads.behaviours import write_new
from perennial.leads.scores import write_entries
from perennial.platform.database import Database
from tests.activities.room import ADA, advance, advance_activity, advancing, enrolled, woken_again
from tests.builders import only, rows
from tests.engine.rig import MONDAY

WEEK = timedelta(days=7)
SECONDS = WEEK.total_seconds()
LIVED = (
    Enrolled(MONDAY, "ada"),
    Done(MONDAY, "send:welcome", "sent"),
    Waited(MONDAY + WEEK, "send:welcome/wait", "time", length=SECONDS),
    Done(MONDAY + WEEK, "send:best-of", "sent"),
    Waited(MONDAY + 2 * WEEK, "send:best-of/wait", "time", length=SECONDS),
    Done(MONDAY + 2 * WEEK, "send:last-call", "sent"),
    Waiting(MONDAY + 2 * WEEK, "send:last-call/wait", SECONDS, (), MONDAY + 3 * WEEK),
)
"""A lead in the third wait of three mails a week apart."""

NOW = MONDAY + 15 * timedelta(days=1)


@track("new-lead")
async def shorter(lead: Lead) -> Outcome:
    """The second mail is gone, and the wait after the third."""
    await lead.send("welcome")
    await lead.wait(WEEK)
    await lead.send("last-call")
    return nurtured


@track("new-lead")
async def something_else(lead: Lead) -> Outcome:
    """Nothing is as it was."""
    await lead.send("rest-note")
    return nurtured


async def test_a_reading_that_costs_much_is_told_once(database: Database) -> None:
    """The lead stays where it stood; a retry, and the next wake, raise no second alert."""
    await enrolled(database)
    asked = advancing(*LIVED, now=NOW, decided=len(LIVED))
    activity = advance_activity(database, None, shorter, now=NOW)
    for _ in range(2):
        advanced = await advance(activity, asked)
    assert isinstance(advanced.next, Park)
    assert advanced.next.key == "send:last-call/wait"
    await advance(activity, woken_again(asked, advanced))
    alert = await only(database, Alert)
    assert (alert.enrolment_id, alert.at) == (ADA, NOW)
    assert alert.text.startswith("an edit was read with doubt: `best-of` is no longer in the code")


async def test_a_lead_without_a_place_is_held_in_the_read_model_and_told_once(database: Database) -> None:
    """With the place where it stood, what could not be explained, and no moment at which it would wake."""
    await enrolled(database)
    asked = advancing(*LIVED, now=NOW, decided=len(LIVED))
    for _ in range(2):
        advanced = await advance(advance_activity(database, None, something_else, now=NOW), asked)
    assert advanced.shown["Step"] == "held"
    head = await only(database, Enrolment)
    assert (head.status, head.step, head.next_at) == ("held", "send:last-call/wait", None)
    (why,) = head.because
    assert [alert.text for alert in await rows(database, Alert)] == [f"held, nothing is sent: {why}"]


@track("new-lead", exits_on=(converted,))
async def ends_on_a_won_deal(lead: Lead) -> Outcome:
    """The three mails, with an exit rule that is new."""
    for piece in ("welcome", "best-of", "last-call"):
        await lead.send(piece)
        await lead.wait(WEEK)
    return nurtured


async def test_a_new_exit_rule_reaches_no_behaviour_that_nobody_listened_for(database: Database) -> None:
    """What came before the rule is taken in and ends nothing; the next of its kind does."""
    await enrolled(database)
    row = {"id": "b1", "lead_id": "ada", "name": "deal.won", "subject": "", "props": {}, "received_at": MONDAY}
    async with database.transaction() as connection:
        await write_new(connection, [row | {"touch_id": None, "bot": False, "at": MONDAY + WEEK}])
        await leave_unheard(connection, [("b1", ADA)])
    asked = advancing(*LIVED, now=NOW, decided=len(LIVED), rescore=True)
    advanced = await advance(advance_activity(database, None, ends_on_a_won_deal, now=NOW), asked)
    assert Behaved(MONDAY + WEEK, "b1", "deal.won") in advanced.heard
    assert isinstance(advanced.next, Park)
    won = Behaviour(id="b2", name="deal.won", at=NOW)
    later = await advance(
        advance_activity(database, None, ends_on_a_won_deal, now=NOW), woken_again(asked, advanced, news=(won,))
    )
    assert isinstance(later.next, Finish)


@track("new-lead", graduates_at=20)
async def graduates_sooner(lead: Lead) -> Outcome:
    """The three mails, with a threshold that was moved behind the lead."""
    for piece in ("welcome", "best-of", "last-call"):
        await lead.send(piece)
        await lead.wait(WEEK)
    return nurtured


@pytest.mark.parametrize(("armed_at", "graduates"), [(75, True), (None, True), (20, False)])
async def test_a_threshold_that_was_moved_behind_the_lead_graduates_it_at_the_next_thing(
    database: Database, armed_at: int | None, *, graduates: bool
) -> None:
    """Though its score has not changed since; a threshold that is as it was does nothing new."""
    await enrolled(database)
    async with database.writing() as session:
        await write_entries(session, [("ada", ScoreLine("decides", 30, "fits", MONDAY, ""))])
        await session.execute(update(Enrolment).values(wakes_at_score=armed_at))
    scored = Scored(MONDAY + 2 * WEEK, 30, "consideration")
    facts = (*LIVED[:-1], scored, LIVED[-1])
    asked = advancing(*facts, now=NOW, decided=len(facts), rescore=True)
    advanced = await advance(advance_activity(database, None, graduates_sooner, now=NOW), asked)
    assert any(isinstance(fact, Graduated) for fact in advanced.all_facts) is graduates
