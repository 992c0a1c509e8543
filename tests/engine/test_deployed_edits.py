"""An edited track, deployed under running journeys on the real server: the table of the design, row by row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from models.messages import Request
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Done, Explained
from nurture.journey.lead import Lead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Track, track
from tests.engine.rig import Rig, behaviour, events, eventually, finished, kinds, parked, view_of

DAY = timedelta(days=1)
Story = Callable[[Lead], Awaitable[Outcome]]


def version(story: Story) -> Track:
    """A version of the track `course`."""
    return track("course", exits_on=(opted_out,))(story)


async def as_it_was(lead: Lead) -> Outcome:
    """Welcome, and two offers to sales with waits between."""
    await lead.send("welcome")
    await lead.wait(days=10)
    await lead.hand_off("sales")
    await lead.wait(days=20)
    await lead.hand_off("partners")
    await lead.wait(days=30)
    return nurtured


async def with_a_step_inserted(lead: Lead) -> Outcome:
    """An alert before the first offer."""
    await lead.send("welcome")
    await lead.wait(days=10)
    await lead.alert("look here")
    await lead.hand_off("sales")
    await lead.wait(days=20)
    await lead.hand_off("partners")
    await lead.wait(days=30)
    return nurtured


async def without_the_wait_after_sales(lead: Lead) -> Outcome:
    """Both offers on one day."""
    await lead.send("welcome")
    await lead.wait(days=10)
    await lead.hand_off("sales")
    await lead.hand_off("partners")
    await lead.wait(days=30)
    return nurtured


async def quite_another(lead: Lead) -> Outcome:
    """Nothing of what the leads had."""
    await lead.alert("one")
    await lead.wait(days=1)
    await lead.alert("two")
    await lead.wait(days=3)
    await lead.alert("three")
    return nurtured


async def with_a_wait_shortened(lead: Lead) -> Outcome:
    """Five days after the first offer, and not twenty."""
    await lead.send("welcome")
    await lead.wait(days=10)
    await lead.hand_off("sales")
    await lead.wait(days=5)
    await lead.hand_off("partners")
    await lead.wait(days=30)
    return nurtured


AFTER_WELCOME, AFTER_SALES, AFTER_PARTNERS = "send:welcome/wait", "hand_off:sales/wait", "hand_off:partners/wait"
STANDS = {"before": AFTER_WELCOME, "there": AFTER_SALES, "past": AFTER_PARTNERS}


async def go_to(handle: WorkflowHandle[Any, Any], key: str) -> None:
    """End waits until the lead stands at this one."""
    for place in (AFTER_WELCOME, AFTER_SALES, AFTER_PARTNERS):
        await parked(handle, place)
        if place == key:
            return
        await handle.execute_update("override", Request(id=f"to {place}"))


async def deploy(rig: Rig) -> dict[str, WorkflowHandle[Any, Any]]:
    """Journeys at each place under the old version; its worker is stopped, and everybody is told to refresh."""
    journeys = {}
    rig = rig.running(version(as_it_was))
    async with rig.working():
        for name, key in STANDS.items():
            journeys[name] = await rig.journey_of("course", name)
            await go_to(journeys[name], key)
    for handle in journeys.values():
        await handle.signal("refresh", Request(id="deployed"))
    return journeys


async def ended(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Override every wait to the end; the steps that were done, in order. No task may have failed on the way."""

    async def at_rest() -> Park | Finish | None:
        following = (await view_of(handle)).next
        return following if isinstance(following, Park | Finish) else None

    turn = 0
    while isinstance(await eventually(at_rest), Park):
        turn += 1
        await handle.execute_update("override", Request(id=f"on {turn}"))
    assert await finished(handle) == "nurtured"
    assert events(await handle.fetch_history(), "WORKFLOW_TASK_FAILED") == 0
    return [fact.key for fact in (await view_of(handle)).facts if isinstance(fact, Done)]


async def settled(handle: WorkflowHandle[Any, Any], key: str) -> Park:
    """Where a journey parks once the refresh was heard."""
    view = await parked(handle, key)
    assert isinstance(view.next, Park)
    return view.next


async def test_an_inserted_step_comes_to_those_before_it_and_never_to_those_past_it(still_rig: Rig) -> None:
    """Three leads, one edit: the first gets the new step, the others never go back for it."""
    journeys = await deploy(still_rig)
    async with still_rig.running(version(with_a_step_inserted)).working():
        for name, key in STANDS.items():
            await settled(journeys[name], key)
        done = {name: await ended(handle) for name, handle in journeys.items()}
    old = ["send:welcome", "hand_off:sales", "hand_off:partners"]
    assert done == {
        "before": ["send:welcome", "alert:look here", "hand_off:sales", "hand_off:partners"],
        "there": old,
        "past": old,
    }
    readings = [fact.said for fact in await still_rig.facts("course", "past") if isinstance(fact, Explained)]
    assert readings == [("`alert look here` was put in behind this lead: skipped",)]


async def test_a_removed_wait_keeps_those_who_stand_in_it_until_its_end(still_rig: Rig) -> None:
    """Nobody is offered to partners early by an edit; who was before it comes to a track without it."""
    journeys = await deploy(still_rig)
    async with still_rig.running(version(without_the_wait_after_sales)).working():
        before = await settled(journeys["there"], AFTER_SALES)
        assert before.until is not None
        done = {name: await ended(handle) for name, handle in journeys.items()}
    assert set(map(tuple, done.values())) == {("send:welcome", "hand_off:sales", "hand_off:partners")}


async def test_a_lead_without_a_place_is_held_until_the_edit_is_rolled_back(still_rig: Rig) -> None:
    """Held, nothing is done, an exit ends it, and time does not; under the old code it stands where it stood."""
    journeys = await deploy(still_rig)
    async with still_rig.running(version(quite_another)).working():
        for name in ("there", "past"):
            await parked(journeys[name], STANDS[name], "held")
        exit_ = behaviour("b1", "lead.opted_out", at=still_rig.inst.now())
        await journeys["there"].signal("behaviour", exit_)
        assert await finished(journeys["there"]) == "exited: opted out"
    async with still_rig.running(version(as_it_was)).working():
        await journeys["past"].signal("refresh", Request(id="rolled back"))
        await settled(journeys["past"], AFTER_PARTNERS)
        assert (await ended(journeys["past"]))[-1] == "hand_off:partners"


async def test_two_versions_taking_turns_do_nothing_twice(still_rig: Rig) -> None:
    """A deployment that is rolled out, back, and out again, with a wake under each."""
    handle = None
    for turn, story in enumerate((as_it_was, with_a_step_inserted, as_it_was, with_a_step_inserted)):
        rig = still_rig.running(version(story))
        async with rig.working():
            handle = handle or await rig.journey_of("course", "ada")
            await handle.signal("refresh", Request(id=f"turn {turn}"))
            if turn < 3:
                await parked(handle, (AFTER_WELCOME, AFTER_WELCOME, AFTER_SALES)[turn])
            if turn in (1, 2):
                await handle.execute_update("override", Request(id=f"on {turn}"))
            if turn == 3:
                done = await ended(handle)
    assert sorted(done) == sorted(set(done))
    assert done == ["send:welcome", "alert:look here", "hand_off:sales", "hand_off:partners"]


async def test_a_shortened_wait_counts_from_its_own_start(still_rig: Rig) -> None:
    """Who stands in it waits the new length from when it began; who is past it notices nothing."""
    journeys = await deploy(still_rig)
    async with still_rig.running(version(with_a_wait_shortened)).working():
        for name, key in STANDS.items():
            park = await settled(journeys[name], key)
            view = await view_of(journeys[name])
            start = [fact for fact in view.facts if isinstance(fact, Done)][-1].at
            length = {"before": 10, "there": 5, "past": 30}[name]

            assert park.until is not None
            assert await _until(journeys[name], start + length * DAY), (name, park.until - start)
        done = {name: await ended(handle) for name, handle in journeys.items()}
    assert set(map(tuple, done.values())) == {("send:welcome", "hand_off:sales", "hand_off:partners")}


async def _until(handle: WorkflowHandle[Any, Any], moment: Any) -> bool:
    async def look() -> bool:
        view = await view_of(handle)
        return isinstance(view.next, Park) and view.next.until == moment

    return await eventually(look)


async def test_without_a_refresh_the_edit_reaches_a_lead_at_its_next_wake(still_rig: Rig) -> None:
    """A behaviour that exits is under the new code, and what was decided before stays."""
    rig = still_rig.running(version(as_it_was))
    async with rig.working():
        handle = await rig.journey_of("course", "ada")
        await parked(handle, AFTER_WELCOME)
    async with still_rig.running(version(with_a_step_inserted)).working():
        assert (await view_of(handle)).next == (await parked(handle, AFTER_WELCOME)).next
        await handle.execute_update("override", Request(id="o1"))
        await parked(handle, AFTER_SALES)
        await handle.signal("behaviour", behaviour("b1", "lead.opted_out", at=rig.inst.now()))
        assert await finished(handle) == "exited: opted out"
    assert kinds(await rig.facts("course", "ada")) == [
        "enrolled",
        "done send:welcome",
        "waiting send:welcome/wait",
        "overridden",
        "waited send:welcome/wait",
        "done alert:look here",
        "done hand_off:sales",
        "waiting hand_off:sales/wait",
        "behaved",
        "exited",
    ]
