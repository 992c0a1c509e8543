"""A lead's score from its ledger: kept up as behaviours come in, and taken anew as time passes."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.tables import Lead, ScoreEntry
from nurture.scoring import Entry, Score, ScoringModel


async def entries_of(session: AsyncSession, lead_id: str) -> list[Entry]:
    """The lead's ledger."""
    rows = await session.execute(
        select(ScoreEntry.rule, ScoreEntry.points, ScoreEntry.reason, ScoreEntry.at, ScoreEntry.behaviour_id).where(
            ScoreEntry.lead_id == lead_id
        )
    )
    return [Entry(rule, round(points), reason, at, behaviour_id) for rule, points, reason, at, behaviour_id in rows]


async def rescore(session: AsyncSession, model: ScoringModel, lead_id: str, as_of: datetime) -> Score:
    """The lead's score as of a moment (it decays with time), kept on the lead for lists and filters."""
    score = model.score(await entries_of(session, lead_id), as_of)
    await session.execute(
        update(Lead)
        .where(
            Lead.id == lead_id,
            (Lead.score != score.total) | (Lead.stage != score.stage) | (Lead.band != score.band),
        )
        .values(score=score.total, stage=score.stage, band=score.band)
    )
    return score
