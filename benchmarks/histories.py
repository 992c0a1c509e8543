"""What a journey's history holds: events, bytes, billable actions, and how long a signal took to become an activity."""

from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "upsert",
}
"""Event types that are one billable action each. A run that was continued starts with an event of its own, so
continue-as-new counts once. Also: each retry of an activity, and one for all local activities of a workflow task."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What one journey weighs, all its runs together. `longest` is the events of its longest run."""

    events: int
    longest: int
    bytes: int
    actions: Counter[str]
    kinds: Counter[str]

    @property
    def billable(self) -> int:
        """Billable actions."""
        return self.actions.total()


async def runs_of(client: Client, workflow_id: str) -> list[list[HistoryEvent]]:
    """The events of each run of a journey, the first run first."""
    found: list[list[HistoryEvent]] = []
    run_id: str | None = None
    while True:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        found.insert(0, list(history.events))
        started = history.events[0].workflow_execution_started_event_attributes
        if not started.continued_execution_run_id:
            return found
        run_id = started.continued_execution_run_id


def weigh(runs: list[list[HistoryEvent]]) -> Weight:
    """Count a journey's events, bytes (as protocol buffers) and billable actions."""
    actions: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for events in runs:
        local_tasks = set()
        for event in events:
            kinds[EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")] += 1
            if event.event_type in ACTIONS:
                actions[ACTIONS[EventType.ValueType(event.event_type)]] += 1
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                actions["retry"] += event.activity_task_started_event_attributes.attempt - 1
            elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
                local_tasks.add(event.marker_recorded_event_attributes.workflow_task_completed_event_id)
        actions["local activities"] += len(local_tasks)
    return Weight(
        events=sum(len(events) for events in runs),
        longest=max(len(events) for events in runs),
        bytes=sum(event.ByteSize() for events in runs for event in events),
        actions=+actions,
        kinds=kinds,
    )


def signals_that_woke(runs: list[list[HistoryEvent]]) -> list[float]:
    """When each signal came that ended a wait, in seconds since the epoch, by the server's clock."""
    found: list[float] = []
    for events in runs:
        signalled: float | None = None
        for event in events:
            match event.event_type:
                case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                    signalled = seconds(event)
                case EventType.EVENT_TYPE_TIMER_FIRED:
                    signalled = None
                case EventType.EVENT_TYPE_TIMER_CANCELED if signalled is not None:
                    found.append(signalled)
                    signalled = None
                case _:
                    pass
    return found


def seconds(event: HistoryEvent) -> float:
    """When an event happened, in seconds since the epoch."""
    return event.event_time.seconds + event.event_time.nanos / 1e9
