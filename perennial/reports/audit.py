"""Audit the ledger: hold every touch that was sent against the gate's rules, one by one."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, Suppression
from models.past import Removed
from models.touches import Message, Touch
from nurture.gate import Caps, GateRules
from nurture.timing.calendar import is_open, local_time
from perennial.journeys.send_request import COUNTED


@dataclass(frozen=True, slots=True)
class AuditedTouch:
    """A touch, and what the rules for it depend on."""

    lead_id: str
    rules: GateRules
    time_zone: str
    country: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Audit:
    """How many touches were audited, and every violation found, in words."""

    touches: int
    violations: tuple[str, ...]


async def audit_ledger(session: AsyncSession, rules: Mapping[str, GateRules]) -> Audit:
    """Hold every touch against caps, window, holidays and opt-outs; count the messages that the database keeps."""
    rows = await session.execute(
        select(Touch.lead_id, Touch.track, Touch.at, LeadRow.time_zone, LeadRow.country)
        .join(LeadRow, LeadRow.id == Touch.lead_id)
        .where(Touch.state.in_(COUNTED))
        .order_by(Touch.at)
    )
    sent = [AuditedTouch(lead, rules[track], zone, country, at) for lead, track, at, zone, country in rows]
    suppressed = await session.execute(
        select(Suppression.lead_id, func.min(Suppression.at)).group_by(Suppression.lead_id)
    )
    violations = [*_over_caps(sent), *_outside_window(sent), *_after_leaving(sent, dict(suppressed.all()))]
    past = {(each.what, each.name): each.number for each in await session.scalars(select(Removed))}
    accepted = await session.scalar(select(func.count()).select_from(Touch).where(Touch.state == "accepted"))
    accepted = (accepted or 0) + past.get(("touch", "accepted"), 0)
    delivered = await session.scalar(select(func.count()).select_from(Message))
    delivered = (delivered or 0) + past.get(("message", ""), 0)
    # A message on its way at this moment is kept already, and its touch not yet marked as accepted.
    on_the_way = await session.scalar(select(func.count()).select_from(Touch).where(Touch.state == "sending"))
    if not accepted <= delivered <= accepted + (on_the_way or 0):
        violations.append(f"the ledger has {accepted} accepted touches, the database keeps {delivered} messages")
    return Audit(len(sent), tuple(violations))


def _over_caps(sent: Sequence[AuditedTouch]) -> Iterator[str]:
    by_lead: dict[str, list[AuditedTouch]] = defaultdict(list)
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


def _outside_window(sent: Sequence[AuditedTouch]) -> Iterator[str]:
    for touch in sent:
        country = touch.country if touch.rules.holidays else None
        if not is_open(touch.at, touch.time_zone, touch.rules.window, country):
            local = local_time(touch.at, touch.time_zone)
            yield f"lead {touch.lead_id} got a touch at {local:%a %Y-%m-%d %H:%M} in {touch.time_zone}"


def _after_leaving(sent: Sequence[AuditedTouch], left: Mapping[str, datetime]) -> Iterator[str]:
    for touch in sent:
        since = left.get(touch.lead_id)
        if since is not None and touch.at > since:
            yield f"lead {touch.lead_id} left at {since:%Y-%m-%d %H:%M} and got a touch at {touch.at:%Y-%m-%d %H:%M}"
