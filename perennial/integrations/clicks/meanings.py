"""What a stored click or open of our own tracked links means."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.touches import Touch
from perennial.intake.engagement import read_engagement
from perennial.intake.fields import moment_of
from perennial.intake.meaning import Meaning
from perennial.leads.lookup import current_lead


async def read_click(session: AsyncSession, event: Event, /) -> Meaning:
    """The open or click of the mail that the touch sent."""
    body = event.body
    touch = await session.get(Touch, str(body.get("touch_id")))
    if touch is None:
        return Meaning("ignored", note="of no touch we know")
    lead = await current_lead(session, touch.lead_id)
    if lead is None or lead.erased_at is not None:
        return Meaning("ignored", note="of no lead we know")
    kind: Literal["open", "click"] = "open" if body.get("event") == "open" else "click"
    at = moment_of(body.get("at")) or event.received_at
    return await read_engagement(session, event, touch, lead.id, kind, at=at)
