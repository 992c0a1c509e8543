"""Held leads: an edit of their track left them without a place, and nothing is sent until they are released."""

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment

_IS_HELD = Enrolment.status == literal_column("'held'")  # spelled out, so that the index of held leads is used


async def held_by_track(session: AsyncSession) -> dict[str, int]:
    """How many journeys of each track are held."""
    query = select(Enrolment.track, func.count()).where(_IS_HELD).group_by(Enrolment.track)
    return dict((await session.execute(query)).all())
