"""The funnel from lead to deal: what has happened so far, counted from the database in one snapshot."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, distinct, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, FactRow, HandOffRow
from models.leads import BehaviourRow, LeadRow, Suppression
from models.past import PastLead, Removed
from models.touches import Touch
from perennial.journeys.reasons import in_short
from perennial.leads.suppression import SUPPRESSES
from perennial.reports.milestones import is_engagement

NURTURE, SALES = "in nurture", "with sales"


@dataclass(frozen=True, slots=True)
class Funnel:
    """Counts: `deferred` and `refused` by reason, `standing` by track and place or outcome."""

    leads: int
    enrolled: int
    running: int
    sent: int
    deferred: Mapping[str, int]
    refused: Mapping[str, int]
    touched: int
    engaged: int
    mqls: int
    offered: int
    answers: Mapping[str, int]
    left: Mapping[str, int]
    standing: Mapping[str, Mapping[str, int]]

    def as_json(self) -> dict[str, Any]:
        """As plain dictionaries and numbers."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


async def count_funnel(session: AsyncSession, qualified_at: int) -> Funnel:
    """Count; a lead is marketing-qualified once its score has been `qualified_at` or more."""
    past = Counter({(each.what, each.name): each.number for each in await session.scalars(select(Removed))})
    states = dict((await session.execute(select(Touch.state, func.count()).group_by(Touch.state))).all())
    states = {state: states.get(state, 0) + past["touch", state] for state in ("accepted", "sending", "unknown")}
    score = FactRow.fact["score"].as_integer()
    qualified = select(Enrolment.lead_id).where(
        Enrolment.id == FactRow.enrolment_id, FactRow.kind.in_(("scored", "graduated")), score >= qualified_at
    )
    qualified_before = select(PastLead.lead_id).where(PastLead.top_score >= qualified_at)
    touched = select(Touch.lead_id).where(Touch.state == "accepted")
    touched_before = select(PastLead.lead_id).where(PastLead.touched)
    standing, running = await _standing(session)
    return Funnel(
        leads=await _count(session, select(func.count()).select_from(LeadRow)),
        enrolled=sum(sum(places.values()) for places in standing.values()),
        running=running,
        sent=sum(states.values()),
        deferred=await _deferred(session, past),
        refused=await _refused(session, past),
        touched=await _count_either(session, touched, touched_before),
        engaged=await _count(session, _engaged()),
        mqls=await _count_either(session, qualified, qualified_before),
        offered=await _count(session, select(func.count(distinct(HandOffRow.lead_id)))),
        answers=await _answers(session),
        left=await _left(session),
        standing=standing,
    )


def _engaged() -> Select[int]:
    return select(func.count(distinct(BehaviourRow.lead_id))).where(is_engagement())


async def _deferred(session: AsyncSession, past: Mapping[tuple[str, str], int]) -> dict[str, int]:
    reason = FactRow.fact["reason"].as_string()
    rows = select(reason, func.count()).where(FactRow.kind == "deferred")
    return await _reasons(session, rows, _named(past, "deferred"))


async def _refused(session: AsyncSession, past: Mapping[tuple[str, str], int]) -> dict[str, int]:
    rows = select(Touch.reason, func.count()).where(Touch.state == "refused")
    return await _reasons(session, rows, _named(past, "refused"))


def _named(past: Mapping[tuple[str, str], int], what: str) -> Counter[str]:
    return Counter({name: number for (kind, name), number in past.items() if kind == what})


async def _reasons(session: AsyncSession, rows: Select[str, int], past: Counter[str]) -> dict[str, int]:
    """By reason in short, commonest first."""
    reasons = past.copy()
    for reason, count in await session.execute(rows.group_by(rows.selected_columns[0])):
        reasons[in_short(reason)] += count
    return dict(reasons.most_common())


async def _answers(session: AsyncSession) -> dict[str, int]:
    names = ("sales.accepted", "sales.rejected", "deal.opened", "deal.won")
    offered = select(HandOffRow.lead_id)
    rows = await session.execute(
        select(BehaviourRow.name, func.count(distinct(BehaviourRow.lead_id)))
        .where(BehaviourRow.name.in_(names), BehaviourRow.lead_id.in_(offered), BehaviourRow.id.not_like("import-%"))
        .group_by(BehaviourRow.name)
    )
    return dict(rows.all())


async def _left(session: AsyncSession) -> dict[str, int]:
    rows = await session.execute(
        select(Suppression.reason, func.count())
        .where(or_(*(Suppression.source == name for name in SUPPRESSES)))
        .group_by(Suppression.reason)
    )
    return dict(rows.all())


async def _standing(session: AsyncSession) -> tuple[dict[str, dict[str, int]], int]:
    places: dict[str, Counter[str]] = defaultdict(Counter)
    running = 0
    rows = await session.execute(
        select(Enrolment.track, Enrolment.status, Enrolment.step, Enrolment.outcome, func.count()).group_by(
            Enrolment.track, Enrolment.status, Enrolment.step, Enrolment.outcome
        )
    )
    for track, status, step, outcome, count in rows:
        if status == "finished":
            places[track][outcome or "finished"] += count
        else:
            running += count
            with_sales = "hand_off:" in step or "alert:" in step
            places[track][SALES if with_sales else NURTURE] += count
    return {track: dict(places[track].most_common()) for track in sorted(places)}, running


async def _count_either(session: AsyncSession, now: Select[str], before: Select[str]) -> int:
    """How many leads are among those of now or those of removed rows."""
    return await _count(session, select(func.count()).select_from(union(now, before).subquery()))


async def _count(session: AsyncSession, rows: Select[int]) -> int:
    return int(await session.scalar(rows) or 0)


def _plain(value: Any) -> Any:
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, Mapping) else value
