"""Build the worker: one workflow definition, the step activities, and the engineers' own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.advance import AdvanceActivity
from activities.alert import AlertActivity
from activities.enrol import EnrolActivity
from activities.hand_off import HandOffActivity
from activities.send import SendActivity
from activities.sweep import SweepActivity
from perennial.app.connected import ConnectedInstallation, sender_of
from perennial.app.own_activities import BoundedValues, unknown_activity
from perennial.app.providers import provider_of
from perennial.channels.ports import Provider
from perennial.journeys.stuck import NoticeStuckSteps
from perennial.platform.failures import FailureRedaction
from perennial.platform.secrets import tokens_of
from workflows.journey import JourneyWorkflow
from workflows.sweep import SweepWorkflow

PASSED_THROUGH = (
    "models",
    "nurture",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "workflows.handlers",
    "workflows.inbox",
    "workflows.steps",
    "workflows.sweep",
    "models.visibility",
)
"""All but the workflow's own file: modules that are not passed through are loaded again for each workflow."""


def build_worker(inst: ConnectedInstallation, *, provider: Provider | None = None) -> Worker:
    """The worker: one workflow definition, the activities of the primitive steps, and the company's own."""
    settings = inst.settings
    return Worker(
        inst.client,
        task_queue=settings.task_queue,
        workflows=[JourneyWorkflow, SweepWorkflow],
        activities=[
            *step_activities(inst, provider or provider_of(settings, inst.database)),
            *inst.activities,
            unknown_activity(inst.activities),
        ],
        activity_executor=ThreadPoolExecutor(settings.max_concurrent_activities),  # own activities may be plain `def`
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[FailureRedaction(), NoticeStuckSteps(inst.database, inst.time), BoundedValues()],
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_local_activities,
        graceful_shutdown_timeout=timedelta(seconds=20),
    )


def sandbox() -> SandboxedWorkflowRunner:
    """Temporal's sandbox, all but the workflow's own file passed through: for replays of the golden histories."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def step_activities(inst: ConnectedInstallation, provider: Provider) -> Sequence[Callable[..., Any]]:
    """The activities of the primitive steps."""
    settings, time = inst.settings, inst.time
    sender = SendActivity(
        inst.database,
        inst.tracks,
        inst.catalogue,
        provider,
        sender_of(settings),
        time,
        tokens_of(settings),
        layouts=settings.content_dir,
    )
    return [
        AdvanceActivity(
            inst.database,
            inst.tracks,
            inst.catalogue,
            inst.scoring,
            sender,
            lean=settings.search_attributes == "lean",
            segments=inst.segments,
        ).advance,
        sender.send,
        HandOffActivity(inst.database, inst.tracks, time).hand_off,
        AlertActivity(inst.database, inst.tracks, time).alert,
        EnrolActivity(inst.enroller, time).enrol,
        SweepActivity(inst.sweeper).sweep,
    ]
