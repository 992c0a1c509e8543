"""The workflow's code of today replays what it has once done: the histories beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from nurture.journey.decision import Park
from perennial.app.worker import sandbox
from tests.engine.rig import decoded
from workflows.journey import JourneyWorkflow

HISTORIES = sorted(Path(__file__).parent.glob("*.json"))
NAMES = [path.stem for path in HISTORIES]


def history(name: str) -> WorkflowHistory:
    """A golden history."""
    path = Path(__file__).parent / f"{name}.json"
    return WorkflowHistory.from_json(f"golden/{name}", path.read_text())


def events_of(name: str) -> list[str]:
    """The kinds of its events, in order."""
    told = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return [event["eventType"].removeprefix("EVENT_TYPE_") for event in told["events"]]


@pytest.mark.parametrize("name", NAMES)
async def test_a_golden_history_replays(name: str) -> None:
    """In the sandbox, as the worker runs it; a track's code is not asked."""
    replayer = Replayer(workflows=[JourneyWorkflow], workflow_runner=sandbox(), data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("off", [timedelta(seconds=-40), timedelta(seconds=40)])
async def test_no_command_depends_on_the_clock(name: str, off: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a local activity that a query interrupted, a replay's clock is another one: it may say what it likes."""
    right = workflow.now
    monkeypatch.setattr(workflow, "now", lambda: right() + off)
    runner = UnsandboxedWorkflowRunner()
    replayer = Replayer(workflows=[JourneyWorkflow], workflow_runner=runner, data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history(name))


@workflow.defn(dynamic=True)
class Impatient(JourneyWorkflow):
    """The workflow, broken: it never waits."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        super().__init__(args)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """As the workflow."""
        return await super().run(args)

    async def _rest(self, park: Park) -> None:
        """Go on at once."""
        self.now = park.until or self.now


@workflow.defn(dynamic=True)
class Silent(JourneyWorkflow):
    """The workflow, broken: it shows nothing in lists."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        super().__init__(args)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """As the workflow."""
        return await super().run(args)

    def _stand(self, following: object, because: tuple[str, ...], shown: dict[str, str | bool]) -> None:
        super()._stand(following, because, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [Impatient, Silent])
@pytest.mark.parametrize("name", NAMES)
async def test_a_workflow_that_is_broken_does_not_replay(name: str, broken: type[JourneyWorkflow]) -> None:
    """So the test above can fail: skip the timer, or an upsert, and no history replays."""
    replayer = Replayer(
        workflows=[broken], workflow_runner=UnsandboxedWorkflowRunner(), data_converter=pydantic_data_converter
    )
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history(name))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("graduated_and_accepted", {"TIMER_STARTED", "TIMER_CANCELED", "ACTIVITY_TASK_COMPLETED"}),
        ("put_off_and_paused", {"WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_SIGNALED"}),
        ("storm", {"WORKFLOW_EXECUTION_CONTINUED_AS_NEW"}),
    ],
)
def test_the_histories_hold_what_they_are_kept_for(name: str, kinds: set[str]) -> None:
    """A history without its timer, update or new run would prove nothing."""
    assert kinds <= set(events_of(name))


def test_the_histories_cover_every_way_a_journey_can_go() -> None:
    """Outcomes and turns, as the journals in the histories tell of them."""
    told = "\n".join(decoded(json.loads(path.read_text())) for path in HISTORIES)
    for said in (
        '"handed to sales"',
        '"exited: opted out"',
        '"exited: became a customer"',
        '"rested"',
        '"revived"',
        '"kind":"graduated"',
        "recorded enough",
        "suppressed: opt-out",
        "closed day: Saturday",
        '"why":"paused"',
        '"by":"override"',
    ):
        assert said in told, said
