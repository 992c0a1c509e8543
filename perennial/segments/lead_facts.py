"""Read of one lead what its segments ask for: the same rows that the SQL reads."""

from typing import Any

from sqlalchemy import Row, func, select

from models.journeys import Enrolment
from models.leads import BehaviourRow, LeadRow, Preference, ScoreEntry, Suppression
from nurture.segments.facts import LeadFacts, Seen
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Transaction, connection_of

STORED = ("id", "traits", "segment", "score", "stage", "band", "erased_at", "merged_into")
_LEAD = select(*(getattr(LeadRow, name) for name in STORED))


async def facts_of_id(transaction: Transaction, lead_id: str, scores: ScoresNow) -> LeadFacts:
    """As `facts_of`, of a lead by its id. Raises NoResultFound if there is none."""
    connection = await connection_of(transaction)
    return await facts_of(connection, (await connection.execute(_LEAD.where(LeadRow.id == lead_id))).one(), scores)


async def facts_of(session: Transaction, lead: LeadRow | Row[Any], scores: ScoresNow) -> LeadFacts:
    """A lead, or its row, as its segments see it, as of `scores.now`."""
    connection = await connection_of(session)
    seen = select(BehaviourRow.name, BehaviourRow.subject, BehaviourRow.at, BehaviourRow.id, BehaviourRow.props)
    rows = await connection.execute(seen.where(BehaviourRow.lead_id == lead.id, ~BehaviourRow.bot))
    on = select(Enrolment.track).where(Enrolment.lead_id == lead.id, Enrolment.status != "finished")
    suppressed = await connection.scalar(select(Suppression.id).where(Suppression.lead_id == lead.id).limit(1))
    unwanted = select(Preference.topic).where(Preference.lead_id == lead.id, ~Preference.wanted)
    topics = frozenset(await connection.scalars(unwanted))
    fits = select(func.sum(ScoreEntry.points)).where(
        ScoreEntry.lead_id == lead.id,
        ScoreEntry.rule.in_([rule.name for rule in scores.model.fit]),
        ScoreEntry.at <= scores.now,
    )
    score = await scores.of(session, lead)
    return LeadFacts(
        traits={**lead.segment, **lead.traits},
        behaviours=tuple(Seen(*row) for row in rows),
        tracks=frozenset(await connection.scalars(on)),
        score=score.total,
        band=score.band,
        suppressed=suppressed is not None,
        fit=int(await connection.scalar(fits) or 0),
        unwanted=topics,
        id=lead.id,
        live=lead.erased_at is None and lead.merged_into is None,
    )
