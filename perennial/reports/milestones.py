"""When each lead first reached each stage, from first entering a track to a won deal: one row a lead."""

import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, FactRow, HandOffRow
from models.leads import BehaviourRow, LeadRow
from models.touches import Touch
from nurture.people.behaviours import BEHAVIOURS
from perennial.reports.period import AT_ONCE, on_tracks

STAGES = {
    "entered": "entered a track",
    "mailed": "got a mail",
    "engaged": "clicked, visited, replied",
    "qualified": "qualified for sales (MQL)",
    "offered": "offered to sales",
    "accepted": "accepted by sales (SQL)",
    "opportunity": "deal opened",
    "won": "deal won",
}
"""The stages in their order, and what each says."""

ENGAGED = (
    "email.clicked",
    "email.replied",
    "page.viewed",
    "form.submitted",
    "content.downloaded",
    "event.attended",
    "demo.requested",
)
"""What a lead does by itself; an open does not count, as machines open too."""


def is_engagement() -> ColumnElement[bool]:
    """Whether a behaviour shows that a lead engaged: its own doing since it was imported, and no machine's."""
    assert set(ENGAGED) <= set(BEHAVIOURS)
    return and_(BehaviourRow.name.in_(ENGAGED), BehaviourRow.bot.is_(False), BehaviourRow.id.not_like("import-%"))


UNKNOWN = "not known"
_REACHED_BY = {"accepted": "sales.accepted", "opportunity": "deal.opened", "won": "deal.won"}


@dataclass(frozen=True, slots=True)
class Milestones:
    """One lead: its word for a trait (`source`, or what is asked for), and when it reached each stage, or None."""

    lead_id: str
    source: str
    at: tuple[datetime | None, ...]


async def read_milestones(
    session: AsyncSession,
    *,
    qualified_at: int,
    until: datetime,
    tracks: Collection[str] | None = None,
    by: str = "source",
) -> AsyncIterator[Milestones]:
    """Every lead that entered a track before `until`, in no order; of `tracks` by name, or of all; `by` is a trait.

    Nothing from `until` on counts, nor what a lead did before it was imported.
    """
    rows = await session.stream(_statement(qualified_at, until, tracks, by))
    async for part in rows.partitions(AT_ONCE):
        for lead_id, word, *at in part:
            yield Milestones(lead_id, _said(word), tuple(at))


def _said(word: Any) -> str:
    """A trait as one word; of several, all. A database gives a list as JSON, each with spaces of its own."""
    if word in {None, ""}:
        return UNKNOWN
    text = str(word)
    try:
        return " and ".join(map(str, json.loads(text))) if text.startswith("[") else text
    except ValueError:
        return text


def _statement(qualified_at: int, until: datetime, tracks: Collection[str] | None, by: str) -> Select[*tuple[Any, ...]]:
    on_track = on_tracks(Enrolment.track, tracks)
    entered = _first(
        select(Enrolment.lead_id, func.min(Enrolment.started_at).label("at")).where(
            on_track, Enrolment.started_at < until
        ),
        Enrolment.lead_id,
    )
    mailed = _first(
        select(Touch.lead_id, func.min(Touch.at).label("at")).where(
            Touch.state == "accepted", Touch.at < until, on_tracks(Touch.track, tracks)
        ),
        Touch.lead_id,
    )
    offered = _first(
        select(HandOffRow.lead_id, func.min(HandOffRow.at).label("at"))
        .join(Enrolment, Enrolment.id == HandOffRow.enrolment_id)
        .where(HandOffRow.at < until, on_track),
        HandOffRow.lead_id,
    )
    qualified = _first(
        select(Enrolment.lead_id, func.min(FactRow.at).label("at"))
        .join(Enrolment, Enrolment.id == FactRow.enrolment_id)
        .where(
            FactRow.kind.in_(("enrolled", "scored", "graduated")),
            FactRow.fact["score"].as_integer() >= qualified_at,
            FactRow.at < until,
            on_track,
        ),
        Enrolment.lead_id,
    )
    did = _did(until)
    columns = [
        entered.c.at,
        mailed.c.at,
        did.c.engaged,
        qualified.c.at,
        offered.c.at,
        *(did.c[name] for name in _REACHED_BY),
    ]
    found = select(entered.c.lead_id, LeadRow.traits[by].as_string(), *columns).join(
        LeadRow, LeadRow.id == entered.c.lead_id
    )
    for each in (mailed, did, qualified, offered):
        found = found.outerjoin(each, each.c.lead_id == entered.c.lead_id)
    return found


def _first(rows: Select[*tuple[Any, ...]], lead_id: Any) -> Subquery:
    return rows.group_by(lead_id).subquery()


def _did(until: datetime) -> Subquery:
    """When each lead first engaged, and when sales and the CRM first said what they say, in one reading."""

    def first(condition: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.min(case((condition, BehaviourRow.at)))

    names = (*ENGAGED, *_REACHED_BY.values())
    return (
        select(
            BehaviourRow.lead_id,
            first(is_engagement()).label("engaged"),
            *(first(BehaviourRow.name == name).label(stage) for stage, name in _REACHED_BY.items()),
        )
        .where(BehaviourRow.name.in_(names), BehaviourRow.at < until, BehaviourRow.id.not_like("import-%"))
        .group_by(BehaviourRow.lead_id)
        .subquery()
    )
