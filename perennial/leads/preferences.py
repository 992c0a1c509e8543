"""What a lead asks for short of an opt-out: a break, and topics it wants nothing on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, Preference
from perennial.platform.database import upsert_ignore

_NO_SYNC = {"synchronize_session": False}
_UNWANTED = select(Preference.topic).where(Preference.lead_id == bindparam("lead"), Preference.wanted.is_(False))


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the gate needs: when the break ends that the lead asked for, and the topics it wants nothing on."""

    break_until: datetime | None = None
    unwanted: tuple[str, ...] = ()


async def preferences_of(session: AsyncSession, lead: LeadRow) -> Preferences:
    """The lead's preferences."""
    unwanted = await (await session.connection()).scalars(_UNWANTED, {"lead": lead.id})
    return Preferences(lead.mail_paused_until, tuple(sorted(unwanted)))


async def set_topics(session: AsyncSession, lead_id: str, wanted: Mapping[str, bool], at: datetime) -> None:
    """Set which topics a lead wants. Topics that are not named stay as they are; a topic without a row is wanted."""
    for topic, yes in sorted(wanted.items()):
        row = {"lead_id": lead_id, "topic": topic, "wanted": yes, "at": at}
        added = await session.scalar(upsert_ignore(Preference, row).returning(Preference.topic))
        if added is None:
            changed = update(Preference).where(
                Preference.lead_id == lead_id, Preference.topic == topic, Preference.wanted.is_not(yes)
            )
            await session.execute(changed.values(wanted=yes, at=at))


async def copy_preferences(session: AsyncSession, lead_id: str, to: str) -> None:
    """Give `to` the lead's topics; where both chose, a topic that either does not want is unwanted."""
    for each in await session.scalars(select(Preference).where(Preference.lead_id == lead_id)):
        row = {"lead_id": to, "topic": each.topic, "wanted": each.wanted, "at": each.at}
        await session.execute(upsert_ignore(Preference, row))
        if not each.wanted:
            stricter = update(Preference).where(Preference.lead_id == to, Preference.topic == each.topic)
            await session.execute(stricter.values(wanted=False), execution_options=_NO_SYNC)


async def set_break(session: AsyncSession, lead_id: str, until: datetime | None) -> None:
    """Give a lead a break until then; None ends its break."""
    await session.execute(update(LeadRow).where(LeadRow.id == lead_id).values(mail_paused_until=until))
