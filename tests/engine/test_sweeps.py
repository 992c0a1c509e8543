"""The schedule that sweeps segments, on the real server: a lead in the segment enters the track by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from models.journeys import Enrolment
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from nurture.segments import segment, segment_entered, trait
from nurture.segments.named import Segments
from perennial.app.sweep_schedule import ensure_sweeps, schedule_id
from tests.engine.rig import Rig, eventually

RETAIL = segment("retail", trait("industry") == "retail")


@track("greeting", enters_on=segment_entered(RETAIL))
async def greeting(lead: Lead) -> Outcome:
    """Waits."""
    await lead.wait(days=7)
    return nurtured


async def test_the_schedule_sweeps_at_once_and_is_made_again_without_harm(still_rig: Rig) -> None:
    """Its interval is that of the last worker that started; what a sweep did is the workflow's answer."""
    rig = Rig(
        replace(still_rig.inst, tracks=Registry((greeting,)), segments=Segments((RETAIL,))),
        still_rig.provider,
        still_rig.tag,
    )
    await rig.add_leads("ada")
    queue = rig.inst.settings.task_queue
    handle = rig.inst.client.get_schedule_handle(schedule_id(queue))
    async with rig.working():
        await ensure_sweeps(rig.inst.client, queue, timedelta(hours=1))
        await eventually(lambda: _is_on(rig, "ada"))
        await ensure_sweeps(rig.inst.client, queue, timedelta(hours=2))
        (interval,) = (await handle.describe()).schedule.spec.intervals
        assert interval.every == timedelta(hours=2)
        await handle.delete()


async def _is_on(rig: Rig, lead: str) -> bool:
    async with rig.database.reading() as session:
        found = await session.scalar(select(Enrolment.status).where(Enrolment.lead_id == rig.id(lead)))
    return found == "active"
