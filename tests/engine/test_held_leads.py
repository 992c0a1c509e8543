"""A track is edited beyond recognition under a journey on the real server: its lead is held, and released."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from models.messages import Release, Request
from models.visibility import STEP
from nurture.errors import RefusedError
from nurture.gate import Caps
from nurture.journey.decision import Park
from nurture.journey.facts import Explained, Held, Released
from nurture.journey.lead import Lead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome, ReEntry, nurtured
from nurture.journey.track import Track, track
from perennial.journeys.alerts import latest_alerts
from perennial.journeys.handles import update_journey, view_journey
from perennial.journeys.held import held_journeys, release_lead
from tests.engine.rig import Rig, behaviour, finished, kinds, parked

Story = Callable[[Lead], Awaitable[Outcome]]
STOOD = "send:last-call/wait"
HOLD_AND_RELEASE = ["held", "released", "explained"]


def version(story: Story) -> Track:
    """A version of the track `course`."""
    return track("course", exits_on=(opted_out,), caps=Caps(10, 10, 10))(story)


async def as_it_was(lead: Lead) -> Outcome:
    """Three mails."""
    await lead.send("welcome")
    await lead.wait(days=3)
    await lead.send("best-of")
    await lead.wait(days=3)
    await lead.send("last-call")
    await lead.wait(days=30)
    return nurtured


async def something_else(lead: Lead) -> Outcome:
    """Three others."""
    await lead.send("industry-report")
    await lead.wait(days=4)
    await lead.send("reconsider")
    await lead.wait(days=5)
    await lead.send("rest-note")
    await lead.wait(days=6)
    return nurtured


async def deploy(rig: Rig) -> WorkflowHandle[Any, Any]:
    """A lead in the wait after the third mail, whose track is something else from now on; no worker runs."""
    old = rig.running(version(as_it_was))
    async with old.working():
        handle = await old.journey_of("course", "ada")
        for place in ("send:welcome/wait", "send:best-of/wait"):
            await parked(handle, place)
            await handle.execute_update("override", Request(id=f"past {place}"))
        await parked(handle, STOOD)
    await handle.signal("refresh", Request(id="deployed"))
    return handle


async def alerts(rig: Rig) -> list[tuple[str, bool]]:
    """What a person is told, and whether it is of a hold that lasts."""
    async with rig.database.reading() as session:
        return [(line.text, line.held) for line in await latest_alerts(session, 20)]


async def test_a_lead_without_a_place_is_held_told_once_and_released_at_a_step(still_rig: Rig) -> None:
    """Nothing is sent to it meanwhile; from the step on it goes on as any lead of the new version."""
    handle = await deploy(still_rig)
    rig = still_rig.running(version(something_else))
    async with rig.working():
        await parked(handle, STOOD, "held")
        await handle.signal("refresh", Request(id="once more"))
        head = await rig.standing("course", "ada")
        assert (head.status, head.step, head.next_at) == ("held", STOOD, None)
        assert head.because == ["the code comes to `industry-report`, where this lead had `welcome`"]
        assert await alerts(rig) == [(f"held, nothing is sent: {head.because[0]}", True)]
        assert (await handle.describe()).typed_search_attributes[STEP] == "held"
        async with rig.database.reading() as session:
            (held,) = await held_journeys(session, tracks=["course"])
        assert held.place == "wait after send last-call"

        catalogue, now = rig.inst.catalogue, rig.inst.now()
        release = Release(id="r1", step="send:reconsider")
        the_track = rig.inst.tracks["course"]
        client = rig.inst.client
        dry = await release_lead(client, rig.database, held, release, the_track, catalogue, now, dry_run=True)
        assert (dry, await rig.pieces("ada")) == ("send reconsider", ["welcome", "best-of", "last-call"])
        wrong = Release(id="r0", step="send:welcome")
        with pytest.raises(RefusedError, match="leads this lead to no send welcome"):
            await release_lead(client, rig.database, held, wrong, the_track, catalogue, now, dry_run=False)
        await release_lead(client, rig.database, held, release, the_track, catalogue, now, dry_run=False)
        await parked(handle, "send:reconsider/wait")
        with pytest.raises(RefusedError, match="the lead is not held"):
            await update_journey(client, held.id, "release", Release(id="r2", step="send:rest-note"))
        for place in ("send:reconsider/wait", "send:rest-note/wait"):
            await parked(handle, place)
            await handle.execute_update("override", Request(id=f"past {place}"))
        assert await finished(handle) == "nurtured"
    assert await rig.pieces("ada") == ["welcome", "best-of", "last-call", "reconsider", "rest-note"]
    facts = await rig.facts("course", "ada")
    assert [fact.kind for fact in facts if isinstance(fact, Held | Released | Explained)] == HOLD_AND_RELEASE
    assert await alerts(rig) == []


async def test_a_held_lead_still_exits(still_rig: Rig) -> None:
    """An opt-out ends the journey, as everywhere."""
    handle = await deploy(still_rig)
    rig = still_rig.running(version(something_else))
    async with rig.working():
        await parked(handle, STOOD, "held")
        await handle.signal("behaviour", behaviour("b1", "lead.opted_out"))
        assert await finished(handle) == "exited: opted out"
    assert "held" in kinds(await rig.facts("course", "ada"))


async def test_a_held_lead_goes_on_where_it_stood_once_the_edit_is_taken_back(still_rig: Rig) -> None:
    """By itself; nothing is sent twice."""
    handle = await deploy(still_rig)
    wrong = still_rig.running(version(something_else))
    async with wrong.working():
        await parked(handle, STOOD, "held")
    await handle.signal("refresh", Request(id="taken back"))
    rig = still_rig.running(version(as_it_was))
    async with rig.working():
        view = await parked(handle, STOOD)
        assert isinstance(view.next, Park)
        assert view.next.until is not None
        assert (await rig.standing("course", "ada")).status == "active"
        assert await alerts(rig) == []
    assert await rig.pieces("ada") == ["welcome", "best-of", "last-call"]


async def test_a_release_to_the_end_ends_the_journey(still_rig: Rig) -> None:
    """A journey that has ended, or never was, takes none."""
    handle = await deploy(still_rig)
    rig = still_rig.running(version(something_else))
    async with rig.working():
        await parked(handle, STOOD, "held")
        release = Release(id="r1", end=True)
        answer = await update_journey(rig.inst.client, f"course/{rig.id('ada')}/1", "release", release)
        assert answer == "finish: exited: a person ended it"
        assert await finished(handle) == "exited: a person ended it"
        with pytest.raises(RefusedError):
            await update_journey(rig.inst.client, f"course/{rig.id('ada')}/1", "release", Release(id="r2", end=True))
        with pytest.raises(RefusedError):
            await view_journey(rig.inst.client, "course/nobody/1")


async def test_leads_inside_a_renamed_track_go_on_under_its_new_name(still_rig: Rig) -> None:
    """Its type and id in Temporal stay; who is on it cannot enter it again by either name, and re-entry knows both."""

    def renamed(name: str, **was: Any) -> Track:
        return track(name, exits_on=(opted_out,), caps=Caps(10, 10, 10), re_entry=ReEntry.once_over(), **was)(as_it_was)

    old = still_rig.running(renamed("course"))
    async with old.working():
        handle = await old.journey_of("course", "ada")
        await parked(handle, "send:welcome/wait")
    rig = still_rig.running(renamed("lesson", was="course"))
    async with rig.working():
        for name in ("course", "lesson"):
            with pytest.raises(RefusedError, match="already on lesson"):
                await rig.enrol(name, "ada")
        assert await rig.inst.enroller.renurture("lesson", rig.id("ada"), rig.inst.now(), "nudged") is False
        for place in ("send:welcome/wait", "send:best-of/wait", STOOD):
            await parked(handle, place)
            await handle.execute_update("override", Request(id=f"past {place}"))
        assert await finished(handle) == "nurtured"
        again = await rig.inst.enroller.enrol("course", rig.id("ada"), rig.inst.now(), "once more")
    assert again == f"lesson/{rig.id('ada')}/2"
    assert handle.id == f"course/{rig.id('ada')}"
