"""The behaviours of leads as they are stored: each once, by its id."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow
from nurture.errors import InputError
from nurture.timing.calendar import zone
from nurture.timing.days import day_in, middle_of
from perennial.platform.database import Transaction, connection_of, upsert_ignore

DAY = "day"
"""The property of a behaviour that tells only the day on which it happened, in the lead's own calendar."""

_INSERT = upsert_ignore(BehaviourRow)
_INSERT_NEW = _INSERT.returning(BehaviourRow.__table__.c.id)


def on_day(day: date, time_zone: str, now: datetime) -> tuple[datetime, dict[str, str]]:
    """When a behaviour that happened on this day of the lead's counts as done, `now` at the latest; and its properties.

    A day that has not come for the lead is not told as one: it counts as done now.
    """
    at = middle_of(day, time_zone)
    if at > now and day > now.astimezone(zone(time_zone)).date():
        return now, {}
    return min(at, now), {DAY: day.isoformat()}


def when_told(text: str, time_zone: str, now: datetime) -> tuple[datetime, dict[str, str]]:
    """When a behaviour happened that a file tells of: a day in the lead's calendar, or a moment; and its properties.

    Raises InputError for what is no time, or has not come.
    """
    ahead = InputError(f"at {text!r} is in the future")
    if day := day_in(text):
        at, props = on_day(day, time_zone, now)
        if not props:
            raise ahead
        return at, props
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"at {text!r} is no time; write 2026-03-31 or 2026-03-31T09:30+02:00") from None
    if at > now:
        raise ahead
    return at, {}


def day_of(props: Mapping[str, Any]) -> date | None:
    """The day on which a behaviour happened, if no time of day was told; else None."""
    return day_in(str(props.get(DAY, "")))


async def write_new(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Write behaviours, a few hundred at most; the ids of those that were not there already."""
    return set(await (await connection_of(transaction)).scalars(_INSERT_NEW, rows))


async def write_behaviours(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many behaviours; those that are there already stay as they are."""
    if rows:
        await (await connection_of(transaction)).execute(_INSERT, rows)


async def correct(session: AsyncSession, id_: str, told: Mapping[str, Any]) -> bool:
    """Let a known behaviour say what is told now: its lead_id, subject, props and at. False if it says that already.

    Raises InputError if it is another lead's.
    """
    stored = await session.get_one(BehaviourRow, id_)
    if stored.lead_id != told["lead_id"]:
        raise InputError("it is another lead's already")
    changed = {name: value for name, value in told.items() if getattr(stored, name) != value}
    for name, value in changed.items():
        setattr(stored, name, value)
    return bool(changed)


async def mark_machine(transaction: Transaction, behaviour_id: str) -> None:
    """Mark a behaviour as a machine's: it scores nothing and wakes nobody."""
    await transaction.execute(update(BehaviourRow).where(BehaviourRow.id == behaviour_id).values(bot=True))
