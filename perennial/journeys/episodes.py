"""Stays of leads in the segments that tracks are entered by: each is noted, and settled once.

Whoever notes them holds the sweep's row, so that two sweeps follow one another and none goes by a list that is out of
date. A stay is settled in the transaction that enrols the lead: what is cut off there has not happened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.episodes import EpisodeRow, SweepRow
from models.journeys import Enrolment
from nurture.journey.track import Track
from nurture.people.scoring import ScoringModel
from nurture.segments.named import Segment
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Database, in_parts, upsert_ignore
from perennial.segments.sql import ids_of

_EPISODES = cast("Table", EpisodeRow.__table__)
_STAY = and_(
    _EPISODES.c.track == bindparam("of_track"),
    _EPISODES.c.segment == bindparam("of_segment"),
    _EPISODES.c.lead_id == bindparam("of_lead"),
    _EPISODES.c.number == bindparam("stay"),
    _EPISODES.c.left_at.is_(None),
)
_SETTLE = (
    _EPISODES.update()
    .where(_STAY, _EPISODES.c.settled_at.is_(None))
    .values({name: bindparam(name) for name in ("settled_at", "outcome", "enrolment_id")})
)
_SETTLED_BY = select(_EPISODES.c.enrolment_id).where(_STAY)
_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a track: the track and the segment."""

    track: Track
    segment: Segment

    @property
    def cause(self) -> str:
        """Why a lead is enrolled by it."""
        return f"entered segment {self.segment.name}"

    @property
    def rows(self) -> ColumnElement[bool]:
        """The stays of this way."""
        return and_(EpisodeRow.track == self.track.name, EpisodeRow.segment == self.segment.name)


@dataclass(frozen=True, slots=True)
class Noted:
    """What has changed since the last sweep: how many leads came into the segment, and how many left it."""

    within: int
    came: int
    left: int


async def note_episodes(
    database: Database, entry: Entry, scoring: ScoringModel, clock: Callable[[], datetime]
) -> Noted:
    """Note who is in the segment now, and who is no more; who comes back begins another stay."""
    key = {"track": entry.track.name, "segment": entry.segment.name}
    async with database.writing() as session:
        await _take_former_names(session, entry)
        await session.execute(upsert_ignore(SweepRow), {**key, "swept_at": None})
        head = (await session.execute(select(SweepRow).filter_by(**key).with_for_update())).scalar_one()
        now = max(clock(), head.swept_at) if head.swept_at is not None else clock()
        within = set(await session.scalars(await ids_of(session, entry.segment, ScoresNow(scoring, now))))
        known = select(EpisodeRow.lead_id, EpisodeRow.left_at).where(entry.rows)
        stays = {row.lead_id: row.left_at for row in await session.execute(known)}
        came = sorted(within - stays.keys())
        back = sorted(lead_id for lead_id in within & stays.keys() if stays[lead_id] is not None)
        left = sorted(lead_id for lead_id, left_at in stays.items() if left_at is None and lead_id not in within)
        if came:
            rows = [{**key, "lead_id": lead_id, "number": 1, "began_at": now} for lead_id in came]
            await session.execute(upsert_ignore(EpisodeRow), rows)
        again = {"began_at": now, "left_at": None, "settled_at": None, "outcome": None, "enrolment_id": None}
        await _change(session, entry, back, number=EpisodeRow.number + 1, **again)
        await _change(session, entry, left, left_at=now)
        head.swept_at = now
    return Noted(len(within), len(came) + len(back), len(left))


async def _take_former_names(session: AsyncSession, entry: Entry) -> None:
    """Give a renamed track the stays that were noted under its former names, before its first sweep."""
    mine = SweepRow.track == entry.track.name, SweepRow.segment == entry.segment.name
    if not entry.track.was or await session.scalar(select(SweepRow).where(*mine)) is not None:
        return
    for was in entry.track.was:
        for table in (SweepRow, EpisodeRow):
            found = update(table).where(table.track == was, table.segment == entry.segment.name)
            await session.execute(found.values(track=entry.track.name), execution_options=_NO_SYNC)


async def _change(session: AsyncSession, entry: Entry, lead_ids: Sequence[str], **values: object) -> None:
    for part in in_parts(lead_ids):
        found = update(EpisodeRow).where(entry.rows, EpisodeRow.lead_id.in_(part))
        await session.execute(found.values(**values), execution_options=_NO_SYNC)


async def unsettled(session: AsyncSession, entry: Entry) -> list[tuple[str, int]]:
    """The leads whose stay is to be settled, and its number; first those whose journey was perhaps never started."""
    cut_off = select(EpisodeRow.lead_id, EpisodeRow.number).join(Enrolment, Enrolment.id == EpisodeRow.enrolment_id)
    found = await session.execute(cut_off.where(entry.rows, Enrolment.status == "starting"))
    begun = [(lead_id, number) for lead_id, number in found]
    fresh = select(EpisodeRow.lead_id, EpisodeRow.number).where(
        entry.rows, EpisodeRow.settled_at.is_(None), EpisodeRow.left_at.is_(None)
    )
    rows = await session.execute(fresh.order_by(EpisodeRow.began_at, EpisodeRow.lead_id))
    return begun + [(lead_id, number) for lead_id, number in rows]


async def settle(  # noqa: PLR0917 - a stay, and what came of it
    session: AsyncSession, entry: Entry, lead_id: str, number: int, at: datetime, outcome: str, enrolment: str | None
) -> bool:
    """Settle a stay; False if that was done already, or the stay is over."""
    connection = await session.connection()
    mine = {"of_track": entry.track.name, "of_segment": entry.segment.name, "of_lead": lead_id, "stay": number}
    told = {"settled_at": at, "outcome": outcome, "enrolment_id": enrolment}
    if (await connection.execute(_SETTLE, mine | told)).rowcount:
        return True
    by_this = await connection.scalar(_SETTLED_BY, mine)
    return enrolment is not None and by_this == enrolment


async def move_stays(session: AsyncSession, lead_id: str, *, to: str) -> None:
    """Give a lead the stays of one that was merged into it, where it has none of its own: nobody enters twice."""
    mine = select(EpisodeRow.track, EpisodeRow.segment).where(EpisodeRow.lead_id == to)
    has = {tuple(row) for row in await session.execute(mine)}
    theirs = select(EpisodeRow.track, EpisodeRow.segment).where(EpisodeRow.lead_id == lead_id)
    for track, segment in (await session.execute(theirs)).all():
        one = and_(EpisodeRow.track == track, EpisodeRow.segment == segment, EpisodeRow.lead_id == lead_id)
        if (track, segment) in has:
            await session.execute(delete(EpisodeRow).where(one), execution_options=_NO_SYNC)
        else:
            await session.execute(update(EpisodeRow).where(one).values(lead_id=to), execution_options=_NO_SYNC)
