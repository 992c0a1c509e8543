"""Clicks that turn out to be a machine's: marked, and their points taken back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow, ScoreEntry
from models.touches import Touch
from perennial.intake.bots import Click, bot_clicks


async def mark_scanners(
    session: AsyncSession, touch: Touch, new: Click, delivered_at: datetime | None = None
) -> set[str]:
    """Judge all clicks on a touch's mail anew with the new one; ids of those that are a machine's, each marked as one.

    A click marked only now gives its points back: its line in the ledger stays, at 0, and says why.
    """
    of_this_mail = select(BehaviourRow).where(
        BehaviourRow.touch_id == touch.id, BehaviourRow.name == "email.clicked", BehaviourRow.id != new.id
    )
    earlier = (await session.scalars(of_this_mail)).all()
    found = bot_clicks([*(click_of(row.id, row.at, row.props) for row in earlier), new], delivered_at)
    for row in earlier:
        if row.id in found and not row.bot:
            await _take_back(session, row.id, found[row.id])
    return set(found)


def click_of(id_: str, at: datetime, props: Mapping[str, Any]) -> Click:
    """A click, from a behaviour's properties."""
    return Click(id_, at, str(props.get("url", "")), str(props.get("agent", "")))


async def _take_back(session: AsyncSession, behaviour_id: str, why: str) -> None:
    await session.execute(update(BehaviourRow).where(BehaviourRow.id == behaviour_id).values(bot=True))
    await session.execute(
        update(ScoreEntry)
        .where(ScoreEntry.behaviour_id == behaviour_id)
        .values(points=0, reason=f"taken back: a machine's click ({why})")
    )
