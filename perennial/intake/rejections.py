"""Mail that receivers reject because of us: our reputation, our authentication, our text.

That is no lead's fault and no journey's, so it is no `Alert`: the note on the event that told of it is the record.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event

_NOTE = "rejected because of our sender reputation"
_LONGEST_NOTE = 300


def rejection_note(reason: str) -> str:
    """The note on an event that tells of such a rejection, with the receiver's reason."""
    return f"{_NOTE}: {reason}"[:_LONGEST_NOTE]


async def sender_rejections(session: AsyncSession, since: datetime) -> list[tuple[datetime, str]]:
    """When receivers rejected our mail because of us since a moment, and why; the latest first."""
    found = await session.execute(
        select(Event.received_at, Event.note)
        .where(Event.note.startswith(_NOTE, autoescape=True), Event.received_at >= since)
        .order_by(Event.id.desc())
    )
    return [(at, note) for at, note in found]
