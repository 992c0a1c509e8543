"""Make two leads one, mid-journey.

| of the lead that goes (`lose`) | what becomes of it for the lead that goes on (`keep`) |
| --- | --- |
| the lead itself | stays as a signpost: its id, address and external id find the lead that goes on |
| profile | fills gaps |
| consent | a withdrawal is written again; a grant is not, as it was given for another address |
| suppressions, unwanted topics, a break | hold too, beside its own; a new suppression ends the journeys of both |
| identities, behaviours, points, touches, messages, hand-offs, alerts, events | change hands; caps count both |
| journeys | change hands, keep their ids and go on |
| a journey on a track that both are on | exits, "merged into ..."; the other goes on, and the story tells both |
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Base
from models.intake import Event
from models.journeys import Alert, Enrolment, HandOffRow
from models.leads import BehaviourRow, Identity, LeadRow
from models.touches import Message, Touch
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from perennial.intake import own
from perennial.intake.outbox import CHANNEL, accept
from perennial.intake.reports import Report
from perennial.journeys.asked import Asked, ask_to_exit
from perennial.journeys.episodes import move_stays
from perennial.journeys.handles import running
from perennial.leads import consent
from perennial.leads.lock import lock_leads
from perennial.leads.lookup import current_lead
from perennial.leads.preferences import copy_preferences
from perennial.leads.scores import merge_entries, rescore
from perennial.leads.suppression import copy_suppressions, suppressions
from perennial.platform.database import Database
from perennial.privacy.suppressor import TOLD_AS

MOVED: tuple[type[Base], ...] = (BehaviourRow, Touch, Message, HandOffRow, Alert, Identity, Event)
"""Tables whose rows change hands."""

_FILLED = ("first_name", "last_name", "company", "country")
_ASIDE = 1_000_000
"""Enrolments get numbers from here on while they are renumbered, as the numbers are unique."""

NO_TRACKS = Registry(())

_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Merged:
    """The lead that goes on, and the enrolments that must exit because it is on their track already."""

    current: str
    exiting: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why they exit."""
        return f"merged into {self.current}"


async def merge_rows(
    session: AsyncSession,
    keep: str,
    lose: str,
    *,
    at: datetime,
    model: ScoringModel = DEFAULT_MODEL,
    tracks: Registry = NO_TRACKS,
) -> Merged:
    """Make `lose` the same lead as `keep`. Have `exiting` end; merging again changes nothing.

    `tracks` knows the former names of renamed tracks. Raises NotFoundError for an unknown lead, InputError for a lead
    and itself, RefusedError for an erased lead and for one that was merged into a third.
    """
    if keep == lose:
        raise InputError("a lead cannot be merged with itself")
    await lock_leads(session, (keep, lose))
    current, gone = await current_lead(session, keep), await session.get(LeadRow, lose)
    if current is None or gone is None:
        raise NotFoundError(f"no lead {keep if current is None else lose!r}")
    await lock_leads(session, (current.id,))
    if current.erased_at is not None or gone.erased_at is not None:
        raise RefusedError("an erased lead cannot be merged")
    target = await current_lead(session, lose)
    if target is current:
        return Merged(current.id, await _doubled(session, current.id, tracks))
    if gone.merged_into is not None:
        raise RefusedError(f"{lose} was merged into {gone.merged_into}; merge that one")
    gone.merged_into = current.id
    await _consent(session, current, gone, at)
    await _preferences(session, current, gone)
    for table in MOVED:
        moved = update(table).where(table.__table__.c.lead_id == gone.id).values(lead_id=current.id)
        await session.execute(moved, execution_options=_NO_SYNC)
    await move_stays(session, gone.id, to=current.id)
    await _journeys(session, current.id, gone.id, tracks)
    await _score(session, current, gone, at, model)
    return Merged(current.id, await _doubled(session, current.id, tracks))


async def merge_leads(
    database: Database,
    keep: str,
    lose: str,
    *,
    at: datetime,
    model: ScoringModel = DEFAULT_MODEL,
    tracks: Registry = NO_TRACKS,
) -> tuple[Merged, Asked]:
    """Merge two leads, and ask the journeys that are double now to exit: tell them next. Safe to repeat.

    What suppresses either of them ends the journeys of both, as it ended, or would have ended, its own.
    """
    async with database.writing() as session:
        merged = await merge_rows(session, keep, lose, at=at, model=model, tracks=tracks)
        asked = await _stop(session, merged, lose, at)
    database.announce(CHANNEL)
    return merged, asked


async def _stop(session: AsyncSession, merged: Merged, lose: str, at: datetime) -> Asked:
    """Have what runs on hear of suppressions: as a behaviour, on which tracks have rules, or as an exit."""
    current = merged.current
    left = await running(session, [current])
    reasons = await suppressions(session, current) if left else ()
    told = [
        Report(sha256(f"{reason} {current} {lose}".encode()).hexdigest()[:32], current, behaviour, {}, at)
        for reason, behaviour in TOLD_AS.items()
        if reason in reasons
    ]
    await accept(session, [own.event_of(report, at) for report in told])
    if other := [reason for reason in reasons if reason not in TOLD_AS]:
        return await ask_to_exit(session, left, f"suppressed: {other[0]}", at)
    return await ask_to_exit(session, merged.exiting, merged.reason, at)


async def _consent(session: AsyncSession, keep: LeadRow, gone: LeadRow, at: datetime) -> None:
    """Give `keep` the stricter consent of the two, and every suppression."""
    if await consent.current(session, gone.id) == "withdrawn":
        await consent.withdraw(session, keep.id, at, source="merge")
    await copy_suppressions(session, gone.id, to=keep.id)


async def _preferences(session: AsyncSession, keep: LeadRow, gone: LeadRow) -> None:
    breaks = [until for until in (keep.mail_paused_until, gone.mail_paused_until) if until is not None]
    keep.mail_paused_until = max(breaks, default=None)
    await copy_preferences(session, gone.id, to=keep.id)


async def _journeys(session: AsyncSession, keep: str, gone: str, tracks: Registry) -> None:
    """Renumber the enrolments of both on each track by when they began; the one that goes on comes last.

    The last enrolment on a track decides whether a lead may enter it again.
    """
    left = await session.scalars(select(Enrolment.track).where(Enrolment.lead_id == gone).distinct())
    for track in sorted({tracks.current(name) for name in left}):
        names = tracks[track].names if track in tracks else (track,)
        found = await session.scalars(
            select(Enrolment).where(Enrolment.lead_id.in_((keep, gone)), Enrolment.track.in_(names))
        )
        enrolments = sorted(
            found,
            key=lambda enrolment: (
                enrolment.status != "finished",
                enrolment.lead_id == keep,
                enrolment.started_at,
                enrolment.id,
            ),
        )
        for start in (_ASIDE, 1):
            for number, enrolment in enumerate(enrolments, start):
                enrolment.number = number
            await session.flush()
        for enrolment in enrolments:
            enrolment.lead_id = keep
        await session.flush()


async def _doubled(session: AsyncSession, keep: str, tracks: Registry) -> tuple[str, ...]:
    """Running journeys on a track where another of the lead's journeys goes on."""
    rows = await session.execute(
        select(Enrolment.track, Enrolment.id)
        .where(Enrolment.lead_id == keep, Enrolment.status != "finished")
        .order_by(Enrolment.number)
    )
    last: dict[str, str] = {}
    over: list[str] = []
    for name, enrolment_id in rows:
        track = tracks.current(name)
        if track in last:
            over.append(last[track])
        last[track] = enrolment_id
    return tuple(over)


async def _score(session: AsyncSession, keep: LeadRow, gone: LeadRow, at: datetime, model: ScoringModel) -> None:
    """Fill the profile's gaps, and score again: points for what both did, and for who the one profile says they are."""
    for field in _FILLED:
        setattr(keep, field, getattr(keep, field) or getattr(gone, field))
    if keep.time_zone == "UTC":
        keep.time_zone = gone.time_zone
    keep.traits, keep.segment = gone.traits | keep.traits, gone.segment | keep.segment
    await session.flush()
    await merge_entries(session, model, keep, gone.id, at)
    await rescore(session, model, keep.id, at)
    await session.refresh(keep)


async def merged_leads(session: AsyncSession, lead_id: str) -> tuple[str, ...]:
    """The leads that were merged into this one, at first or second hand, oldest first; without itself."""
    found: list[str] = []
    into = [lead_id]
    while into:
        wanted = select(LeadRow.id).where(LeadRow.merged_into.in_(into)).order_by(LeadRow.created_at, LeadRow.id)
        into = [each for each in await session.scalars(wanted) if each not in found]
        found += into
    return tuple(found)
