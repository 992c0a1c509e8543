"""Entering a track, and behaviours on their way in: once each, with reasons, and in the database before any signal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from temporalio.testing import ActivityEnvironment

from activities.enrol import EnrolActivity
from models.journeys import Enrolment, FactRow
from models.leads import BehaviourRow, Consent, LeadRow, ScoreEntry, Suppression
from models.messages import StepOutcome
from nurture.errors import NotFoundError, RefusedError
from nurture.journey.decision import Enrol
from nurture.journey.facts import Enrolled
from nurture.journey.refs import is_ref
from tests.activities.room import order
from tests.builders import enrolment, store
from tests.engine.rig import MONDAY, Rig, eventually, finished, view_of

# Enrolling


async def test_a_lead_is_enrolled_once_and_the_second_try_says_why_not(still_rig: Rig) -> None:
    """The row and the workflow are there; who is on a track already is refused with the date."""
    async with still_rig.working():
        handle = await still_rig.journey_of("lost-deal", "ada")
        await eventually(lambda: _is_active(still_rig, "ada"))
        with pytest.raises(RefusedError, match="already on lost-deal since 2026-03-02"):
            await still_rig.enrol("lost-deal", "ada")
        told = (await view_of(handle)).facts[0]
    first = (await still_rig.facts("lost-deal", "ada"))[0]
    assert isinstance(first, Enrolled)
    assert (first.cause, first.traits["topic"]) == ("test", "forecasting")
    assert isinstance(told, Enrolled)
    assert (is_ref(told.cause), told.traits) == (True, {}), "Temporal is not told"


async def _is_active(rig: Rig, lead: str) -> bool:
    return (await rig.standing("lost-deal", lead)).status == "active"


async def test_an_enrolment_cut_off_before_its_workflow_is_resumed(still_rig: Rig) -> None:
    """The row says `starting`: the next try starts the workflow under the same number, and a third changes nothing."""
    await still_rig.add_leads("ada")
    lead = still_rig.id("ada")
    await store(still_rig.database, enrolment("lost-deal", lead, at=MONDAY, status="starting", cause="deal lost"))
    for _ in range(2):
        handle = await still_rig.enrol("lost-deal", "ada")
    async with still_rig.working():
        await eventually(lambda: _is_active(still_rig, "ada"))
        first = (await view_of(handle)).facts[0]
    (began, *_) = await still_rig.facts("lost-deal", "ada")
    assert isinstance(began, Enrolled)
    assert (first.at, began.at, began.cause) == (MONDAY, MONDAY, "deal lost")


async def test_a_lead_back_before_its_last_journey_has_closed_waits_for_that(still_rig: Rig) -> None:
    """The database is ahead of Temporal by a moment: the new journey starts when the old one has made room."""
    before = await still_rig.journey_of("lost-deal", "ada")
    async with still_rig.database.writing() as session:
        await session.execute(update(Enrolment).values(status="finished", ended_at=MONDAY, outcome="rested"))
    coming = asyncio.create_task(still_rig.enrol("lost-deal", "ada"))
    await eventually(lambda: _has_come_back(still_rig))
    for _ in range(5):  # meanwhile the start is tried, and refused by the server
        await before.describe()
    await before.terminate("the last journey closes")
    handle = await coming
    async with still_rig.working():
        assert (await view_of(handle)).enrolment_id.endswith("/2")


async def _has_come_back(rig: Rig) -> bool:
    async with rig.database.reading() as session:
        return await session.get(Enrolment, f"lost-deal/{rig.id('ada')}/2") is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Suppression(lead_id="", reason="opt-out", source="web", at=MONDAY), "suppressed"),
        (None, "erased"),
    ],
)
async def test_a_lead_who_must_not_be_written_to_is_not_enrolled(
    still_rig: Rig, change: Suppression | None, reason: str
) -> None:
    """Suppressed or erased: nothing is started."""
    await still_rig.add_leads("ada", **({} if change else {"erased_at": MONDAY}))
    if change is not None:
        async with still_rig.database.writing() as session:
            session.add(Suppression(lead_id=still_rig.id("ada"), reason=change.reason, source="web", at=MONDAY))
    with pytest.raises(RefusedError, match=reason):
        await still_rig.enrol("lost-deal", "ada")
    async with still_rig.database.reading() as session:
        assert (await session.scalars(select(Enrolment))).all() == []


async def test_an_unknown_track_or_lead_is_named(still_rig: Rig) -> None:
    """With the nearest name, if there is one."""
    with pytest.raises(NotFoundError, match="did you mean 'lost-deal'"):
        await still_rig.enrol("lost-deals", "ada")
    with pytest.raises(NotFoundError, match="no lead"):
        await still_rig.enrol("lost-deal", "nobody")


async def test_the_step_enrol_tried_twice_is_one_enrolment(still_rig: Rig) -> None:
    """A worker that dies after the enrolment finds its own and is done; a track that refuses settles the step."""
    await still_rig.journey_of("re-engagement", "ada")
    activity = EnrolActivity(still_rig.inst.enroller, still_rig.inst.time)
    now = still_rig.inst.now()
    asked = order(Enrol("enrol:new-lead", "new-lead"), now=now, enrolment=f"re-engagement/{still_rig.id('ada')}/1")
    outcomes = [await ActivityEnvironment().run(activity.enrol, asked) for _ in range(2)]
    assert outcomes == [StepOutcome(at=now)] * 2
    async with still_rig.working():

        async def begun() -> bool:
            return (await still_rig.standing("new-lead", "ada")).status == "active"

        await eventually(begun)
    later = asked.model_copy(update={"now": now + timedelta(days=1)})
    refused = await ActivityEnvironment().run(activity.enrol, later)
    assert (refused.result, refused.reason) == ("refused", "already on new-lead since 2026-03-02")


# Behaviours


async def test_a_behaviour_told_twice_counts_once(still_rig: Rig) -> None:
    """One row, one entry in the score's ledger, one fact in the journal."""
    rig = still_rig
    await rig.journey_of("new-lead", "ada")
    for _ in range(2):
        await rig.hears("ada", "email.clicked", "welcome", id_=f"click-{rig.tag}", at=MONDAY)
    async with rig.working():

        async def heard() -> bool:
            return any(fact.kind == "behaved" for fact in await rig.facts("new-lead", "ada"))

        await eventually(heard)
    async with rig.database.reading() as session:
        assert len((await session.scalars(select(BehaviourRow))).all()) == 1
        assert [entry.points for entry in await session.scalars(select(ScoreEntry))] == [8]
        assert (await session.get_one(LeadRow, rig.id("ada"))).score == 8
        facts = (await session.scalars(select(FactRow).where(FactRow.kind == "behaved"))).all()
    assert len(facts) == 1


@pytest.mark.parametrize(("name", "reason"), [("lead.opted_out", "opt-out"), ("email.complained", "complaint")])
async def test_an_opt_out_is_in_the_database_before_any_journey_hears(still_rig: Rig, name: str, reason: str) -> None:
    """No worker runs, and the gate would refuse already."""
    await still_rig.journey_of("lost-deal", "ada")
    await still_rig.hears("ada", name, "welcome")
    async with still_rig.database.reading() as session:
        assert [row.reason for row in await session.scalars(select(Suppression))] == [reason]
        consents = [row.action for row in await session.scalars(select(Consent).order_by(Consent.id))]
    assert consents == ["granted", "withdrawn"]
    async with still_rig.working():
        assert (await finished(still_rig.journey("lost-deal", "ada"))).startswith("exited: ")


async def test_a_download_starts_the_track_it_enters(still_rig: Rig) -> None:
    """Once: told again, or on the track already, it starts nothing."""
    await still_rig.add_leads("ada")
    for _ in range(2):
        await still_rig.hears("ada", "content.downloaded", "best-of", id_=f"d-{still_rig.tag}")
    await still_rig.hears("ada", "content.downloaded", "welcome")
    async with still_rig.database.reading() as session:
        (enrolment,) = (await session.scalars(select(Enrolment))).all()
    assert (enrolment.track, enrolment.cause) == ("new-lead", "content.downloaded")
