"""A storm of signals over several continue-as-news: none lost, none doubled, each sender's in its order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from models.messages import Behaviour
from nurture.journey.facts import Behaved
from nurture.journey.lead import Lead
from nurture.journey.matchers import demo_requested, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from perennial.platform.temporal import connect
from tests.engine.rig import Rig, behaviour, events, eventually, finished, parked, view_of

SENDERS = 6
AGAIN = 5  # each sender says one in this many twice


@track("listener", exits_on=(opted_out,))
async def listener(lead: Lead) -> Outcome:
    """Waits for a request for a demo, whatever else happens."""
    await lead.wait(days=300, until=demo_requested)
    return nurtured


async def tell(handle: WorkflowHandle[Any, Any], said: Behaviour) -> None:
    """Signal, and again while the server is too busy with this workflow: what has an id may be said twice."""
    while True:
        try:
            return await handle.signal("behaviour", said)
        except RPCError as error:
            if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                raise


@pytest.mark.parametrize("each", [120, pytest.param(500, marks=pytest.mark.slow)])
async def test_a_storm_over_many_runs_is_heard_once_and_in_order(
    still_rig: Rig, server_address: str, each: int
) -> None:
    """Six senders, every fifth signal repeated; the read model has each id once and each sender's in order."""
    rig = still_rig.running(listener)

    async def storm(sender: int) -> None:
        client: Client = await connect(server_address)
        handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(f"listener/{rig.id('ada')}")
        for number in range(each):
            said = behaviour(f"{sender}-{number:03}", "page.viewed", f"/{sender}", at=rig.inst.now())
            for _ in range(2 if number % AGAIN == 0 else 1):
                await tell(handle, said)

    async with rig.working():
        handle = await rig.journey_of("listener", "ada")
        first_run = (await handle.describe()).run_id
        await asyncio.gather(*map(storm, range(SENDERS)))
        await tell(handle, behaviour("last", "demo.requested", at=rig.inst.now()))
        assert await finished(handle) == "nurtured"
        view = await view_of(handle)

    facts = await rig.facts("listener", "ada")
    heard = [fact.id for fact in facts if isinstance(fact, Behaved)]
    assert sorted(heard) == sorted([*(f"{s}-{n:03}" for s in range(SENDERS) for n in range(each)), "last"])
    for sender in range(SENDERS):
        of_this = [id_ for id_ in heard if id_.startswith(f"{sender}-")]
        assert all(one < next_ for one, next_ in pairwise(of_this))

    assert (await handle.describe()).run_id != first_run
    assert view.total == len(facts)
    assert sum(fact.times for fact in view.facts if isinstance(fact, Behaved)) == len(heard)
    assert len(view.facts) < len(facts), "continue-as-new compacts what it carries"


async def test_a_signal_repeated_across_continue_as_new_is_heard_once(still_rig: Rig) -> None:
    """Sent while no worker runs, the repeats meet the next run before its first task: it knows what was heard."""
    rig = still_rig.running(listener)
    async with rig.working():
        handle = await rig.journey_of("listener", "ada")
        await parked(handle, "start/wait")
        first_run = (await handle.describe()).run_id
        for number in range(60):
            await tell(handle, behaviour(f"b{number}", "page.viewed", "/a", at=rig.inst.now()))

        async def heard_all() -> bool:
            return (await view_of(handle)).total == 62  # enrolled, the open wait, and these

        await eventually(heard_all)
    for _ in range(1_000):  # past what one run may hear: the next decision is followed by a new run
        await tell(handle, behaviour("b59", "page.viewed", "/a", at=rig.inst.now()))
    async with rig.working():

        async def in_a_new_run() -> bool:
            return (await handle.describe()).run_id != first_run

        await eventually(in_a_new_run)
        for number in range(60):
            await tell(handle, behaviour(f"b{number}", "page.viewed", "/a", at=rig.inst.now()))
        await tell(handle, behaviour("last", "demo.requested", at=rig.inst.now()))
        assert await finished(handle) == "nurtured"
    facts = await rig.facts("listener", "ada")
    assert [fact.id for fact in facts if isinstance(fact, Behaved)] == [*(f"b{n}" for n in range(60)), "last"]


async def test_a_run_that_goes_on_keeps_what_the_ui_shows(still_rig: Rig) -> None:
    """The search attributes are there in the new run too, and its history starts small."""
    rig = still_rig.running(listener)
    async with rig.working():
        handle = await rig.journey_of("listener", "ada")
        await parked(handle, "start/wait")
        first = await handle.describe()
        for number in range(220):
            await tell(handle, behaviour(f"b{number}", "page.viewed", "/a", at=rig.inst.now()))

        async def in_a_new_run() -> bool:
            return (await handle.describe()).run_id != first.run_id

        await eventually(in_a_new_run)
        await parked(handle, "start/wait")
        second = await handle.describe()
        assert dict(second.typed_search_attributes) == dict(first.typed_search_attributes)
        assert events(await handle.fetch_history(), "WORKFLOW_EXECUTION_SIGNALED") < 220
