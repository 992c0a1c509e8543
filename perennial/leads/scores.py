"""A lead's score from its ledger: kept up as behaviours come in, and taken anew as time passes."""

from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, or_, select

from models.leads import LeadRow, ScoreEntry
from nurture.people.scoring import Score, ScoreLine, ScoringModel
from perennial.platform.database import Transaction, connection_of

_LEADS = cast("Table", LeadRow.__table__)
_ENTRIES = select(ScoreEntry.rule, ScoreEntry.points, ScoreEntry.reason, ScoreEntry.at, ScoreEntry.behaviour_id).where(
    ScoreEntry.lead_id == bindparam("lead")
)
_KEEP = (
    _LEADS.update()
    .where(
        _LEADS.c.id == bindparam("lead"),
        or_(
            _LEADS.c.score != bindparam("new_score"),
            _LEADS.c.stage != bindparam("new_stage"),
            _LEADS.c.band != bindparam("new_band"),
        ),
    )
    .values(score=bindparam("new_score"), stage=bindparam("new_stage"), band=bindparam("new_band"))
)


async def entries_of(transaction: Transaction, lead_id: str) -> list[ScoreLine]:
    """The lead's ledger."""
    rows = await (await connection_of(transaction)).execute(_ENTRIES, {"lead": lead_id})
    return [ScoreLine(rule, int(points), reason, at, behaviour_id) for rule, points, reason, at, behaviour_id in rows]


async def rescore(transaction: Transaction, model: ScoringModel, lead_id: str, as_of: datetime) -> Score:
    """The lead's score as of a moment (it decays with time), kept on the lead for lists and filters."""
    connection = await connection_of(transaction)
    score = model.score(await entries_of(connection, lead_id), as_of)
    await connection.execute(
        _KEEP, {"lead": lead_id, "new_score": score.total, "new_stage": score.stage, "new_band": score.band}
    )
    return score
