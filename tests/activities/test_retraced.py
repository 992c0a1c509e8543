"""A journey that nobody edited, retraced from the database: no decision differs, whatever came when."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models.journeys import DecisionRow
from models.messages import Advanced, Advancing, Behaviour
from nurture.bench.retrace import retrace
from perennial.journeys.past_decisions import past_decisions
from perennial.journeys.unheard import leave_unheard
from perennial.leads.behaviours import write_new
from perennial.platform.database import Database
from tests.activities.room import (
    ADA,
    Killed,
    Scripted,
    advance,
    advance_activity,
    advancing,
    enrolled,
    journal,
    killed,
    woken_again,
)
from tests.engine.rig import CATALOGUE, MONDAY, TRACKS

HOUR = timedelta(hours=1)
LATER = MONDAY + timedelta(days=2)


def clicked(id_: str) -> Behaviour:
    """A click that came late: it happened an hour before `LATER`."""
    return Behaviour(id=id_, name="email.clicked", subject="welcome", at=LATER - HOUR)


def viewed(id_: str) -> Behaviour:
    """A view of a page, as late."""
    return Behaviour(id=id_, name="page.viewed", subject="/prices", at=LATER - HOUR)


async def unheard(database: Database, behaviour: Behaviour) -> None:
    """Store a behaviour that the journey did not listen for."""
    row = {"id": behaviour.id, "lead_id": "ada", "name": behaviour.name, "subject": behaviour.subject, "props": {}}
    row |= {"received_at": behaviour.at, "touch_id": None, "bot": False, "at": behaviour.at}
    async with database.transaction() as connection:
        await write_new(connection, [row])
        await leave_unheard(connection, [(behaviour.id, ADA)])


async def differences(database: Database) -> list[str | None]:
    """What today's code decides otherwise, for each past decision that it does not take again."""
    async with database.reading() as session:
        rows = list(await session.scalars(select(DecisionRow).order_by(DecisionRow.seq)))
    facts = [fact for _, fact in await journal(database)]
    retraced = retrace(TRACKS["new-lead"], past_decisions(facts, rows), CATALOGUE)
    assert retraced
    return [each.today for each in retraced if each.today is not None]


Wakes = list[tuple[Behaviour, ...]]
NEWS: dict[str, Wakes] = {
    "a late click after a wake for nothing": [(viewed("b1"),), (), (clicked("b2"),)],
    "late news twice": [(viewed("b1"),), (viewed("b2"),), (clicked("b3"), viewed("b4"))],
    "the same click after it ended the wait": [(clicked("b1"),), (), (clicked("b2"),)],
}


@pytest.mark.parametrize("news", NEWS)
@pytest.mark.parametrize("unheard_first", [True, False])
async def test_news_that_comes_late_makes_no_difference(database: Database, news: str, *, unheard_first: bool) -> None:
    """Each decision is taken again over just what it had heard."""
    await enrolled(database)
    asked: Advancing = advancing()
    advanced: Advanced = await advance(advance_activity(database), asked)
    for number, heard in enumerate(NEWS[news]):
        at = LATER + number * HOUR
        if unheard_first:
            await unheard(database, viewed(f"u{number}"))
        asked = woken_again(asked, advanced, now=at, woken_at=at, news=heard)
        advanced = await advance(advance_activity(database, now=at), asked)
    assert await differences(database) == []


async def test_a_killed_try_makes_no_difference(database: Database) -> None:
    """Its row says what it decided over what it had; the next try heard more."""
    await enrolled(database)
    provider = Scripted(after=[Killed()])
    async with killed():
        await advance(advance_activity(database, provider), advancing())
    await advance(advance_activity(database, provider), advancing(news=(viewed("b1"),)))
    assert await differences(database) == []
