"""The diff before a deployment: today's programme over the journals of all leads in flight. Nothing is changed."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, FactRow
from nurture.bench.edit_effect import Effect, Planned, effect_on
from nurture.errors import NotFoundError
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.segments.asked import news_of, segments_asked
from perennial.app.programme import Programme
from perennial.journeys.read_model import FACT
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Database
from perennial.segments.lead_facts import facts_of_id

AT_ONCE = 200
"""Journals that are read at once."""

IN_FLIGHT = ("active", "held")


@dataclass(frozen=True, slots=True)
class LeadPlanned:
    """What the code does with one lead on one track."""

    enrolment_id: str
    lead_id: str
    track: str
    planned: Planned


@dataclass(slots=True)
class Plan:
    """How many leads each effect has on each track, and every lead that is not as before."""

    counts: dict[str, Counter[Effect]] = field(default_factory=dict)
    changed: list[LeadPlanned] = field(default_factory=list)
    under_way: int = 0
    gone: Counter[str] = field(default_factory=Counter)

    def add(self, one: LeadPlanned) -> None:
        """Count a lead."""
        self.counts.setdefault(one.track, Counter())[one.planned.effect] += 1
        if one.planned.effect != "as before" or one.planned.read:
            self.changed.append(one)


async def plan_programme(
    database: Database,
    programme: Programme,
    now: datetime,
    *,
    only: str | None = None,
    sample: int | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Plan:
    """Plan every journey in flight, on one track or on all, or `sample` of them, spread over all.

    `told` hears how many of how many are planned. Raises NotFoundError for an unknown track.
    """
    names = None if only is None else programme.tracks[only].names
    catalogue, found = programme.catalogue, Plan()
    async with database.reading() as session:
        ids = await _in_flight(session, names, sample)
        for start in range(0, len(ids), AT_ONCE):
            async for enrolment, journal in _journals(session, ids[start : start + AT_ONCE]):
                try:
                    track = programme.tracks[enrolment.track]
                except NotFoundError:
                    found.gone[enrolment.track] += 1
                    continue
                seen = await _as_of_now(session, programme, track, enrolment.lead_id, journal, now)
                planned = effect_on(track, seen, now, catalogue)
                if planned is None:
                    found.under_way += 1
                else:
                    found.add(LeadPlanned(enrolment.id, enrolment.lead_id, track.name, planned))
            told(min(start + AT_ONCE, len(ids)), len(ids))
    return found


async def _as_of_now(  # noqa: PLR0917 - a lead on a track
    session: AsyncSession, programme: Programme, track: Track, lead_id: str, journal: Journal, now: datetime
) -> Journal:
    """The journal, told which segments the lead is in at `now`, of those that the track asks for."""
    segments = segments_asked(track, programme.segments)
    if not segments:
        return journal
    facts = await facts_of_id(session, lead_id, ScoresNow(programme.scoring, now))
    told = news_of(journal, segments, facts, now)
    return journal if told is None else journal.extended([replace(told, at=journal.last_at)])


async def _in_flight(session: AsyncSession, names: Sequence[str] | None, sample: int | None) -> list[str]:
    query = select(Enrolment.id).where(Enrolment.status.in_(IN_FLIGHT)).order_by(Enrolment.id)
    if names is not None:
        query = query.where(Enrolment.track.in_(names))
    if sample is None:
        return list(await session.scalars(query))
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    ids = list(await session.scalars(query))
    step = max(1, -(-total // sample))
    return ids[::step]


async def _journals(session: AsyncSession, ids: Sequence[str]) -> AsyncIterator[tuple[Enrolment, Journal]]:
    enrolments = {each.id: each for each in await session.scalars(select(Enrolment).where(Enrolment.id.in_(ids)))}
    wanted = select(FactRow.enrolment_id, FactRow.fact).where(FactRow.enrolment_id.in_(ids))
    rows = await session.execute(wanted.order_by(FactRow.enrolment_id, FactRow.seq))
    for enrolment_id, some in groupby(rows, key=lambda row: row.enrolment_id):
        yield enrolments[enrolment_id], Journal([FACT.validate_python(row.fact) for row in some])
    session.expunge_all()
