"""From a stored event to a journey: the relay, the interest filter, scanners; on the real server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.intake import Event
from models.journeys import Unheard
from models.leads import BehaviourRow, Identity, LeadRow, ScoreEntry, Suppression
from models.touches import Touch
from nurture.journey.facts import Behaved
from nurture.journey.refs import is_ref
from perennial.app.sources import translator
from perennial.intake.outbox import Incoming, accept
from perennial.intake.relay import Relay
from perennial.intake.reports import Report
from perennial.integrations.sendgrid.events import TOUCH_ARGUMENT
from perennial.platform.secrets import Secrets
from tests.engine.rig import MONDAY, Rig, events, finished, kinds, parked, view_of

SECRETS = Secrets("a secret of the tests, long enough for one")


@pytest.fixture
def relay(still_rig: Rig) -> Relay:
    """A relay over the installation."""
    inst = still_rig.inst
    return Relay(inst.database, inst.listener, translator(SECRETS, inst.scoring))


@pytest.fixture
async def worked(still_rig: Rig) -> AsyncIterator[Rig]:
    """The installation with a worker."""
    async with still_rig.working():
        yield still_rig


async def store(rig: Rig, *bodies: Mapping[str, Any], source: str = "sendgrid", **fields: Any) -> None:
    """Store events as the web service does."""
    incoming = [
        Incoming(source, str(body.get("id") or body.get("messageId")), tuple(body.values()), body, MONDAY, **fields)
        for body in bodies
    ]
    async with rig.database.writing() as session:
        await accept(session, incoming)


async def drained(relay: Relay) -> int:
    """Drain the outbox; how many events it held."""
    total = 0
    while found := await relay.drain():
        total += found
    return total


async def touch_of(rig: Rig, lead: str) -> Touch:
    """The only touch of a lead."""
    async with rig.database.reading() as session:
        found = await session.scalar(select(Touch).where(Touch.lead_id == rig.id(lead)))
    assert found is not None
    return found


def told(id_: str, kind: str, touch: Touch, *, after: timedelta = timedelta(hours=2), **more: Any) -> dict[str, Any]:
    """An event of SendGrid's about a touch's mail."""
    at = int((touch.at + after).timestamp())
    return {"id": id_, "event": kind, "timestamp": at, TOUCH_ARGUMENT: touch.id, **more}


async def states(rig: Rig) -> dict[str, str]:
    """The state of each stored event, by its id."""
    async with rig.database.reading() as session:
        return {str(id_): state for id_, state in await session.execute(select(Event.event_id, Event.state))}


async def test_a_click_told_by_the_provider_moves_the_lead_and_settles_the_touch(worked: Rig, relay: Relay) -> None:
    """The webhook came before the send's own answer: the touch was still of unknown fate."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    touch = await touch_of(worked, "ada")
    async with worked.database.writing() as session:
        await session.execute(update(Touch).values(state="unknown"))
    await store(
        worked,
        told("e1", "delivered", touch, after=timedelta(seconds=30)),
        told("e2", "click", touch, url="https://northwind.example/a"),
    )
    assert await drained(relay) == 2
    view = await parked(journey, "send:welcome/wait~2")
    assert "waited send:welcome/wait" in kinds(view.facts)
    settled = await touch_of(worked, "ada")
    assert (settled.state, settled.delivery) == ("accepted", "delivered")
    assert set((await states(worked)).values()) == {"done"}


async def test_the_same_events_again_change_nothing(worked: Rig, relay: Relay) -> None:
    """A relay killed before it marked them tells them a second time."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    await store(worked, told("e1", "click", await touch_of(worked, "ada"), url="https://northwind.example/a"))
    await drained(relay)
    await parked(journey, "send:welcome/wait~2")
    before = await worked.facts("new-lead", "ada")
    async with worked.database.writing() as session:
        await session.execute(update(Event).values(state="new"))
    assert await drained(relay) == 1
    view = await view_of(journey)
    assert [fact.id for fact in view.facts if isinstance(fact, Behaved)] == [
        fact.id for fact in before if isinstance(fact, Behaved)
    ]
    async with worked.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(ScoreEntry).where(ScoreEntry.rule == "click")) == 1


async def test_a_behaviour_nobody_listens_for_costs_no_signal_and_counts_at_the_next_decision(
    worked: Rig, relay: Relay
) -> None:
    """The interest filter: two page views wait in `unheard` until a click wakes the journey."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    lead = worked.id("ada")
    at = MONDAY + timedelta(hours=1)
    for number, path in enumerate(("/blog", "/about")):
        await worked.inst.listener.take(Report(f"p{number}-{lead}", lead, "page.viewed", {"path": path}, at))
    assert events(await journey.fetch_history(), "WORKFLOW_EXECUTION_SIGNALED") == 0
    async with worked.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Unheard)) == 2
    await store(worked, told("e1", "click", await touch_of(worked, "ada"), url="https://northwind.example/a"))
    await drained(relay)
    view = await parked(journey, "send:welcome/wait~2")
    pages = [fact.subject for fact in view.facts if isinstance(fact, Behaved) and fact.name == "page.viewed"]
    assert [is_ref(each) for each in pages] == [True, True], "Temporal is not told what it viewed"
    facts = await worked.facts("new-lead", "ada")
    heard = [(fact.name, fact.subject) for fact in facts if isinstance(fact, Behaved)]
    assert sorted(heard) == [("email.clicked", "welcome"), ("page.viewed", "/about"), ("page.viewed", "/blog")]
    assert events(await journey.fetch_history(), "WORKFLOW_EXECUTION_SIGNALED") == 1


async def test_a_score_at_the_threshold_wakes_a_journey_that_listens_for_something_else(worked: Rig) -> None:
    """Graduation interrupts any wait at once, whatever brought the points."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    for number, name in enumerate(
        ("event.attended", "event.attended", "email.replied", "email.replied", "content.downloaded")
    ):
        await worked.hears("ada", name, f"s{number}")
    view = await parked(journey, "graduation/hand_off:sales/wait")
    assert "graduated" in kinds(view.facts)


async def test_a_burst_reaches_a_journey_in_one_signal_and_in_order(worked: Rig, relay: Relay) -> None:
    """Twenty pricing views of one lead while a pause lets everything through to the inbox."""
    journey = await worked.journey_of("re-engagement", "ada")
    await parked(journey, "send:still-interested/wait")
    touch = await touch_of(worked, "ada")
    bodies = [
        told(f"r{number}", "click", touch, after=timedelta(hours=1, minutes=number), url=f"https://n.example/{number}")
        for number in range(20)
    ]
    await store(worked, *bodies)
    await drained(relay)
    assert await finished(journey) == "revived"
    assert events(await journey.fetch_history(), "WORKFLOW_EXECUTION_SIGNALED") == 1
    async with worked.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(BehaviourRow)) == 20


async def test_all_links_at_once_are_a_scanners_and_give_their_points_back(worked: Rig, relay: Relay) -> None:
    """The first two clicks scored before the third gave the scanner away."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    touch = await touch_of(worked, "ada")
    for number in range(3):
        await store(worked, told(f"c{number}", "click", touch, url=f"https://northwind.example/{number}"))
        await drained(relay)
    async with worked.database.reading() as session:
        assert set(await session.scalars(select(BehaviourRow.bot))) == {True}
        points = (await session.scalars(select(ScoreEntry.points).where(ScoreEntry.rule == "click"))).all()
        assert sum(points) == 0
        lead = await session.get_one(LeadRow, worked.id("ada"))
    assert lead.score < 8


async def test_an_open_by_a_machine_scores_nothing_and_wakes_nobody(worked: Rig, relay: Relay) -> None:
    """Apple's mail privacy opens everything."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    await store(worked, told("o1", "open", await touch_of(worked, "ada"), sg_machine_open=True))
    await drained(relay)
    async with worked.database.reading() as session:
        row = await session.scalar(select(BehaviourRow))
    assert row is not None
    assert (row.name, row.bot) == ("email.opened", True)
    assert events(await journey.fetch_history(), "WORKFLOW_EXECUTION_SIGNALED") == 0


async def test_an_unsubscribe_told_by_the_provider_ends_every_journey(worked: Rig, relay: Relay) -> None:
    """Suppressed in the database, and out of both tracks."""
    first = await worked.journey_of("new-lead", "ada")
    second = await worked.enrol("lost-deal", "ada")
    await parked(first, "send:welcome/wait")
    await parked(second, "start/wait")
    await store(worked, told("u1", "unsubscribe", await touch_of(worked, "ada")))
    await drained(relay)
    assert await finished(first) == await finished(second) == "exited: opted out"
    async with worked.database.reading() as session:
        assert list(await session.scalars(select(Suppression.reason))) == ["opt-out"]


async def test_a_visitor_becomes_a_lead_and_brings_its_page_views_along(worked: Rig, relay: Relay) -> None:
    """Views before the form are the lead's once it says its address, and a form can start a track."""
    at = MONDAY.isoformat()
    view = {"messageId": "v1", "type": "page", "anonymousId": "a1", "properties": {"path": "/guide"}, "timestamp": at}
    await store(worked, view, source="segment", anonymous_id="a1")
    await drained(relay)
    assert await states(worked) == {"v1": "anonymous"}
    address = f"{worked.id('grace')}@northwind.example"
    who = {
        "messageId": "i1",
        "type": "identify",
        "anonymousId": "a1",
        "userId": worked.id("u1"),
        "traits": {"email": address, "firstName": "Grace", "consent": {"basis": "consent", "source": "guide-form"}},
        "timestamp": at,
    }
    form = {
        "messageId": "f1",
        "type": "track",
        "userId": worked.id("u1"),
        "event": "Form Submitted",
        "properties": {"form": "content-download"},
        "timestamp": at,
    }
    await store(worked, who, form, source="segment", anonymous_id="a1")
    await drained(relay)
    async with worked.database.reading() as session:
        lead_id = await session.scalar(select(Identity.lead_id).where(Identity.kind == "user"))
        told_of = (await session.scalars(select(BehaviourRow.name).where(BehaviourRow.lead_id == lead_id))).all()
    assert sorted(told_of) == ["form.submitted", "page.viewed"]
    journey = worked.inst.client.get_workflow_handle(f"new-lead/{lead_id}")
    await parked(journey, "send:welcome/wait")


async def test_a_senseless_event_is_put_aside_and_blocks_nobody(worked: Rig, relay: Relay) -> None:
    """One of a source we do not know, then a good one."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    await store(worked, {"id": "x1", "what": "ever"}, source="elsewhere")
    await store(worked, {"id": "x2", "event": "click", "timestamp": "never", TOUCH_ARGUMENT: "nobody's"})
    await store(worked, told("e1", "click", await touch_of(worked, "ada"), url="https://northwind.example/a"))
    await drained(relay)
    assert await states(worked) == {"x1": "ignored", "x2": "ignored", "e1": "done"}
    await parked(journey, "send:welcome/wait~2")


async def test_only_one_relay_works_at_a_time_and_another_takes_over(worked: Rig, relay: Relay) -> None:
    """Two of them run on the same outbox; the first is stopped."""
    other = replace(relay)
    stop, stop_other = asyncio.Event(), asyncio.Event()
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stop))
        tasks.create_task(other.run(stop_other))
        await store(worked, told("e1", "click", await touch_of(worked, "ada"), url="https://northwind.example/a"))
        await parked(journey, "send:welcome/wait~2")
        stop.set()
        stop_other.set()
    assert (await relay.backlog()).waiting == 0


async def test_points_from_before_the_enrolment_lift_a_lead_over_the_threshold(worked: Rig) -> None:
    """The journey looks at its score, and hears nothing of what happened before it began."""
    journey = await worked.journey_of("new-lead", "ada")
    await parked(journey, "send:welcome/wait")
    await worked.hears("ada", "demo.requested")
    await worked.hears("ada", "email.replied", "welcome")
    await worked.hears("ada", "page.viewed", "/pricing", at=MONDAY - timedelta(hours=2))
    await worked.hears("ada", "event.attended", "webinar", at=MONDAY - timedelta(hours=2))
    view = await parked(journey, "graduation/hand_off:sales/wait")
    assert not {"/pricing", "webinar"} & {fact.subject for fact in view.facts if isinstance(fact, Behaved)}


async def test_a_late_form_starts_its_track_now(worked: Rig) -> None:
    """A wait of its journey is not over before it has begun."""
    await worked.add_leads("ada")
    await worked.hears("ada", "content.downloaded", "guide", at=MONDAY - timedelta(days=2))
    assert (await worked.standing("new-lead", "ada")).started_at >= MONDAY
