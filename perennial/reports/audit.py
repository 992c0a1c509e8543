"""What must hold after a demo, asked of the ledger itself: the gate's rules, one by one, and how punctual it was."""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from models.leads import LeadRow, Suppression
from models.touches import Message, Touch
from nurture.gate import Caps, GateRules
from nurture.timing.calendar import is_open, local_time
from nurture.timing.clock import Clock
from perennial.journeys.standing import COUNTED

_HISTORIES = 60


@dataclass(frozen=True, slots=True)
class Sent:
    """A touch, and what the rules about it depend on."""

    lead_id: str
    rules: GateRules
    time_zone: str
    country: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Checks:
    """What was checked, and every violation that was found, in words."""

    touches: int
    violations: tuple[str, ...]


async def check_ledger(session: AsyncSession, rules: Mapping[str, GateRules]) -> Checks:
    """Hold every touch against caps, window, holidays and opt-outs, and the mailbox against the ledger."""
    rows = await session.execute(
        select(Touch.lead_id, Touch.track, Touch.at, LeadRow.time_zone, LeadRow.country)
        .join(LeadRow, LeadRow.id == Touch.lead_id)
        .where(Touch.state.in_(COUNTED))
        .order_by(Touch.at)
    )
    sent = [Sent(lead, rules[track], zone, country, at) for lead, track, at, zone, country in rows]
    suppressed = await session.execute(
        select(Suppression.lead_id, func.min(Suppression.at)).group_by(Suppression.lead_id)
    )
    violations = [*_over_caps(sent), *_outside_window(sent), *_after_leaving(sent, dict(suppressed.all()))]
    accepted = await session.scalar(select(func.count()).select_from(Touch).where(Touch.state == "accepted"))
    delivered = await session.scalar(select(func.count()).select_from(Message))
    # One that is on its way at this moment is in the mailbox, and not yet marked as accepted.
    on_the_way = await session.scalar(select(func.count()).select_from(Touch).where(Touch.state == "sending"))
    if not (accepted or 0) <= (delivered or 0) <= (accepted or 0) + (on_the_way or 0):
        violations.append(f"the ledger has {accepted} accepted touches, the mailbox {delivered} messages")
    return Checks(len(sent), tuple(violations))


def _over_caps(sent: Sequence[Sent]) -> Iterator[str]:
    by_lead: dict[str, list[Sent]] = defaultdict(list)
    for touch in sent:
        by_lead[touch.lead_id].append(touch)
    for lead_id, touches in by_lead.items():
        times = [touch.at for touch in touches]
        for index, touch in enumerate(touches):
            for most, length in _limits(touch.rules.caps):
                count = index + 1 - bisect_right(times, touch.at - length)
                if count > most:
                    yield f"lead {lead_id} got {count} touches in the {length.days} days to {touch.at:%Y-%m-%d %H:%M}"


def _limits(caps: Caps) -> Sequence[tuple[int, timedelta]]:
    days = (1, 7, 30)
    return [
        (most, timedelta(days=span))
        for most, span in zip((caps.per_day, caps.per_week, caps.per_month), days, strict=True)
    ]


def _outside_window(sent: Sequence[Sent]) -> Iterator[str]:
    for touch in sent:
        country = touch.country if touch.rules.holidays else None
        if not is_open(touch.at, touch.time_zone, touch.rules.window, country):
            local = local_time(touch.at, touch.time_zone)
            yield f"lead {touch.lead_id} got a touch at {local:%a %Y-%m-%d %H:%M} in {touch.time_zone}"


def _after_leaving(sent: Sequence[Sent], left: Mapping[str, datetime]) -> Iterator[str]:
    for touch in sent:
        since = left.get(touch.lead_id)
        if since is not None and touch.at > since:
            yield f"lead {touch.lead_id} left at {since:%Y-%m-%d %H:%M} and got a touch at {touch.at:%Y-%m-%d %H:%M}"


async def lateness(client: Client, clock: Clock, *, histories: int = _HISTORIES) -> list[float]:
    """How many real seconds after its due moment each wake was handled, read from some of Temporal's own histories.

    A wake is a wait that time ended, handled once the decision is recorded; or a send that a timer led to, once its
    activity starts.
    """
    late: list[float] = []
    async for listed in client.list_workflows(limit=histories):
        handle = client.get_workflow_handle(listed.id, run_id=listed.run_id)
        seen = _Seen(clock)
        async for event in handle.fetch_history_events():
            late += seen.lateness_of(event)
    return sorted(late)


@dataclass(slots=True)
class _Seen:
    """What of a history was read so far: the moments of its signals, and of the sends it asked for."""

    clock: Clock
    signals: set[datetime] = field(default_factory=set)
    orders: dict[int, datetime] = field(default_factory=dict)

    def lateness_of(self, event: HistoryEvent) -> list[float]:
        at = event.event_time.ToDatetime(UTC)
        return [(at - self.clock.real_at(due)).total_seconds() for due in self._due_at(event)]

    def _due_at(self, event: HistoryEvent) -> list[datetime]:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                said = _json(event.workflow_execution_signaled_event_attributes.input)
                if "at" in said:
                    self.signals.add(datetime.fromisoformat(said["at"]))
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
    said: dict[str, Any] = json.loads(payloads.payloads[0].data)
    return said


def share_within(late: Sequence[float], share: float) -> float:
    """The seconds within which that share of the (sorted) wakes was handled; 0 for none."""
    return late[min(len(late) - 1, int(len(late) * share))] if late else 0.0
