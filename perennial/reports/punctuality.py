"""How punctual the engine was: the seconds from when a wake was due to when it was handled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from nurture.timing.clock import Clock

_HISTORIES = 60


async def lateness(client: Client, clock: Clock, *, histories: int = _HISTORIES) -> list[float]:
    """Read from Temporal's histories how many real seconds after it was due each wake was handled, least first.

    A wake is a wait that time ended, handled once the decision is recorded; or a send that a timer led to, handled once
    its activity starts.
    """
    late: list[float] = []
    async for listed in client.list_workflows(limit=histories):
        handle = client.get_workflow_handle(listed.id, run_id=listed.run_id)
        reader = _HistoryReader(clock)
        async for event in handle.fetch_history_events():
            late += reader.lateness_of(event)
    return sorted(late)


@dataclass(slots=True)
class _HistoryReader:
    """Reads one history: keeps when its signals came, and for when each send was ordered."""

    clock: Clock
    signals: set[datetime] = field(default_factory=set)
    orders: dict[int, datetime] = field(default_factory=dict)

    def lateness_of(self, event: HistoryEvent) -> list[float]:
        at = event.event_time.ToDatetime(UTC)
        return [(at - self.clock.real_at(due)).total_seconds() for due in self._due_at(event)]

    def _due_at(self, event: HistoryEvent) -> list[datetime]:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = _json(event.workflow_execution_signaled_event_attributes.input)
                if "at" in signal:
                    self.signals.add(datetime.fromisoformat(signal["at"]))
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                decided = _json(event.marker_recorded_event_attributes.details["result"])
                ended = [fact for fact in decided["facts"] if fact["kind"] == "waited" and fact["by"] == "time"]
                return [datetime.fromisoformat(fact["at"]) for fact in ended]
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                if scheduled.activity_type.name == "send":
                    asked = datetime.fromisoformat(_json(scheduled.input)["now"])
                    if asked not in self.signals:
                        self.orders[event.event_id] = asked
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                began = event.activity_task_started_event_attributes.scheduled_event_id
                return [self.orders[began]] if began in self.orders else []
        return []


def _json(payloads: Payloads) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(payloads.payloads[0].data)
    return value


def share_within(late: Sequence[float], share: float) -> float:
    """The seconds within which a share (0 to 1) of the wakes, sorted, was handled; 0 if there are none."""
    return late[min(len(late) - 1, int(len(late) * share))] if late else 0.0
