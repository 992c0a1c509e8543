"""A workflow's own journal and decisions, from its history: fetched from the server, or downloaded to a file.

The history is replayed with the workflow's code, so the journal is exactly the one the workflow holds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from models.messages import Advanced
from nurture.bench.retrace import PastDecision, deadline_of
from nurture.errors import InputError
from nurture.journey.decision import AnyStep, Decision, Park
from nurture.journey.facts import AnyFact
from nurture.journey.journal import Journal
from nurture.journey.wording import say_next
from perennial.platform.temporal import is_not_found
from workflows.journey import JourneyWorkflow

MOST_RUNS = 200
"""How far back a journey's chain of runs is followed."""


@dataclass(slots=True)
class ReplayedJourney:
    """One journey as its workflow ran: the journal and its time at the end, and every decision in order."""

    track: str
    enrolment_id: str = ""
    journal: Journal = field(default_factory=Journal)
    now: datetime | None = None
    decisions: list[PastDecision] = field(default_factory=list)
    earlier: bool = False  # runs before this one are not in the history


@workflow.defn(dynamic=True)
class RecordingWorkflow(JourneyWorkflow):
    """The workflow, which also keeps each decision with the journal that it was taken over.

    `steady` is the journal, and its time, when the workflow last had something to wait for: what it does later, when
    the replay lets go of it, is not in the history.
    """

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        super().__init__(args)
        self.decisions: list[PastDecision] = []
        self.steady = (self.journal, self.now)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """As the workflow."""
        return await super().run(args)

    async def _advance(self, due: Park | None = None) -> Advanced:
        before = Journal(self.journal.facts, self.journal.decided)
        advanced = await super()._advance(due)
        before = before.extended(advanced.heard)
        if (acted := advanced.acted) is not None:
            because = Decision((), acted.step, acted.because)
            self.decisions.append(_past(before, acted.outcome.at, acted.facts, because))
            before = before.after(acted.facts).after([acted.outcome])
        self.decisions.append(_past(before, self.now, advanced.facts, Decision((), advanced.next, advanced.because)))
        self._keep()
        return advanced

    async def _perform(self, step: AnyStep, advanced: Advanced) -> Park | None:
        looked_at = len(self.journal)
        foreseen = await super()._perform(step, advanced)
        if foreseen is not None and advanced.then is not None:
            then = advanced.then
            before = Journal(self.journal.facts[: len(self.journal) - len(then.facts)], looked_at)
            self.decisions.append(_past(before, self.now, then.facts, then))
        self._keep()
        return foreseen

    def _stirred(self, park: Park) -> bool:
        stirred = super()._stirred(park)
        self._keep()
        return stirred

    def _keep(self) -> None:
        self.steady = (Journal(self.journal.facts, self.journal.decided), self.now)


def _past(before: Journal, at: datetime, derived: tuple[AnyFact, ...], decision: Decision) -> PastDecision:
    return PastDecision(before, at, derived, say_next(decision.next), deadline_of(decision.next), decision.because)


async def replay_journey(histories: Sequence[WorkflowHistory]) -> ReplayedJourney:
    """Replay the runs of one journey, oldest first. Raises InputError if a history is not one of ours."""
    first = histories[0].events[0].workflow_execution_started_event_attributes
    whole = ReplayedJourney(first.workflow_type.name, earlier=bool(first.continued_execution_run_id))
    for history in histories:
        kept: list[RecordingWorkflow] = []
        replayer = Replayer(
            workflows=[RecordingWorkflow],
            workflow_runner=UnsandboxedWorkflowRunner(),
            data_converter=pydantic_data_converter,
            interceptors=[_keeping(kept)],
        )
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None or not kept:
            said = str(result.replay_failure or "it starts no journey").splitlines()[0][:300]
            raise InputError(f"the history of {history.workflow_id} does not replay with today's workflow: {said}")
        whole.journal, whole.now = kept[0].steady
        whole.decisions += kept[0].decisions
        whole.enrolment_id = kept[0].journey.enrolment_id
    return whole


def _keeping(kept: list[RecordingWorkflow]) -> Interceptor:
    """Keep the workflow's instance, which the replay would let go of."""

    class Inbound(WorkflowInboundInterceptor):
        async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - Temporal's name
            instance = workflow.instance()
            assert isinstance(instance, RecordingWorkflow)
            kept.append(instance)
            return await super().execute_workflow(input)

    class Keeping(Interceptor):
        def workflow_interceptor_class(
            self,
            input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - Temporal's name
        ) -> type[WorkflowInboundInterceptor]:
            return Inbound

    return Keeping()


async def fetch_histories(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """The histories of the journey's runs that the server still has, oldest first; none if it knows no such journey."""
    runs: list[WorkflowHistory] = []
    run_id: str | None = None
    while len(runs) < MOST_RUNS:
        try:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        except RPCError as error:
            if not is_not_found(error):
                raise
            break
        runs.append(history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            break
    return runs[::-1]


def read_history(path: Path) -> WorkflowHistory:
    """A history downloaded with the Temporal CLI (`workflow show --output json`) or the UI. Raises InputError."""
    remedy = "download it with `temporal workflow show --workflow-id ID --output json`"
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the file: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}); {remedy}") from None
    if isinstance(found, list):  # as the UI gives it
        found = {"events": found}
    try:
        history = WorkflowHistory.from_json(path.stem, {"events": found["events"]})
        first = history.events[0]
        started = first.workflow_execution_started_event_attributes
    except (KeyError, TypeError, IndexError, ValueError, ParseError) as error:
        raise InputError(f"{path}: is no workflow history ({type(error).__name__}); {remedy}") from None
    if first.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
        raise InputError(f"{path}: does not start at the workflow's first event; {remedy}")
    return WorkflowHistory(started.workflow_id or path.stem, history.events)
