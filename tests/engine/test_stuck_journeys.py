"""A journey that cannot go on still hears its end, on the real server, and says what it is stuck for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import WorkflowUpdateFailedError

from models.journeys import Enrolment
from models.messages import DoOrder, Request
from nurture.journey.facts import Behaved, Done
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from tests.engine.rig import Rig, events, eventually, finished, parked, view_of


@track("credit", exits_on=(opted_out, converted))
async def credit(lead: Lead) -> Outcome:
    """An engineer's own activity decides whether there is a mail."""
    if await lead.do("look_up_credit"):
        await lead.send("welcome")
    return nurtured


@track("credit", exits_on=(opted_out, converted))
async def raising(_: Lead) -> Outcome:
    """A bug at the top."""
    raise ValueError


@track("credit", exits_on=(opted_out, converted))
async def mended(lead: Lead) -> Outcome:
    """Without the bug."""
    await lead.send("welcome")
    await lead.wait(days=7)
    return nurtured


@track("another")
async def another(_: Lead) -> Outcome:
    """Another track."""
    return nurtured


@dataclass
class Hanging:
    """An engineer's own activity that never ends."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn(name="look_up_credit")
    async def look_up(self, _: DoOrder) -> bool:
        """Hang until the worker stops."""
        self.entered.set()
        await asyncio.Event().wait()
        return True


@dataclass
class Failing:
    """An engineer's own activity that fails each time."""

    tried: int = 0

    @activity.defn(name="look_up_credit")
    async def look_up(self, _: DoOrder) -> bool:
        """Fail."""
        self.tried += 1
        raise OSError("the credit bureau is away")


async def test_a_won_deal_ends_a_journey_whose_step_hangs(still_rig: Rig) -> None:
    """The journey does not wait for what never ends."""
    rig, hanging = still_rig.running(credit), Hanging()
    async with rig.working(hanging.look_up):
        handle = await rig.journey_of("credit", "ada")
        await hanging.entered.wait()
        await rig.hears("ada", "deal.won")
        assert (await finished(handle)).startswith("exited")


@pytest.mark.parametrize("verb", ["exit", "behaviour", "cancel"])
async def test_an_end_is_heard_while_a_step_keeps_failing(still_rig: Rig, verb: str) -> None:
    """By a person, by an opt-out, or from the Temporal UI; until then the head says what it is stuck for."""
    rig, failing = still_rig.running(credit), Failing()
    async with rig.working(failing.look_up):
        handle = await rig.journey_of("credit", "ada")

        async def stuck() -> Enrolment | None:
            head = await rig.standing("credit", "ada")
            return head if head.stuck_since is not None else None

        head = await eventually(stuck)
        assert head is not None
        assert head.stuck is not None
        assert "look_up_credit keeps failing" in head.stuck
        match verb:
            case "exit":
                await handle.signal("exit", Request(id="e1", reason="enough"))
                assert await finished(handle) == "exited: enough"
            case "behaviour":
                await rig.hears("ada", "lead.opted_out")
                assert (await finished(handle)).startswith("exited")
            case _:
                await handle.cancel()
                with pytest.raises(Exception, match="Workflow execution failed"):
                    await finished(handle)
        ended = await rig.standing("credit", "ada")
        assert (ended.status, ended.stuck_since) == ("finished", None)


@pytest.mark.parametrize("version", [raising, another], ids=["raises", "is gone"])
async def test_a_journey_without_working_code_ends_when_told(still_rig: Rig, version: object) -> None:
    """It rests, and is told at once."""
    rig = still_rig.running(version)
    await rig.add_leads("ada")
    await still_rig.running(raising).enrol("credit", "ada")
    async with rig.working():
        handle = rig.journey("credit", "ada")
        await parked(handle, "start", "stuck")
        await rig.hears("ada", "lead.opted_out")
        assert (await finished(handle)).startswith("exited")


async def test_mended_code_reaches_a_stuck_journey_by_refresh(still_rig: Rig) -> None:
    """It goes on where it stood, and says so in the UI until then."""
    rig = still_rig.running(raising)
    async with rig.working():
        handle = await rig.journey_of("credit", "ada")
        view = await parked(handle, "start", "stuck")
        assert view.because[0].endswith(": ValueError")
    async with still_rig.running(mended).working():
        await handle.signal("refresh", Request(id="f1"))
        await parked(handle, "send:welcome/wait")
        assert [fact.kind for fact in (await view_of(handle)).facts][:2] == ["enrolled", "done"]
    assert await rig.pieces("ada") == ["welcome"]


# What people type in the Temporal UI

TYPED = [
    ("pause", []),
    ("resume", [None]),
    ("refresh", ["now"]),
    ("exit", [{"reason": 7}]),
    ("behaviour", []),
    ("behaviour", [None]),
    ("behaviour", ["clicked"]),
    ("behaviour", [{"id": "t1", "name": "page.viewed", "at": "2026-03-02T09:00:00"}]),
    ("behaviour", [{"id": "t2", "name": "page.viewed", "at": "9999-12-31T23:59:59Z"}]),
    ("behaviour", [{"id": "t3", "name": "page.viewed", "at": "9999-12-31T23:59:59-14:00"}]),
    ("behaviour", [{"id": "t4", "name": "page.viewed", "at": "0001-01-01T00:00:00+14:00"}]),
    ("behaviours", [{"items": [{"id": "t5", "name": "page.viewed", "at": "9999-12-31T23:59:59"}]}]),
    ("behaviours", [[]]),
    ("no such signal", [1, 2]),
]


async def test_nothing_that_a_person_types_fails_a_journey(still_rig: Rig) -> None:
    """What can be understood is heard, the rest is not; the journey goes on at the time it is."""
    rig = still_rig.running(mended)
    async with rig.working():
        handle = await rig.journey_of("credit", "ada")
        await parked(handle, "send:welcome/wait")
        for name, args in TYPED:
            await handle.signal(name, args=args)
        for update, args in (("override", ["x"]), ("release", []), ("release", [None]), ("no such", [])):
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(update, args=args)
        view = await parked(handle, "send:welcome/wait")
        assert {fact.id for fact in view.facts if isinstance(fact, Behaved)} == {"t1", "t2", "t3", "t4", "t5"}
        assert max(fact.at for fact in view.facts) <= rig.inst.now()
        assert view.now <= rig.inst.now()
        failed = events(await handle.fetch_history(), "WORKFLOW_TASK_FAILED")
        assert failed == 0
        await handle.signal("exit")
        assert await finished(handle) == "exited: a person ended it"


# An engineer's own activities


@activity.defn
async def look_up_credit(order: DoOrder) -> object:
    """Return what was asked for."""
    match order.arg:
        case "much":
            return "x" * 300_000
        case "no JSON":
            return object()
        case _:
            return {"limit": 5}


@track("own-step")
async def own_step(lead: Lead) -> Outcome:
    """Calls an activity, given itself, for each of these."""
    for wanted in ("much", "no JSON", "little"):
        if answer := await lead.do(look_up_credit, wanted, within=timedelta(minutes=1), tries=2):
            await lead.alert(f"limit {answer.value['limit']}")
    return nurtured


@track("mistyped")
async def mistyped(lead: Lead) -> Outcome:
    """Calls an activity by a name that none has."""
    await lead.do("look_up_kredit")
    return nurtured


async def test_an_activity_is_called_by_the_function_and_its_value_is_bounded(still_rig: Rig) -> None:
    """What is too large or no JSON is refused with its kind; the journey goes on."""
    rig = still_rig.running(own_step)
    async with rig.working(look_up_credit):
        assert await finished(await rig.journey_of("own-step", "ada")) == "nurtured"
    done = [fact for fact in await rig.facts("own-step", "ada") if isinstance(fact, Done)]
    assert [(fact.key, fact.result, fact.reason) for fact in done] == [
        ("do:look_up_credit", "refused", "failed: ValueTooLarge"),
        ("do:look_up_credit~2", "refused", "failed: NotJson"),
        ("do:look_up_credit~3", "done", ""),
        ("alert:limit 5", "done", ""),
    ]


async def test_an_activity_that_nobody_has_is_told(still_rig: Rig) -> None:
    """The journey is stuck for it, with the name that was perhaps meant."""
    rig = still_rig.running(mistyped)
    async with rig.working(look_up_credit):
        await rig.journey_of("mistyped", "ada")

        async def told() -> bool:
            head = await rig.standing("mistyped", "ada")
            return head.stuck is not None and "did you mean 'look_up_credit'?" in head.stuck

        await eventually(told)
