"""Scores as of now. A stored score dates from what last happened to the lead, and has faded since.

Points of behaviours only fade, so no lead is warmer than what is stored, and one without such points is as is stored.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, ScoreEntry
from nurture.people.scoring import Score, ScoringModel
from perennial.leads.scores import entries_of_many
from perennial.platform.database import Transaction, in_parts

_PAGE = 500
_STORED = select(LeadRow.id, LeadRow.score)


@dataclass(frozen=True, slots=True)
class ScoresNow:
    """Takes scores by a model, as of `now`. Writes nothing."""

    model: ScoringModel
    now: datetime

    async def of(self, session: Transaction, lead: LeadRow | Row[Any]) -> Score:
        """One lead's score; how much of it is fit is not said."""
        faded = await self._faded_of(session, [lead.id])
        return faded.get(lead.id) or _as_stored(lead.score, lead.stage, lead.band)

    async def faded(self, session: AsyncSession, clause: ColumnElement[bool]) -> dict[str, Score]:
        """Of the leads that a clause finds, those whose score is not the stored one any more."""
        engaged = select(ScoreEntry.lead_id).where(ScoreEntry.behaviour_id != "")
        found = await session.execute(_STORED.where(clause, LeadRow.id.in_(engaged)))
        stored = {row.id: row.score for row in found}
        faded: dict[str, Score] = {}
        for part in in_parts(sorted(stored)):
            scores = await self._faded_of(session, part)
            faded |= {lead_id: score for lead_id, score in scores.items() if score.total != stored[lead_id]}
        return faded

    async def warmest(self, session: AsyncSession, clause: ColumnElement[bool], limit: int) -> list[tuple[str, Score]]:
        """The ids and scores of the `limit` warmest leads that a clause finds, the warmest first."""
        wanted = select(LeadRow.id, LeadRow.score, LeadRow.stage, LeadRow.band).where(clause)
        wanted = wanted.order_by(LeadRow.score.desc(), LeadRow.id)
        found: list[tuple[str, Score]] = []
        offset = 0
        while rows := (await session.execute(wanted.offset(offset).limit(_PAGE))).all():
            now = await self._faded_of(session, [row.id for row in rows])
            found += [(row.id, now.get(row.id) or _as_stored(row.score, row.stage, row.band)) for row in rows]
            found = sorted(found, key=lambda each: (-each[1].total, each[0]))[:limit]
            offset += len(rows)
            if len(found) == limit and found[-1][1].total >= rows[-1].score:
                break  # the rest is no warmer than what is stored
        return found

    async def _faded_of(self, session: Transaction, lead_ids: Collection[str]) -> dict[str, Score]:
        """The scores of those of these leads that have points of behaviours."""
        ledgers = await entries_of_many(session, lead_ids)
        return {
            lead_id: self.model.score(ledger, self.now)
            for lead_id, ledger in ledgers.items()
            if any(entry.behaviour_id for entry in ledger)
        }


def _as_stored(total: int, stage: str, band: str) -> Score:
    return Score(total, 0, 0, stage, band)
