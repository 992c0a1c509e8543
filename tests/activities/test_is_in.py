"""A track asks whether its lead is in a segment: found out where the facts are, at each wake, before its code runs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from models.journeys import DecisionRow
from models.leads import BehaviourRow
from models.messages import Advancing
from nurture.bench.retrace import retrace
from nurture.journey.facts import Belongs
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.segments import days, page_viewed, segment, trait
from nurture.segments.named import Segments
from perennial.journeys.past_decisions import past_decisions
from perennial.platform.database import Database
from tests.activities.room import Scripted, advance, advance_activity, advancing, enrolled, journal, woken_again
from tests.builders import store
from tests.engine.rig import CATALOGUE, MONDAY

EVALUATORS = segment("evaluators", trait("industry") == "retail", page_viewed("/pricing*").within(days(14)))
RETAIL = segment("retail", trait("industry") == "retail")
HOUR = timedelta(hours=1)


@track("new-lead")
async def asking(lead: Lead) -> Outcome:
    """Asks at once by name, and later by the segment itself."""
    if lead.is_in("retail"):
        await lead.send("welcome")
    await lead.wait(days=7)
    if lead.is_in(EVALUATORS):
        await lead.alert("it looks at prices")
    await lead.wait(days=7)
    return nurtured


@pytest.mark.parametrize("looks", [True, False])
async def test_a_wake_finds_out_which_segments_the_lead_is_in(database: Database, looks: bool) -> None:
    """At the first wake too, with what the lead has done until then; a replay decides alike."""
    await enrolled(database)
    provider = Scripted()
    asked = advancing(now=MONDAY)
    first = await advance(_activity(database, provider, 0), asked)
    assert Belongs(MONDAY, ("retail",), ("evaluators",)) in first.heard
    assert len(provider.kept) == 1
    if looks:
        seen = {"name": "page.viewed", "subject": "/pricing", "at": MONDAY + HOUR, "received_at": MONDAY + HOUR}
        await store(database, BehaviourRow(id="b1", lead_id="ada", **seen))
    over = MONDAY + timedelta(days=8)
    again: Advancing = woken_again(asked, first, due=over, now=over, woken_at=over, rescore=True, news=())
    second = await advance(_activity(database, provider, 8), again)
    said = "in segment evaluators" if looks else "not in segment evaluators"
    assert said in second.because
    assert (second.next.kind == "alert") is looks
    assert any(isinstance(fact, Belongs) for fact in second.heard) is looks
    async with database.reading() as session:
        rows = list(await session.scalars(select(DecisionRow).order_by(DecisionRow.seq)))
    retraced = retrace(asking, past_decisions([fact for _, fact in await journal(database)], rows), CATALOGUE)
    assert not [(each.past.in_words, each.today) for each in retraced if each.today]


def _activity(database: Database, provider: Scripted, day: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    made = advance_activity(database, provider, asking, now=MONDAY + timedelta(days=day))
    return replace(made, segments=Segments((RETAIL,)))
