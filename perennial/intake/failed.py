"""Events that were put aside because they could not be passed on: count them, say why, give them to the relay again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event

_IS_FAILED = Event.state == "failed"


@dataclass(frozen=True, slots=True)
class Failures:
    """Events of one source that failed alike: how many, because of what, and when the oldest came in."""

    source: str
    note: str
    events: int
    oldest: datetime

    @property
    def text(self) -> str:
        """One line for a person."""
        return f"{self.events:,} of {self.source}'s events could not be passed on: {self.note}"


async def count_failed(session: AsyncSession) -> int:
    """How many there are."""
    return await session.scalar(select(func.count()).select_from(Event).where(_IS_FAILED)) or 0


async def failures(session: AsyncSession, source: str | None = None) -> list[Failures]:
    """What failed, of one source or of all, the oldest first."""
    oldest = func.min(Event.received_at)
    alike = select(Event.source, Event.note, func.count(), oldest).where(_IS_FAILED, _of(source))
    rows = await session.execute(alike.group_by(Event.source, Event.note).order_by(oldest))
    return [Failures(*row) for row in rows]


async def pass_on_again(session: AsyncSession, source: str | None = None) -> None:
    """Give failed events to the relay, as if they had just come in."""
    again = update(Event).where(_IS_FAILED, _of(source)).values(state="new", note="")
    await session.execute(again, execution_options={"synchronize_session": False})


def _of(source: str | None) -> ColumnElement[bool]:
    return true() if source is None else Event.source == source
