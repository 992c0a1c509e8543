"""Erasing, suppressing and merging leads in the middle of their journeys, on the real engine."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from models.leads import LeadRow
from models.messages import Request
from models.touches import Message, Touch
from nurture.errors import SettingsError
from nurture.journey.facts import Deferred
from nurture.people.scoring import DEFAULT_MODEL
from perennial.intake.recording import Recorder
from perennial.journeys.asked import tell_asked
from perennial.journeys.story import story_of
from perennial.leads.identity import write_identity
from perennial.leads.preferences import set_break, set_topics
from perennial.leads.suppression import REASONS, Reason, suppressions
from perennial.privacy.erase import Erased, Eraser
from perennial.privacy.export import export_lead
from perennial.privacy.merge import merge_leads
from perennial.privacy.suppressor import Suppressor
from tests.builders import SECRETS
from tests.engine.rig import MONDAY, Rig, decoded, eventually, finished, kinds, parked
from tests.privacy.test_erase import dumped

WAIT = "send:welcome/wait"
ZEB = {"first_name": "Zebulon", "last_name": "Quixworth", "company": "Quixotic Works"}
PERSONAL = ("zebulon", "quixworth", "quixotic", "example")


async def met(rig: Rig, *tracks: str, lead: str = "zeb", **changes: Any) -> str:
    """A lead on these tracks, resting after the first mail of each; its id."""
    address = f"zebulon.{rig.tag}.{lead}@quixotic.example"
    await rig.add_leads(lead, **ZEB | {"email": address, "email_key": address} | changes)
    for track in tracks:
        await rig.enrol(track, lead)
    return rig.id(lead)


async def two_mails(rig: Rig) -> bool:
    return len(await rig.pieces("keep")) == 2


async def erase(rig: Rig, lead_id: str, at: datetime, **more: Any) -> Erased:
    """Begin and finish an erasure, as the command does while Temporal is up."""
    eraser = Eraser(rig.database, SECRETS, **more)
    return await eraser.finish(await eraser.begin(lead_id, at), rig.inst.client)


async def test_an_erasure_ends_the_journeys_and_leaves_no_trace_in_database_or_histories(still_rig: Rig) -> None:
    """The name, the address and the company: in no column, and in no event of any history."""
    rig = still_rig
    async with rig.working():
        lead_id = await met(rig, "new-lead", "re-engagement")
        await parked(rig.journey("new-lead", "zeb"), WAIT)
        await rig.hears("zeb", "page.viewed", "/about")
        async with rig.database.writing() as session:
            await write_identity(session, lead_id, "user", "quixworth-1", MONDAY)
        journeys = [rig.journey(track, "zeb") for track in ("new-lead", "re-engagement")]
        for journey in journeys:
            history = decoded((await journey.fetch_history()).to_json_dict()).lower()
            assert [word for word in PERSONAL if word in history] == []
        erased = await erase(rig, lead_id, rig.inst.now())
        assert (erased.leads, erased.journeys, erased.histories_left) == ((lead_id,), 2, False)
        for track in ("new-lead", "re-engagement"):
            assert (await rig.standing(track, "zeb")).outcome == "exited: erased at the lead's request"
        for journey in journeys:
            await eventually(partial(is_forgotten, rig, journey))
    said = (await dumped(rig.database)).lower()
    assert [word for word in PERSONAL[:3] if word in said] == []


async def is_forgotten(rig: Rig, journey: WorkflowHandle[Any, Any]) -> bool:
    """Whether Temporal knows nothing of a journey: neither its history nor its line in the list."""
    try:
        await journey.fetch_history()
    except RPCError as error:
        listed = [each async for each in rig.inst.client.list_workflows(f"WorkflowId = '{journey.id}'")]
        return error.status is RPCStatusCode.NOT_FOUND and not listed
    return False


async def test_an_erasure_without_a_worker_hides_the_lead_at_once_and_is_finished_later(still_rig: Rig) -> None:
    """Nothing personal waits for a worker; the same command ends the journeys once there is one."""
    rig = still_rig
    async with rig.working():
        lead_id = await met(rig, "new-lead")
        await parked(rig.journey("new-lead", "zeb"), WAIT)
    with pytest.raises(SettingsError, match="worker"):
        await erase(rig, lead_id, MONDAY, within=timedelta(seconds=0.5))
    said = (await dumped(rig.database)).lower()
    assert [word for word in PERSONAL[:3] if word in said] == []
    async with rig.working():
        await erase(rig, lead_id, MONDAY)
        assert (await rig.standing("new-lead", "zeb")).status == "finished"
    assert (await erase(rig, lead_id, MONDAY)).journeys == 0


@pytest.mark.parametrize("reason", REASONS)
async def test_whoever_is_suppressed_by_hand_leaves_every_journey(still_rig: Rig, reason: Reason) -> None:
    """Whatever the reason: the gate knows at once, the journeys end, and again changes nothing."""
    rig = still_rig
    async with rig.working():
        lead_id = await met(rig, "new-lead")
        await parked(rig.journey("new-lead", "zeb"), WAIT)
        suppressor = Suppressor(rig.database, Recorder(rig.inst.scoring, rig.inst.tracks))
        done = await suppressor.suppress(lead_id, reason, rig.inst.now(), source="a person")
        assert done.new
        await done.tell(rig.inst.listener)
        async with rig.database.reading() as session:
            assert await suppressions(session, lead_id) == (reason,)
        assert (await finished(rig.journey("new-lead", "zeb"))).startswith("exited: ")
        again = await suppressor.suppress(lead_id, reason, rig.inst.now(), source="a person")
        await again.tell(rig.inst.listener)
        assert not again.new
    assert await rig.pieces("zeb") == ["welcome"]


async def test_a_merge_mid_journey_keeps_both_stories_and_lets_one_go_on(still_rig: Rig) -> None:
    """On one track both: the current lead's journey goes on, the other exits and says why; each keeps its own past."""
    rig = still_rig
    async with rig.working():
        keep = await met(rig, "new-lead", lead="keep")
        lose = await met(rig, "new-lead", lead="lose")
        for lead in ("keep", "lose"):
            await parked(rig.journey("new-lead", lead), WAIT)
        now = rig.inst.now()
        merged, asked = await merge_leads(rig.database, keep, lose, at=now)
        await tell_asked(rig.inst.client, asked)
        assert await finished(rig.journey("new-lead", "lose")) == f"exited: merged into {keep}"
        await parked(rig.journey("new-lead", "keep"), WAIT)
        again, _ = await merge_leads(rig.database, keep, lose, at=now)
    assert (merged.exiting, again.exiting) == ((f"new-lead/{lose}/1",), ())
    for lead in ("keep", "lose"):
        assert "done send:welcome" in kinds(await rig.facts("new-lead", lead))
    async with rig.database.reading() as session:
        story = await story_of(session, await session.get_one(LeadRow, keep), DEFAULT_MODEL, now)
        document = await export_lead(session, keep, now)
    assert [(each.enrolment_id, each.outcome) for each in story.standings] == [
        (f"new-lead/{keep}/1", None),
        (f"new-lead/{lose}/1", f"exited: merged into {keep}"),
    ]
    assert sum(line.kind == "sent" for line in story.lines) == 2
    assert {row["id"] for row in document["leads"]} == {keep, lose}


async def test_a_merged_leads_own_journey_goes_on_for_the_one_that_is_kept(still_rig: Rig) -> None:
    """Its next mail goes to the current lead's address, counts for its caps, and the current lead's opt-out ends it."""
    rig = still_rig
    async with rig.working():
        keep = await met(rig, lead="keep")
        lose = await met(rig, "new-lead", lead="lose")
        journey = rig.journey("new-lead", "lose")
        await parked(journey, WAIT)
        await merge_leads(rig.database, keep, lose, at=rig.inst.now())
        async with rig.database.writing() as session:
            await session.execute(update(Touch).values(at=MONDAY - timedelta(days=8)))
        for _ in range(2):
            await journey.execute_update("override", Request(reason="test"))
        await eventually(lambda: two_mails(rig))
        await rig.hears("keep", "lead.opted_out")
        assert await finished(journey) == "exited: opted out"
    async with rig.database.reading() as session:
        mails = [*await session.scalars(select(Message.to).order_by(Message.at))]
    assert mails == [f"zebulon.{rig.tag}.lose@quixotic.example", f"zebulon.{rig.tag}.keep@quixotic.example"]


async def test_a_break_puts_the_next_mail_off_and_an_unwanted_topic_drops_it(still_rig: Rig) -> None:
    """The preferences of the page, in the send path of a journey that runs."""
    rig = still_rig
    async with rig.working():
        await rig.add_leads("pause", "choosy")
        async with rig.database.writing() as session:
            await set_break(session, rig.id("pause"), MONDAY + timedelta(days=30))
            await set_topics(session, rig.id("choosy"), {"forecasting": False}, MONDAY)
        await rig.enrol("new-lead", "pause")
        await parked(rig.journey("new-lead", "pause"), "send:welcome", "deferred")
        put_off = [fact for fact in await rig.facts("new-lead", "pause") if isinstance(fact, Deferred)]
        assert [(fact.reason, fact.until >= MONDAY + timedelta(days=30)) for fact in put_off] == [
            ("the lead asked for a break", True)
        ]
        await rig.enrol("new-lead", "choosy")
        await parked(rig.journey("new-lead", "choosy"), WAIT)
    assert await rig.pieces("pause") == []
    assert await rig.pieces("choosy") == ["welcome"]
