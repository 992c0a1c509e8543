"""How long sales takes to answer an offer."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, HandOffRow
from models.leads import BehaviourRow
from nurture.measures.survival import Spell, Survival, survival
from perennial.reports.period import Period, on_tracks

ANSWERS = ("sales.accepted", "sales.rejected", "deal.opened", "deal.won")


async def read_response(session: AsyncSession, period: Period, tracks: Collection[str] | None = None) -> Survival:
    """From each offer of the period to the first answer about its lead; an offer without one is still open."""
    answered = (
        select(func.min(BehaviourRow.at))
        .where(
            BehaviourRow.lead_id == HandOffRow.lead_id,
            BehaviourRow.name.in_(ANSWERS),
            BehaviourRow.at >= HandOffRow.at,
            BehaviourRow.at < period.until,
        )
        .scalar_subquery()
    )
    rows = await session.execute(
        select(HandOffRow.at, answered)
        .join(Enrolment, Enrolment.id == HandOffRow.enrolment_id)
        .where(
            HandOffRow.at >= period.since,
            HandOffRow.at < period.until,
            on_tracks(Enrolment.track, tracks),
        )
    )
    return survival(Spell((answer or period.until) - at, answer is not None) for at, answer in rows)
