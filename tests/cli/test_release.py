"""`release` and what is told of held leads, against a real server and worker."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from models.journeys import Enrolment
from models.leads import LeadRow
from models.messages import Journey
from nurture.journey.facts import AnyFact, Done, Enrolled, Waited, Waiting
from perennial.journeys.enrolling import workflow_id
from tests.cli.conftest import TUESDAY, Stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEEK = timedelta(days=7)
GONE = ("an-old-welcome", "an-old-story", "an-old-offer")


async def held(stack: Stack, pieces: tuple[str, ...] = GONE) -> LeadRow:
    """A lead of new-lead that was sent these pieces, which the track no longer has."""
    lead = await stack.lead()
    began = TUESDAY - len(pieces) * WEEK
    facts: list[AnyFact] = [Enrolled(began, lead.id)]
    for number, piece in enumerate(pieces, 1):
        at, key = began + (number - 1) * WEEK, f"send:{piece}"
        ends = Waited(at + WEEK, f"{key}/wait", "time", length=WEEK.total_seconds())
        stands = Waiting(at, f"{key}/wait", WEEK.total_seconds(), (), at + WEEK)
        facts += [Done(at, key, "sent"), ends if number < len(pieces) else stands]
    row = Enrolment(
        id=f"new-lead/{lead.id}/1", lead_id=lead.id, track="new-lead", number=1, status="starting", started_at=began
    )
    async with stack.inst.database.writing() as session:
        session.add(row)
    journey = Journey(
        enrolment_id=row.id,
        lead_id=lead.id,
        facts=tuple(facts),
        decided=len(facts),
        total=len(facts),
        clock=stack.inst.clock,
    )
    queue = stack.inst.settings.task_queue
    await stack.inst.client.start_workflow("new-lead", journey, id=workflow_id("new-lead", lead.id), task_queue=queue)
    await stack.stands(lead, f"send:{pieces[-1]}/wait", status="held")
    return lead


async def test_a_held_lead_is_told_everywhere_and_released_at_a_step(stack: Stack) -> None:
    """`show` says why and what to do; a dry run changes nothing; an unknown step is refused with those there are."""
    lead = await held(stack)
    shown = (await stack.run("show", lead.id)).stdout
    assert "held, wait after send an-old-offer" in shown
    assert "nothing is sent: the code comes to `welcome`, where this lead had `an-old-welcome`" in shown
    assert f"starter.py release {lead.id} --track new-lead --at STEP" in shown
    assert (await stack.json("tracks"))["new-lead"]["standing"]["held at wait after send an-old-offer"] == 1
    why = "held, nothing is sent: the code comes to `welcome`, where this lead had `an-old-welcome`"
    assert f"{why}  {lead.email}" in (await stack.run("alerts")).stdout

    unknown = await stack.run("release", lead.id, "--at", "nowhere", code=2)
    assert "new-lead has no step 'nowhere'; it has send:welcome," in unknown.stderr
    dry = await stack.json("release", lead.id, "--at", "pricing-guide", "--dry-run")
    assert dry == {"released": {"send pricing-guide": 1}, "dry_run": True}
    await stack.stands(lead, "send:an-old-offer/wait", status="held")
    released = (await stack.run("release", lead.id, "--track", "new-lead", "--at", "send:welcome")).stdout
    assert "1 lead released" in released
    await stack.stands(lead, "send:welcome/wait")
    again = await stack.run("release", lead.id, "--end", code=3)
    assert f"{lead.id} is not held" in again.stderr


async def test_the_held_leads_of_a_track_are_released_place_by_place(stack: Stack) -> None:
    """Those that stood at one place need one answer; those that stood elsewhere are named and left alone."""
    first, second, other = await held(stack), await held(stack), await held(stack, GONE[::-1])
    asked = await stack.run("release", "--track", "new-lead", "--at", "welcome", code=2)
    assert "'wait after send an-old-offer' (2), 'wait after send an-old-welcome' (1)" in asked.stderr
    place = ("--track", "new-lead", "--from", "wait after send an-old-offer")
    released = (await stack.json("release", *place, "--at", "welcome"))["released"]
    assert released == {"welcome was sent, then wait after send welcome": 2}
    for lead in (first, second):
        await stack.stands(lead, "send:welcome/wait")
    await stack.run("release", "--track", "new-lead", "--end", code=2)
    ended = await stack.json("release", "--track", "new-lead", "--end", "--yes")
    assert ended["released"] == {"finish: exited: a person ended it": 1}
    await stack.stands(other, "finished", status="finished")


async def test_a_lead_in_doubt_shows_how_the_edit_was_read(stack: Stack) -> None:
    """In `show`, `why` and `replay`: the same words."""
    lead = await held(stack)
    await stack.run("release", lead.id, "--at", "pricing-guide")
    said = "`welcome` was put in behind this lead: skipped"
    assert f"the track was edited: {said}" in (await stack.run("show", lead.id)).stdout
    assert f"the track was edited: {said}" in (await stack.run("why", lead.id)).stdout
    assert f"the edit: {said}" in (await stack.run("replay", lead.id)).stdout


async def test_a_journey_that_cannot_answer_is_counted_and_the_others_go_on(stack: Stack) -> None:
    """Its workflow is on a queue that no worker looks at, as after a move of the workers."""
    well, lost = await held(stack), await stack.lead()
    row = Enrolment(
        id=f"new-lead/{lost.id}/1", lead_id=lost.id, track="new-lead", number=1, status="held", started_at=TUESDAY
    )
    row.step = "send:an-old-offer/wait"
    async with stack.inst.database.writing() as session:
        session.add(row)
    workflow = workflow_id("new-lead", lost.id)
    handle = await stack.inst.client.start_workflow("new-lead", id=workflow, task_queue="deserted")
    released = await stack.json("release", "--track", "new-lead", "--at", "welcome")
    assert released["released"].pop("welcome was sent, then wait after send welcome") == 1
    assert [answer[:10] for answer in released["released"]] == ["no answer:"]
    await stack.stands(well, "send:welcome/wait")
    await handle.terminate()
    async with stack.inst.database.writing() as session:
        await session.execute(update(Enrolment).where(Enrolment.id == row.id).values(status="finished"))
