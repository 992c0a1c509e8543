"""A lead's score from its ledger: written as behaviours come in, and taken again as time passes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, ScoreEntry
from nurture.people.scoring import Score, ScoreLine, ScoringModel
from perennial.platform.database import Transaction, connection_of, in_parts, upsert_ignore
from perennial.platform.prepared import Prepared

_LEADS = cast("Table", LeadRow.__table__)
_INSERT = upsert_ignore(ScoreEntry)
_ENTRIES = Prepared(
    select(ScoreEntry.rule, ScoreEntry.points, ScoreEntry.reason, ScoreEntry.at, ScoreEntry.behaviour_id).where(
        ScoreEntry.lead_id == bindparam("lead")
    )
)
_ENTRIES_OF_MANY = select(
    ScoreEntry.lead_id, ScoreEntry.rule, ScoreEntry.points, ScoreEntry.reason, ScoreEntry.at, ScoreEntry.behaviour_id
)
_SET_SCORE = (
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
_WRITE_SCORE = Prepared(_SET_SCORE)
_NO_SYNC = {"synchronize_session": False}


async def entries_of(transaction: Transaction, lead_id: str) -> list[ScoreLine]:
    """The lead's ledger."""
    rows = await _ENTRIES.rows(await connection_of(transaction), {"lead": lead_id})
    return [ScoreLine(rule, int(points), reason, at, behaviour_id) for rule, points, reason, at, behaviour_id in rows]


async def entries_of_many(transaction: Transaction, lead_ids: Collection[str]) -> Mapping[str, list[ScoreLine]]:
    """The ledgers of many leads; empty for one that has no points."""
    connection = await connection_of(transaction)
    entries: defaultdict[str, list[ScoreLine]] = defaultdict(list)
    for part in in_parts(sorted(lead_ids)):
        found = await connection.execute(_ENTRIES_OF_MANY.where(ScoreEntry.lead_id.in_(part)))
        for lead_id, rule, points, reason, at, behaviour_id in found:
            entries[lead_id].append(ScoreLine(rule, int(points), reason, at, behaviour_id))
    return entries


async def write_entries(transaction: Transaction, entries: Iterable[tuple[str, ScoreLine]]) -> None:
    """Write entries, each with its lead's id, of one lead or of many; those that are there already stay as they are."""
    rows: list[dict[str, Any]] = [
        {
            "lead_id": lead_id,
            "rule": entry.rule,
            "behaviour_id": entry.behaviour_id,
            "points": entry.points,
            "reason": entry.reason,
            "at": entry.at,
        }
        for lead_id, entry in entries
    ]
    if rows:
        await (await connection_of(transaction)).execute(_INSERT, rows)


async def delete_entries(session: AsyncSession, ids: Collection[int]) -> None:
    """Delete entries by their ids: a changed profile no longer meets their rules."""
    for part in in_parts(sorted(ids)):
        await session.execute(delete(ScoreEntry).where(ScoreEntry.id.in_(part)), execution_options=_NO_SYNC)


async def take_points_back(transaction: Transaction, behaviour_id: str, why: str) -> None:
    """Set a behaviour's points to 0; its entry stays, and says why."""
    taken = update(ScoreEntry).where(ScoreEntry.behaviour_id == behaviour_id)
    await transaction.execute(taken.values(points=0, reason=f"taken back: {why}"), execution_options=_NO_SYNC)


async def merge_entries(session: AsyncSession, model: ScoringModel, lead: LeadRow, gone: str, at: datetime) -> None:
    """Give a lead the points for what a merged lead did; points for who it is are entered again by its profile."""
    both = ScoreEntry.lead_id.in_((lead.id, gone))
    await session.execute(delete(ScoreEntry).where(both, ScoreEntry.behaviour_id == ""), execution_options=_NO_SYNC)
    moved = update(ScoreEntry).where(ScoreEntry.lead_id == gone).values(lead_id=lead.id)
    await session.execute(moved, execution_options=_NO_SYNC)
    await write_entries(session, [(lead.id, entry) for entry in model.fit_entries(lead.traits, at)])


async def rescore(transaction: Transaction, model: ScoringModel, lead_id: str, as_of: datetime) -> Score:
    """Take the lead's score as of a moment (it decays with time), and keep it on the lead for lists and filters."""
    connection = await connection_of(transaction)
    score = model.score(await entries_of(connection, lead_id), as_of)
    await _WRITE_SCORE.run(connection, _written(lead_id, score))
    return score


async def rescore_leads(
    transaction: Transaction, model: ScoringModel, as_of: Mapping[str, datetime]
) -> dict[str, Score]:
    """As `rescore`, for many leads, each as of its moment; the scores by lead."""
    connection = await connection_of(transaction)
    entries = await entries_of_many(connection, as_of)
    scores = {lead_id: model.score(entries[lead_id], moment) for lead_id, moment in as_of.items()}
    await connection.execute(_SET_SCORE, [_written(lead_id, scores[lead_id]) for lead_id in sorted(scores)])
    return scores


def _written(lead_id: str, score: Score) -> dict[str, Any]:
    return {"lead": lead_id, "new_score": score.total, "new_stage": score.stage, "new_band": score.band}
