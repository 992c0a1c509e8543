"""A person at the controls, on the real server: pause, resume, refresh, exit, override, the query and the UI."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from models.messages import DoOrder, Request
from nurture.journey.decision import Park
from nurture.journey.facts import Done, Exited, Paused, Resumed
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import Envelope, Fate, TryLaterError
from tests.engine.rig import Rig, behaviour, eventually, finished, kinds, parked, view_of

WEEK = timedelta(days=7)


@track("lesson", exits_on=(opted_out,))
async def lesson(lead: Lead) -> Outcome:
    """Two mails and a wait between them."""
    await lead.send("welcome")
    await lead.wait(WEEK, until=link_clicked("welcome"))
    await lead.send("best-of")
    return nurtured


@track("credit")
async def credit(lead: Lead) -> Outcome:
    """An engineer's own activity decides whether there is a mail."""
    if await lead.do("look_up_credit", {"limit": 5}):
        await lead.send("welcome")
    return nurtured


@track("two-waits")
async def two_waits(lead: Lead) -> Outcome:
    """Two waits in a row."""
    await lead.wait(days=3)
    await lead.wait(days=4)
    return nurtured


@dataclass
class Gated:
    """A mailbox behind a door: `open` lets a message through, `fails` are raised first."""

    mailbox: DatabaseProvider
    open: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    async def send(self, envelope: Envelope) -> str:
        """Wait for the door."""
        self.entered.set()
        if self.fails:
            raise TryLaterError("busy", timedelta(milliseconds=50))
        await self.open.wait()
        return await self.mailbox.send(envelope)

    async def fate(self, touch_id: str) -> Fate:
        """As the mailbox knows."""
        return await self.mailbox.fate(touch_id)


# Pause and resume


async def test_a_pause_makes_time_stand_still(still_rig: Rig) -> None:
    """The wait ends as much later as the pause was long; nobody is ejected."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        before = await parked(handle, "send:welcome/wait")
        await handle.signal("pause", Request(id="p1"))
        stopped = await parked(handle, "send:welcome/wait", "paused")
        await handle.signal("resume", Request(id="r1"))
        after = await parked(handle, "send:welcome/wait")
    assert isinstance(before.next, Park)
    assert isinstance(stopped.next, Park)
    assert isinstance(after.next, Park)
    assert before.next.until is not None
    assert after.next.until is not None
    assert stopped.next.until is None
    (pause,) = (fact for fact in after.facts if isinstance(fact, Paused))
    (resume,) = (fact for fact in after.facts if isinstance(fact, Resumed))
    assert after.next.until - before.next.until == resume.at - pause.at > timedelta(0)


async def test_a_paused_journey_hears_and_can_still_be_ended(still_rig: Rig) -> None:
    """Behaviours are kept for later, an exit acts at once, and the read model follows."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.signal("pause", Request(id="p1"))
        await parked(handle, "send:welcome/wait", "paused")
        assert (await rig.standing("lesson", "ada")).status == "paused"
        await handle.signal("behaviour", behaviour("b1", "email.clicked", "welcome", at=rig.inst.now()))
        await handle.signal("exit", Request(id="e1", reason="moved to another team"))
        assert await finished(handle) == "exited: moved to another team"
    facts = await rig.facts("lesson", "ada")
    assert kinds(facts)[-3:] == ["paused", "behaved", "exited"]
    assert await rig.pieces("ada") == ["welcome"]
    assert (await rig.standing("lesson", "ada")).outcome == "exited: moved to another team"


async def test_what_came_in_a_pause_counts_at_the_resumption(still_rig: Rig) -> None:
    """A click during the pause ends the wait once the journey goes on."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.signal("pause", Request(id="p1"))
        await handle.signal("behaviour", behaviour("b1", "email.clicked", "welcome", at=rig.inst.now()))
        await handle.signal("resume", Request(id="r1"))
        await parked(handle, "send:best-of", "deferred")  # the cap of one touch a day: the step itself has come


async def test_a_pause_reaches_a_send_that_the_provider_keeps_putting_off(still_rig: Rig) -> None:
    """Nothing leaves while paused, though the provider comes back; then it leaves once."""
    provider = Gated(DatabaseProvider(still_rig.database), fails=True)
    rig = still_rig.running(lesson).over(provider)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await provider.entered.wait()
        await handle.signal("pause", Request(id="p1"))
        await parked(handle, "send:welcome", "paused")
        provider.fails = False
        provider.open.set()
        assert await rig.pieces("ada") == []
        await handle.signal("resume", Request(id="r1"))
        await parked(handle, "send:welcome/wait")
    assert await rig.pieces("ada") == ["welcome"]
    assert kinds(await rig.facts("lesson", "ada"))[:4] == ["enrolled", "paused", "resumed", "done send:welcome"]


async def test_an_exit_reaches_a_send_that_the_provider_keeps_putting_off(still_rig: Rig) -> None:
    """An outage of the provider holds nobody in a journey."""
    provider = Gated(DatabaseProvider(still_rig.database), fails=True)
    rig = still_rig.running(lesson).over(provider)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await provider.entered.wait()
        await handle.signal("exit", Request(id="e1"))
        assert await finished(handle) == "exited: a person ended it"
    assert await rig.pieces("ada") == []


async def test_a_send_that_is_under_way_is_recorded_before_the_exit(still_rig: Rig) -> None:
    """What the provider already has cannot be called back: the journal says so, then ends."""
    provider = Gated(DatabaseProvider(still_rig.database))
    rig = still_rig.running(lesson).over(provider)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await provider.entered.wait()
        await handle.signal("exit", Request(id="e1"))
        provider.open.set()
        assert await finished(handle) == "exited: a person ended it"
    assert kinds(await rig.facts("lesson", "ada")) == [
        "enrolled",
        "done send:welcome",
        "waiting send:welcome/wait",
        "exited",
    ]


# Override, refresh, cancel


async def test_an_override_ends_the_wait_and_answers_what_comes_next(still_rig: Rig) -> None:
    """A person skips the wait, and reads at once that the next mail is due; the gate still has its say."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        assert await handle.execute_update("override", Request(id="o1")) == "send best-of, put off"
        view = await parked(handle, "send:best-of", "deferred")
    assert kinds(view.facts)[3:] == ["overridden", "waited send:welcome/wait", "deferred send:best-of"]


async def test_the_same_override_twice_ends_one_wait_and_answers_both(still_rig: Rig) -> None:
    """A retried click on the button neither hangs nor skips the wait after."""
    rig = still_rig.running(two_waits)
    async with rig.working():
        handle = await rig.journey_of("two-waits", "ada")
        await parked(handle, "start/wait")
        answers = [await handle.execute_update("override", Request(id="o1")) for _ in range(2)]
        assert answers == ["wait after enrolment", "wait after enrolment"]
        await parked(handle, "start/wait~2")


async def test_an_override_ends_only_the_wait_that_the_person_saw(still_rig: Rig) -> None:
    """If that one is over by now, it says so."""
    rig = still_rig.running(two_waits)
    async with rig.working():
        handle = await rig.journey_of("two-waits", "ada")
        await parked(handle, "start/wait")
        await handle.execute_update("override", Request(id="o1", wait="start/wait"))
        view = await parked(handle, "start/wait~2")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("override", Request(id="o2", wait="start/wait"))
        assert str(refused.value.cause).startswith("Over: that wait is over: the journey stands at ")
        assert (await view_of(handle)).next == view.next


async def test_an_override_without_a_wait_is_rejected_and_leaves_no_event(still_rig: Rig) -> None:
    """The validator says where the journey stands instead."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.signal("pause", Request(id="p1"))
        await parked(handle, "send:welcome/wait", "paused")
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await handle.execute_update("override", Request(id="o1"))
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.message == "there is no wait to end: the journey stands at paused"
    assert "overridden" not in kinds(await rig.facts("lesson", "ada"))


async def test_a_journey_that_is_cancelled_in_temporal_ends_in_the_read_model_too(still_rig: Rig) -> None:
    """Else the gate would give way to it for ever, and the lead could never enter again."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await finished(handle)
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    head = await rig.standing("lesson", "ada")
    assert (head.status, head.outcome) == ("finished", "exited: cancelled in Temporal")
    assert isinstance((await rig.facts("lesson", "ada"))[-1], Exited)


async def test_an_own_activity_that_fails_for_good_settles_its_step(rig: Rig) -> None:
    """The journey goes on without it; the reason names the kind of error and not what it said."""

    @activity.defn(name="look_up_credit")
    async def look_up_credit(order: DoOrder) -> bool:
        raise ApplicationError(f"no account for {order.lead_id}", type="NoAccount", non_retryable=True)

    rig = rig.running(credit)
    async with rig.working(look_up_credit):
        handle = await rig.journey_of("credit", "ada")
        assert await finished(handle) == "nurtured"
    (done,) = (fact for fact in await rig.facts("credit", "ada") if isinstance(fact, Done))
    assert (done.result, done.reason) == ("refused", "failed: NoAccount")
    assert await rig.pieces("ada") == []


async def test_an_own_activity_answers_with_its_value(rig: Rig) -> None:
    """What it returns is the step's value, and the key it gets names the work."""
    keys: list[str] = []

    @activity.defn(name="look_up_credit")
    async def look_up_credit(order: DoOrder) -> dict[str, int]:
        keys.append(order.key)
        return {"limit": order.arg["limit"] * 2}

    rig = rig.running(credit)
    async with rig.working(look_up_credit):
        assert await finished(await rig.journey_of("credit", "ada")) == "nurtured"
    (done, _) = (fact for fact in await rig.facts("credit", "ada") if isinstance(fact, Done))
    assert (done.value, keys) == ({"limit": 10}, ["do:look_up_credit"])


# What a person sees


async def test_the_query_shows_the_journal_and_where_it_stands(still_rig: Rig) -> None:
    """The journal as the workflow holds it, what is next and why."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        view = await view_of(handle)
    assert (view.lead_id, view.track, view.total) == (rig.id("ada"), "lesson", 3)
    assert kinds(view.facts) == ["enrolled", "done send:welcome", "waiting send:welcome/wait"]
    assert view.because == ("welcome was sent",)


async def test_the_details_in_the_ui_say_where_the_lead_is_and_why(still_rig: Rig) -> None:
    """Stage, score, the last step, what comes next and when: at a glance, and without a name."""
    rig = still_rig.running(lesson)
    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await parked(handle, "send:welcome/wait")
        told = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    lines = told.current_details.splitlines()
    assert lines[0].startswith("**wait after send welcome** until Mon 09 Mar 2026 09:30")
    assert lines[2] == "- stage **awareness**, score **0** (cold)"
    assert lines[3].startswith("- last step: welcome was sent, Mon 02 Mar 2026 09:30")
    assert lines[4] == "- because: welcome was sent"
    assert (await (await handle.describe()).static_summary() or "").startswith("lesson, enrolled 02 Mar 2026")


async def test_journeys_can_be_listed_by_where_they_stand(still_rig: Rig, client: Client) -> None:
    """The search attributes follow a change: the step, then the pause, and at the end the outcome."""
    rig = still_rig.running(lesson)

    async def listed(query: str) -> bool:
        return (await client.count_workflows(f"WorkflowId = 'lesson/{rig.id('ada')}' AND {query}")).count == 1

    async with rig.working():
        handle = await rig.journey_of("lesson", "ada")
        await eventually(lambda: listed("Step = 'send:welcome/wait' AND Stage = 'awareness' AND Paused = false"))
        await handle.signal("pause", Request(id="p1"))
        await eventually(lambda: listed("ScoreBand = 'cold' AND Paused = true"))
        await handle.signal("exit", Request(id="e1", reason="done with"))
        await eventually(lambda: listed("Outcome = 'exited: done with' AND Step = 'finished'"))


# The worker's end


async def test_a_worker_that_is_stopped_finishes_the_send_it_is_in(still_rig: Rig) -> None:
    """A graceful stop lets the provider answer and records it; the next worker goes on from there."""
    provider = Gated(DatabaseProvider(still_rig.database))
    rig = still_rig.running(lesson).over(provider)
    async with rig.working() as worker:
        handle = await rig.journey_of("lesson", "ada")
        await provider.entered.wait()
        stopping = asyncio.create_task(worker.shutdown())
        await asyncio.sleep(0)
        provider.open.set()
        await stopping
    assert await rig.pieces("ada") == ["welcome"]
    async with rig.working():
        view = await parked(handle, "send:welcome/wait")
    assert kinds(view.facts) == ["enrolled", "done send:welcome", "waiting send:welcome/wait"]
