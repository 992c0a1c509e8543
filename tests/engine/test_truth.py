"""The workflow's journal is the truth, and a replay goes by what it recorded: resets, restores, queries."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from models.messages import Request
from models.touches import Touch
from nurture.gate import Caps
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.timing.calendar import SendWindow
from perennial.channels.ports import Envelope, Fate
from tests.builders import rows
from tests.engine.rig import Rig, eventually, kinds, parked, view_of
from workflows.journey import JourneyWorkflow


@track(
    "pair",
    caps=Caps(per_day=99, per_week=99, per_month=99),
    quiet_hours=SendWindow(time.min, time.min, frozenset(range(7))),
)
async def pair(lead: Lead) -> Outcome:
    """Two mails, at any hour."""
    await lead.send("welcome")
    await lead.wait(days=3)
    await lead.send("best-of")
    await lead.wait(days=30)
    return nurtured


@dataclass
class Outside:
    """A provider that keeps what it accepts outside of the database."""

    accepted: list[str] = field(default_factory=list)

    async def send(self, envelope: Envelope) -> str:
        """Keep the touch's id."""
        self.accepted.append(envelope.touch_id)
        return envelope.touch_id

    async def fate(self, touch_id: str) -> Fate:
        """It knows."""
        return "accepted" if touch_id in self.accepted else "absent"


async def to_the_second_wait(handle: WorkflowHandle[Any, Any]) -> None:
    """Both mails sent."""
    await parked(handle, "send:welcome/wait")
    await handle.execute_update("override", Request(id="on"))
    await parked(handle, "send:best-of/wait")


async def test_a_workflow_that_is_reset_finds_its_way_back_and_mails_nobody_twice(
    still_rig: Rig, client: Client
) -> None:
    """Reset to its first task, it adopts from the database what it had done since."""
    outside = Outside()
    rig = still_rig.running(pair).over(outside)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await to_the_second_wait(handle)
        before = kinds(await rig.facts("pair", "ada"))
        history = await handle.fetch_history()
        first = next(
            event.event_id for event in history.events if event.HasField("workflow_task_completed_event_attributes")
        )
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=(await handle.describe()).run_id),
                reason="a test",
                workflow_task_finish_event_id=first,
                request_id="reset",
            )
        )
        view = await parked(rig.journey("pair", "ada"), "send:best-of/wait")
    assert kinds(view.facts)[: len(before)] == before
    assert len(outside.accepted) == 2
    assert sorted(touch.step_key for touch in await rows(rig.database, Touch)) == ["send:best-of", "send:welcome"]


async def test_a_database_restored_to_yesterday_is_healed_and_mails_nobody_twice(
    still_rig: Rig, data_dir: Path, tmp_path: Path
) -> None:
    """At the next wake the workflow's facts are there again, and the touch that counts against the caps."""
    outside, backup = Outside(), tmp_path / "backup.db"
    rig = still_rig.running(pair).over(outside)
    async with rig.working():
        handle = await rig.journey_of("pair", "ada")
        await parked(handle, "send:welcome/wait")
    await rig.database.close()
    shutil.copy(data_dir / "perennial.db", backup)
    async with rig.working():
        await to_the_second_wait(handle)
    await rig.database.close()
    for left in data_dir.glob("perennial.db-*"):
        left.unlink()
    shutil.copy(backup, data_dir / "perennial.db")
    assert kinds(await rig.facts("pair", "ada"))[-1] == "waiting send:welcome/wait"

    async with rig.working():
        await handle.signal("refresh", Request(id="after the restore"))

        async def healed() -> bool:
            return kinds(await rig.facts("pair", "ada"))[-1] == "waiting send:best-of/wait"

        await eventually(healed)
        assert kinds(await rig.facts("pair", "ada")) == kinds((await view_of(handle)).facts)
    assert len(outside.accepted) == 2
    assert sorted(touch.step_key for touch in await rows(rig.database, Touch)) == ["send:best-of", "send:welcome"]


async def test_queries_answered_while_a_wake_runs_change_no_replay(still_rig: Rig) -> None:
    """A replay sees another clock after a local activity that a query interrupted: no command depends on it."""
    rig = still_rig.running(pair).over(Outside())
    async with rig.working():
        names = [f"ada{number}" for number in range(12)]
        handles = [await rig.journey_of("pair", name) for name in names]

        async def pester(handle: WorkflowHandle[Any, Any]) -> None:
            with suppress(RPCError):
                while True:
                    await view_of(handle)

        async def steer(handle: WorkflowHandle[Any, Any]) -> None:
            for number in range(6):
                await handle.signal("refresh", Request(id=f"look {number}"))
            await to_the_second_wait(handle)

        pests = [asyncio.create_task(pester(handle)) for handle in handles for _ in range(3)]
        await asyncio.gather(*map(steer, handles))
        for pest in pests:
            pest.cancel()
        await asyncio.gather(*pests, return_exceptions=True)
        histories = [await handle.fetch_history() for handle in handles]
    replayer = Replayer(
        workflows=[JourneyWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    for history in histories:
        await replayer.replay_workflow(history)
