"""What a stored SendGrid event means: behaviours of a lead, and what became of its mail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import LeadRow
from models.touches import Touch
from nurture.people.behaviours import BEHAVIOURS
from perennial.intake.engagement import mark_scanners, read_engagement
from perennial.intake.fields import identifier_of, unix_moment_of
from perennial.intake.meaning import Meaning, behaviour_id
from perennial.intake.rejections import rejection_note
from perennial.intake.reports import Report
from perennial.integrations.sendgrid.bounces import receiver_reason
from perennial.integrations.sendgrid.events import STOPS, TOUCH_ARGUMENT, kind_of, message_id_of
from perennial.journeys.ledger import record_delivery
from perennial.leads.lock import lock_lead
from perennial.leads.lookup import current_lead, find_lead
from perennial.leads.suppression import count_soft_bounce, reset_soft_bounces

_DELIVERY = {
    "processed": "",
    "deferred": "deferred",
    "delivered": "delivered",
    "dropped": "dropped",
    "bounce": "bounced",
    "open": "delivered",
    "click": "delivered",
    "spamreport": "delivered",
}
"""What an event's type says of the delivery."""


log = structlog.get_logger(__name__)


async def read_sendgrid(session: AsyncSession, event: Event) -> Meaning:
    """What an event means. Settle its touch, and count soft bounces, in the caller's transaction."""
    body = event.body
    touch = await _touch_of(session, body)
    lead = await _lead_of(session, event, touch)
    if lead is None:
        return Meaning("ignored", note="of no lead we know")
    if lead.erased_at is not None:
        event.event_id, event.body, event.anonymous_id = None, {}, None  # a late event must not bring the address back
        return Meaning("ignored", note="of an erased lead")
    at = unix_moment_of(body.get("timestamp")) or event.received_at
    await lock_lead(session, lead.id)  # before its touch, as a send does: else the two could wait for each other
    if touch is not None:
        await _settle(session, touch, body, at)
    return await _meaning(session, event, lead, touch, at=at)


async def _meaning(  # noqa: PLR0911 - one return a kind
    session: AsyncSession, event: Event, lead: LeadRow, touch: Touch | None, *, at: datetime
) -> Meaning:
    body = event.body
    match kind := kind_of(body):
        case "open" | "click":
            if touch is None:
                return Meaning("done")
            return await read_engagement(session, event, touch, lead.id, kind, at=at)
        case "delivered":
            await reset_soft_bounces(session, lead.id)
            return Meaning("done")
        case "sender-rejected":
            note = rejection_note(receiver_reason(body))
            log.error("our mail is rejected", number=event.id)  # the receiver's words may quote the address
            return Meaning("done", note=note)
        case "soft-bounce":
            if not await count_soft_bounce(session, lead.id, at):
                return Meaning("done", note="a soft bounce")
            return Meaning("done", (_report(event, lead.id, touch, "email.bounced", at),))
        case "opted-out" | "complained" | "hard-bounce":
            return Meaning("done", (_report(event, lead.id, touch, STOPS[kind], at),))
        case "other":
            return Meaning("done")
        case _:
            assert_never(kind)


def _report(event: Event, lead_id: str, touch: Touch | None, name: str, at: datetime) -> Report:
    props = {"piece": touch.piece} if touch is not None and BEHAVIOURS[name].subject == "piece" else {}
    return Report(behaviour_id(event), lead_id, name, props, at, touch.id if touch is not None else None)


async def _settle(session: AsyncSession, touch: Touch, body: Mapping[str, Any], at: datetime) -> None:
    """Settle a touch of unknown fate: SendGrid speaks of the mail, so it took it, whichever event comes first."""
    delivery = _DELIVERY.get(str(body.get("event")))
    if delivery is None:
        return
    delivered_at = at if body.get("event") == "delivered" else None
    is_late = delivered_at is not None and touch.delivered_at is None and touch.delivery not in {"", "deferred"}
    await record_delivery(session, touch, delivery, provider_id=message_id_of(body), delivered_at=delivered_at)
    if is_late:  # something was told before: a click, perhaps
        await mark_scanners(session, touch.id, delivered_at)


async def _touch_of(session: AsyncSession, body: Mapping[str, Any]) -> Touch | None:
    if touch_id := identifier_of(body.get(TOUCH_ARGUMENT)):
        return await session.get(Touch, touch_id)
    message_id = message_id_of(body)
    if message_id is None:
        return None
    found: Touch | None = await session.scalar(select(Touch).where(Touch.provider_id == message_id).limit(1))
    return found


async def _lead_of(session: AsyncSession, event: Event, touch: Touch | None) -> LeadRow | None:
    lead: LeadRow | None = None
    if touch is not None or event.lead_id is not None:
        lead = await current_lead(session, touch.lead_id if touch is not None else str(event.lead_id))
    elif email := identifier_of(event.body.get("email")):
        lead = await find_lead(session, email, ["address"])
    return lead
