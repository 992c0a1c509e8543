"""A hand-off and an alert ask the gate as a mail does: nobody is given a lead that wants nothing."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.alert import AlertActivity
from activities.hand_off import HandOffActivity
from models.journeys import Alert, HandOffRow
from models.messages import Request, StepOutcome
from nurture.journey.decision import AlertStep, AnyStep, HandOff
from nurture.journey.facts import Done
from perennial.journeys.asked import ask
from perennial.leads import consent
from perennial.leads.suppression import suppress
from perennial.platform.database import Database
from perennial.privacy.merge import merge_leads
from tests.activities.room import ADA, TRACKS, at_wall, enrolled, journal, order
from tests.builders import consenting, rows, store
from tests.engine.rig import MONDAY

OFFER, ALERT = HandOff("hand_off:sales", "sales", "score 80"), AlertStep("alert:look here", "look here")


async def carry_out(database: Database, step: AnyStep) -> StepOutcome:
    """Run a step's activity as a worker does."""
    kind: Any = HandOffActivity if isinstance(step, HandOff) else AlertActivity
    activity = kind(database, TRACKS, at_wall(MONDAY))
    found: StepOutcome = await ActivityEnvironment().run(getattr(activity, step.kind), order(step))
    return found


@pytest.mark.parametrize("step", [OFFER, ALERT], ids=["hand-off", "alert"])
async def test_a_suppressed_lead_is_given_to_nobody(database: Database, step: AnyStep) -> None:
    """The step is settled as refused, with the reason, and refused again when it is tried again."""
    await enrolled(database)
    async with database.writing() as session:
        await suppress(session, "ada", "opt-out", MONDAY, source="web")
    for _ in range(2):
        found = await carry_out(database, step)
        assert (found.result, found.reason) == ("refused", "suppressed: opt-out")
    assert await journal(database) == [(1, Done(MONDAY, step.key, "refused", "suppressed: opt-out"))]
    assert [*await rows(database, HandOffRow), *await rows(database, Alert)] == []


async def test_a_lead_that_withdrew_its_consent_is_not_offered(database: Database) -> None:
    """Whatever became of the suppression that came with it."""
    await enrolled(database)
    async with database.writing() as session:
        await consent.withdraw(session, "ada", MONDAY, source="web")
    assert (await carry_out(database, OFFER)).reason == "consent withdrawn"


async def test_a_lead_merged_with_one_that_opted_out_is_not_offered(database: Database) -> None:
    """The enrolment is the other's by now, and so is what it said."""
    await enrolled(database)
    await store(database, *consenting("bob", at=MONDAY))
    async with database.writing() as session:
        await suppress(session, "bob", "opt-out", MONDAY, source="web")
    await merge_leads(database, "bob", "ada", at=MONDAY)
    assert (await carry_out(database, OFFER)).result == "refused"
    assert await rows(database, HandOffRow) == []


async def test_an_offer_names_the_lead_that_has_the_journey_now(database: Database) -> None:
    """After a merge, sales looks at the one that goes on."""
    await enrolled(database)
    await store(database, *consenting("bob", at=MONDAY))
    await merge_leads(database, "bob", "ada", at=MONDAY)
    assert (await carry_out(database, OFFER)).result == "done"
    assert [row.lead_id for row in await rows(database, HandOffRow)] == ["bob"]


async def test_an_offer_waits_while_a_pause_is_on_its_way(database: Database) -> None:
    """The journey hears it within moments, and calls the offer off."""
    await enrolled(database)
    async with database.transaction() as connection:
        await ask(connection, [ADA], "pause", Request(id="p1", reason="a look"), MONDAY)
    with pytest.raises(ApplicationError, match="a person asked for a pause"):
        await carry_out(database, OFFER)
    assert await rows(database, HandOffRow) == []
