"""repair: Temporal and the database agree again, whichever lost what, and nobody is mailed twice."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlalchemy import delete, select
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from models.journeys import Alert, DecisionRow, Enrolment, FactRow
from models.leads import Suppression
from models.messages import Request
from models.touches import Message, Touch
from nurture.errors import RefusedError
from nurture.gate import Caps
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, ReEntry, nurtured
from nurture.journey.track import track
from nurture.timing.calendar import SendWindow
from perennial.intake.lost import keep_for
from perennial.journeys.repairing import CUT_OFF, Difference, Repair
from tests.builders import rows
from tests.engine.rig import Rig, eventually, finished, kinds, parked, view_of


@track(
    "pair",
    caps=Caps(per_day=99, per_week=99, per_month=99),
    quiet_hours=SendWindow(time.min, time.min, frozenset(range(7))),
    re_entry=ReEntry.once_over(),
)
async def pair(lead: Lead) -> Outcome:
    """Two mails, at any hour."""
    await lead.send("welcome")
    await lead.wait(days=3)
    await lead.send("best-of")
    await lead.wait(days=30)
    return nurtured


async def differences(rig: Rig) -> list[Difference]:
    """What differs now."""
    return [each async for each in Repair(rig.inst.enroller).differences()]


async def until_different(rig: Rig) -> list[Difference]:
    """What differs, once Temporal's list has caught up."""

    async def look() -> list[Difference]:
        return await differences(rig)

    return await eventually(look)


async def mended(rig: Rig, found: list[Difference]) -> None:
    """Mend all of it; a second time there is nothing to mend."""
    repair = Repair(rig.inst.enroller)
    for each in found:
        assert await repair.mend(each, rig.inst.now())


async def test_where_both_agree_there_is_nothing_to_mend(still_rig: Rig) -> None:
    """A running journey and one that has ended."""
    rig = still_rig.running(pair)
    async with rig.working():
        await parked(await rig.journey_of("pair", "ada"), "send:welcome/wait")
        done = await rig.journey_of("pair", "bob")
        await done.signal("exit", Request(id="e1", reason="enough"))
        await finished(done)
        assert await differences(rig) == []


async def test_a_journey_terminated_in_the_ui_ends_and_the_lead_can_enter_again(still_rig: Rig) -> None:
    """Its facts stay as they were, with the end; the new stay has its own, and its own mail."""
    rig = still_rig.running(pair)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
        before = kinds(await rig.facts("pair", "ada"))
        with pytest.raises(RefusedError, match="already on pair"):
            await rig.enrol("pair", "ada")
        await handle.terminate("by hand")
        found = await until_different(rig)
        assert found == [Difference(f"pair/{rig.id('ada')}/1", "ended in Temporal", "exited: terminated in Temporal")]
        await mended(rig, found)
        assert not await Repair(rig.inst.enroller).mend(found[0], rig.inst.now())
        assert kinds(await rig.facts("pair", "ada")) == [*before, "exited"]
        assert (await rig.standing("pair", "ada")).outcome == "exited: terminated in Temporal"
        again = await rig.enrol("pair", "ada", rig.inst.now() + timedelta(minutes=1))
        view = await parked(again, "send:welcome/wait")
        assert view.enrolment_id == f"pair/{rig.id('ada')}/2"
    touches = [touch.enrolment_id for touch in await rows(rig.database, Touch)]
    assert sorted(touches) == [f"pair/{rig.id('ada')}/{number}" for number in (1, 2)]


async def test_a_journey_that_temporal_lost_goes_on_where_its_journal_ends(still_rig: Rig) -> None:
    """As after Temporal came back empty: nothing that was sent is sent again."""
    rig = still_rig.running(pair)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
        lost = WorkflowExecution(workflow_id=handle.id, run_id=(await handle.describe()).run_id)
        await rig.inst.client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=lost)
        )
        expected = [Difference(f"pair/{rig.id('ada')}/1", "lost in Temporal")]

        async def gone() -> bool:
            return await differences(rig) == expected

        await eventually(gone)
        await keep_for(rig.database, expected[0].enrolment_id, [], rig.inst.now())
        assert [alert.step_key for alert in await rows(rig.database, Alert)] == ["lost"]
        await mended(rig, expected)
        assert await rows(rig.database, Alert) == [], "what it asked for is done"
        handle = rig.journey("pair", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.execute_update("override", Request(id="on"))
        await parked(handle, "send:best-of/wait")
        assert kinds(await rig.facts("pair", "ada")) == kinds((await view_of(handle)).facts)
    assert await rig.pieces("ada") == ["welcome", "best-of"]


async def test_an_enrolment_that_the_database_lost_is_written_again(still_rig: Rig) -> None:
    """The workflow tells all: enrolment, facts, and the touch that counts against the caps."""
    rig = still_rig.running(pair)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
        facts = kinds(await rig.facts("pair", "ada"))
        async with rig.database.writing() as session:
            for table in (Message, Touch, FactRow, DecisionRow, Enrolment):
                await session.execute(delete(table))
        found = await until_different(rig)
        assert found == [Difference(f"pair/{rig.id('ada')}/1", "lost in the database")]
        await mended(rig, found)

        async def healed() -> bool:
            return kinds(await rig.facts("pair", "ada")) == facts

        await eventually(healed)
        assert await differences(rig) == []
    assert [touch.step_key for touch in await rows(rig.database, Touch)] == ["send:welcome"]
    assert await rows(rig.database, Message) == []


async def test_a_journey_that_was_never_started_is_started(still_rig: Rig) -> None:
    """Its row was committed, and then the process died."""
    rig = still_rig.running(pair)
    await rig.add_leads("ada")
    async with rig.database.writing() as session:
        lead = rig.id("ada")
        session.add(
            Enrolment(
                id=f"pair/{lead}/1",
                lead_id=lead,
                track="pair",
                number=1,
                status="starting",
                started_at=rig.inst.now(),
            )
        )
    async with rig.working():
        found = await until_different(rig)
        assert found == [Difference(f"pair/{lead}/1", "never started")]
        await mended(rig, found)
        await parked(rig.journey("pair", "ada"), "send:welcome/wait")


async def test_a_stay_that_the_database_has_running_and_another_has_followed_ends_as_it_ended(still_rig: Rig) -> None:
    """A backup from within the first stay is restored while the lead is on the track again."""
    rig = still_rig.running(pair)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.signal("exit", Request(id="e1", reason="enough"))
        await finished(handle)
        await parked(await rig.enrol("pair", "ada", rig.inst.now() + timedelta(minutes=1)), "send:welcome/wait")
        first, second = (f"pair/{rig.id('ada')}/{number}" for number in (1, 2))
        async with rig.database.writing() as session:
            for table in (Touch, FactRow, DecisionRow):
                await session.execute(delete(table).where(table.enrolment_id == second))
            await session.execute(delete(Enrolment).where(Enrolment.id == second))
            earlier = await session.get_one(Enrolment, first)
            earlier.status, earlier.outcome, earlier.ended_at = "active", None, None
            exits = (FactRow.enrolment_id == first) & (FactRow.kind == "exited")
            await session.execute(delete(FactRow).where(exits))

        async def both() -> bool:
            return len(await differences(rig)) == 2

        await eventually(both)
        found = await differences(rig)
        assert found == [
            Difference(first, "ended in Temporal", "exited: enough"),
            Difference(second, "lost in the database"),
        ]
        await mended(rig, found)
        assert await differences(rig) == []
        assert (await rig.standing("pair", "ada")).outcome == "exited: enough"


async def test_a_journey_that_was_never_started_ends_if_its_lead_is_suppressed_since(still_rig: Rig) -> None:
    """It must not be started any more, and must not be found again for ever."""
    rig = still_rig.running(pair)
    await rig.add_leads("ada")
    lead = rig.id("ada")
    async with rig.database.writing() as session:
        session.add(
            Enrolment(
                id=f"pair/{lead}/1", lead_id=lead, track="pair", number=1, status="starting", started_at=rig.inst.now()
            )
        )
        session.add(Suppression(lead_id=lead, reason="opt-out", source="s1", at=rig.inst.now()))
    async with rig.working():
        (found,) = await until_different(rig)
        assert found.fault == "never started"
        await mended(rig, [found])
        assert await differences(rig) == []
    assert "never started, as the lead is suppressed" in str((await rig.standing("pair", "ada")).outcome)


async def test_a_journey_terminated_while_it_sends_leaves_no_send_under_way(still_rig: Rig) -> None:
    """Whether its mail left is not known, and says so; the webhook may still tell."""
    rig = still_rig.running(pair)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
        async with rig.database.writing() as session:
            (touch,) = (await session.scalars(select(Touch))).all()
            touch.state = "sending"
            (await session.get_one(Enrolment, touch.enrolment_id)).open_touch = touch.id
        await handle.terminate("by hand")
        await mended(rig, await until_different(rig))
    (touch,) = await rows(rig.database, Touch)
    assert (touch.state, touch.reason) == ("unknown", CUT_OFF)
