"""What a person is told of an edit: once a lead, many leads alike in one line, a hold for as long as it lasts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from models.journeys import Alert, Enrolment
from nurture.journey.decision import Decision, Park
from nurture.journey.facts import AnyFact, Enrolled, Explained, Held, Released, TapeChoice
from nurture.journey.journal import Journal
from perennial.journeys.alerts import latest_alerts, raise_alert, raise_for_edit
from perennial.platform.database import Database
from tests.builders import NOON, ada, count, enrolment, store

DOUBTFUL = Explained(NOON, 3.0, ("`a` was dropped", "`b` was dropped"))
SURE = Explained(NOON, 1.0, ("`terms` was put in behind this lead: skipped",))
HOLD = Held(NOON, ("`a` and `b` are gone",))
PLACE = Park("send:b/wait", None, why="held")


async def leads_on_the_track(database: Database, number: int) -> None:
    """Leads l1, l2, ... on new-lead."""
    for each in range(1, number + 1):
        address = f"lead{each}@example.com"
        lead = ada(lead_id=f"l{each}", email=address, email_key=address)
        await store(database, lead, enrolment(lead_id=f"l{each}"))


def reading(said: Explained) -> Decision:
    """A decision that rests on this reading."""
    return Decision((said,), PLACE, (), reading=said)


async def tell(
    database: Database, decision: Decision, lead: int = 1, after: timedelta = timedelta(0), *past: AnyFact
) -> None:
    """As `decide` does for a lead with this past."""
    journal = Journal([Enrolled(NOON, f"l{lead}"), *past])
    async with database.transaction() as connection:
        await raise_for_edit(connection, f"new-lead/l{lead}/1", f"l{lead}", journal, decision, NOON + after)


async def lines(database: Database, most: int = 20) -> list[tuple[str, int]]:
    """The alerts' texts, and of how many leads each is."""
    async with database.reading() as session:
        return [(line.text, line.leads) for line in await latest_alerts(session, most)]


async def test_a_reading_with_doubt_is_told_once_a_lead_and_edit(database: Database) -> None:
    """Decided again, by a retry or at the next wake, it is no second alert; another reading is."""
    await leads_on_the_track(database, 1)
    for _ in range(3):
        await tell(database, reading(DOUBTFUL))
    assert await lines(database) == [("an edit was read with doubt: `a` was dropped; `b` was dropped", 1)]
    await tell(database, reading(Explained(NOON, 3.5, ("`c` was dropped",))), after=timedelta(days=1))
    assert await count(database, Alert) == 2


async def test_a_reading_without_doubt_is_told_to_nobody(database: Database) -> None:
    """A step put in behind a lead is everyday."""
    await leads_on_the_track(database, 1)
    await tell(database, reading(SURE))
    assert await lines(database) == []


async def test_where_a_person_has_put_a_lead_is_no_doubt(database: Database) -> None:
    """All that the code has before that step was skipped because it was said so; an edit after it is read as any."""
    await leads_on_the_track(database, 1)
    placed = (HOLD, Released(NOON, "send:z"))
    await tell(database, reading(DOUBTFUL), 1, timedelta(0), *placed)
    assert await lines(database) == []
    known = Explained(NOON, 1.0, ("`x` was put in behind this lead: skipped",), (TapeChoice(1, "send:x", "skip"),))
    await tell(database, reading(DOUBTFUL), 1, timedelta(0), *placed, known)
    assert await count(database, Alert) == 1


async def test_the_same_reading_of_many_leads_is_one_line(database: Database) -> None:
    """Beside what journeys ask, each of which is about its own lead."""
    await leads_on_the_track(database, 3)
    for lead in (1, 2, 3):
        await tell(database, reading(DOUBTFUL), lead, after=timedelta(minutes=lead))
        async with database.transaction() as connection:
            await raise_alert(connection, f"new-lead/l{lead}/1", f"l{lead}", "alert:call", "call them", NOON)
    assert await lines(database) == [
        *[("call them", 1)] * 3,
        ("an edit was read with doubt: `a` was dropped; `b` was dropped", 3),
    ]
    assert [leads for _, leads in await lines(database, most=2)] == [1, 3]


async def test_a_hold_is_told_while_it_lasts(database: Database) -> None:
    """One alert for a lead, with the latest reason; no more once the lead is on its way again."""
    await leads_on_the_track(database, 2)
    for lead in (1, 2):
        await tell(database, Decision((Held(NOON, ("`a` is gone",)),), PLACE, ()), lead)
        await tell(database, Decision((HOLD,), PLACE, ()), lead)
    async with database.writing() as session:
        await session.execute(update(Enrolment).values(status="held"))
    assert await lines(database) == [("held, nothing is sent: `a` and `b` are gone", 2)]
    async with database.writing() as session:
        await session.execute(update(Enrolment).where(Enrolment.lead_id == "l1").values(status="active"))
    assert await lines(database) == [("held, nothing is sent: `a` and `b` are gone", 1)]
