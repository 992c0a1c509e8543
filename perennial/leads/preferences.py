"""What a lead wishes short of an opt-out: a break, and topics it wants nothing on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, Preference
from perennial.platform.database import upsert_ignore

_UNWANTED = select(Preference.topic).where(Preference.lead_id == bindparam("lead"), Preference.wanted.is_(False))


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the gate asks: when the break ends that the lead asked for, and the topics it wants nothing on."""

    break_until: datetime | None = None
    unwanted: tuple[str, ...] = ()


async def preferences_of(session: AsyncSession, lead: LeadRow) -> Preferences:
    """The lead's wishes."""
    unwanted = await (await session.connection()).scalars(_UNWANTED, {"lead": lead.id})
    return Preferences(lead.mail_paused_until, tuple(sorted(unwanted)))


async def set_topics(session: AsyncSession, lead_id: str, wanted: Mapping[str, bool], at: datetime) -> None:
    """Set which topics a lead wants; those not named stay as they are, and no row means wanted."""
    for topic, yes in sorted(wanted.items()):
        row = {"lead_id": lead_id, "topic": topic, "wanted": yes, "at": at}
        added = await session.scalar(upsert_ignore(Preference, row).returning(Preference.topic))
        if added is None:
            changed = update(Preference).where(
                Preference.lead_id == lead_id, Preference.topic == topic, Preference.wanted.is_not(yes)
            )
            await session.execute(changed.values(wanted=yes, at=at))


async def set_break(session: AsyncSession, lead_id: str, until: datetime | None) -> None:
    """Give a lead a break until a moment; None ends it."""
    await session.execute(update(LeadRow).where(LeadRow.id == lead_id).values(mail_paused_until=until))
