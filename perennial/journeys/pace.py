"""The sending pace: the most mail that leaves in a minute and in an hour, over all leads.

After an outage, or when a window opens, everything that is due would leave at once, and mailbox providers take that for
an attack. Whoever finds no room is put off to a time when fewer are due than may leave, each lead to one of its own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models.journeys import Enrolment
from models.shared import SendingPace
from models.touches import Touch
from models.types import UtcDateTime
from nurture.errors import InputError
from nurture.timing.calendar import spread
from perennial.platform.prepared import Prepared, any_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_ONLY = 1
_COUNTED = ("sending", "accepted", "unknown")
_SENT = Prepared(
    select(func.count())
    .select_from(Touch)
    .where(
        Touch.at > bindparam("since", type_=UtcDateTime()),
        any_of(Touch.state, _COUNTED),
        Touch.id != bindparam("exclude"),
    )
)
_DUE = Prepared(
    select(func.count())
    .select_from(Enrolment)
    .where(
        Enrolment.status == "active",
        Enrolment.next_at > bindparam("since", type_=UtcDateTime()),
        Enrolment.next_at <= bindparam("until", type_=UtcDateTime()),
    )
)


@dataclass(frozen=True, slots=True)
class Pace:
    """The most mail in any minute and in any hour; None for as much as there is."""

    per_minute: int | None = None
    per_hour: int | None = None

    def __post_init__(self) -> None:
        if any(most is not None and most < 1 for most in (self.per_minute, self.per_hour)):
            raise InputError("a sending pace is at least 1; to send nothing, pause the tracks")

    def within(self, span: timedelta) -> float:
        """How much may leave in a span."""
        bounds = [(self.per_minute, span / MINUTE), (self.per_hour, span / HOUR)]
        return min((most * times for most, times in bounds if most is not None), default=float("inf"))


async def read_pace(session: AsyncSession) -> Pace:
    """The pace that holds."""
    row = await session.get(SendingPace, _ONLY)
    return Pace() if row is None else Pace(row.per_minute, row.per_hour)


async def set_pace(session: AsyncSession, pace: Pace) -> None:
    """Have this pace hold from the next send on."""
    await session.execute(delete(SendingPace))
    if pace != Pace():
        session.add(SendingPace(id=_ONLY, per_minute=pace.per_minute, per_hour=pace.per_hour))


async def room_for(
    connection: AsyncConnection, pace: Pace, lead_id: str, now: datetime, *, exclude: str
) -> datetime | None:
    """When there is room for one more; None if there is now. `exclude` is the touch that asks."""
    for most, span in ((pace.per_minute, MINUTE), (pace.per_hour, HOUR)):
        if most is not None and await _count(_SENT, connection, since=now - span, exclude=exclude) >= most:
            return now + await _wait(connection, pace, lead_id, now)
    return None


async def _wait(connection: AsyncConnection, pace: Pace, lead_id: str, now: datetime) -> timedelta:
    """The shortest wait within which fewer are due than may leave; a lead's own place in its second half."""
    span = 2 * MINUTE
    while span < DAY and await _count(_DUE, connection, since=now, until=now + span) >= pace.within(span):
        span *= 2
    return span / 2 + spread(lead_id, span / 2)


async def _count(counting: Prepared, connection: AsyncConnection, **values: object) -> int:
    ((found,),) = await counting.rows(connection, values)
    return int(found)
