"""Read of one lead what its segments ask for: the same rows that the SQL reads."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import BehaviourRow, LeadRow, Suppression
from nurture.segments.facts import LeadFacts, Seen
from perennial.leads.scores_now import ScoresNow


async def facts_of(session: AsyncSession, lead: LeadRow, scores: ScoresNow) -> LeadFacts:
    """A lead as its segments see it, as of `scores.now`."""
    seen = select(BehaviourRow.name, BehaviourRow.subject, BehaviourRow.at, BehaviourRow.id)
    rows = await session.execute(seen.where(BehaviourRow.lead_id == lead.id, ~BehaviourRow.bot))
    on = select(Enrolment.track).where(Enrolment.lead_id == lead.id, Enrolment.status != "finished")
    suppressed = await session.scalar(select(Suppression.id).where(Suppression.lead_id == lead.id).limit(1))
    score = await scores.of(session, lead)
    return LeadFacts(
        traits={**lead.segment, **lead.traits},
        behaviours=tuple(Seen(*row) for row in rows),
        tracks=frozenset(await session.scalars(on)),
        score=score.total,
        band=score.band,
        suppressed=suppressed is not None,
        live=lead.erased_at is None and lead.merged_into is None,
    )
