"""Making two leads one, mid-journey.

| of the one that goes (`lose`) | becomes |
| --- | --- |
| the lead itself | stays as a signpost: its id, address and external id find the one that is kept |
| profile | fills the gaps of the kept one's |
| consent | a withdrawal is written for the kept one too; a grant was given for another address and is not |
| suppressions, unwanted topics, a break | hold for the kept one too; its own stay |
| identities, behaviours, points, touches, messages, hand-offs, alerts, events | are the kept one's; caps count both |
| journeys | are the kept one's, keep their ids and go on |
| a journey on a track that both are on | exits, "merged into ..."; the kept one's goes on, and the story tells both |
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from models.base import Base
from models.intake import Event
from models.journeys import Alert, Enrolment, HandOffRow
from models.leads import BehaviourRow, Identity, LeadRow
from models.touches import Message, Touch
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from perennial.journeys.handles import exit_journeys
from perennial.leads import consent
from perennial.leads.lock import lock_leads
from perennial.leads.lookup import current_lead
from perennial.leads.preferences import copy_preferences
from perennial.leads.scores import merge_entries, rescore
from perennial.leads.suppression import copy_suppressions
from perennial.platform.database import Database

MOVED: tuple[type[Base], ...] = (BehaviourRow, Touch, Message, HandOffRow, Alert, Identity, Event)
"""Rows that simply change hands."""

_FILLED = ("first_name", "last_name", "company", "country")
_ASIDE = 1_000_000
"""Enrolments step aside to numbers from here on while they are numbered anew: the numbers are unique."""

_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Merged:
    """The lead that goes on, and the enrolments that must exit because it is on their track already."""

    kept: str
    exiting: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why they exit."""
        return f"merged into {self.kept}"


async def merge(
    session: AsyncSession, keep: str, lose: str, *, at: datetime, model: ScoringModel = DEFAULT_MODEL
) -> Merged:
    """Make `lose` the same lead as `keep`; merging again changes nothing. After the commit, signal `exiting`.

    Raises NotFoundError for an unknown lead, InputError for a lead and itself, RefusedError for an erased lead, and for
    one that was merged into a third.
    """
    if keep == lose:
        raise InputError("a lead cannot be merged with itself")
    await lock_leads(session, (keep, lose))
    kept_lead, gone = await current_lead(session, keep), await session.get(LeadRow, lose)
    if kept_lead is None or gone is None:
        raise NotFoundError(f"no lead {keep if kept_lead is None else lose!r}")
    await lock_leads(session, (kept_lead.id,))
    if kept_lead.erased_at is not None or gone.erased_at is not None:
        raise RefusedError("an erased lead is nobody, and cannot be merged")
    target = await current_lead(session, lose)
    if target is kept_lead:
        return Merged(kept_lead.id, await _doubled(session, kept_lead.id))
    if gone.merged_into is not None:
        raise RefusedError(f"{lose} was merged into {gone.merged_into}; merge that one")
    gone.merged_into = kept_lead.id
    await _consent(session, kept_lead, gone, at)
    await _wishes(session, kept_lead, gone)
    for table in MOVED:
        moved = update(table).where(table.__table__.c.lead_id == gone.id).values(lead_id=kept_lead.id)
        await session.execute(moved, execution_options=_NO_SYNC)
    await _journeys(session, kept_lead.id, gone.id)
    await _score(session, kept_lead, gone, at, model)
    return Merged(kept_lead.id, await _doubled(session, kept_lead.id))


async def merge_and_tell(
    database: Database, client: Client, keep: str, lose: str, *, at: datetime, model: ScoringModel = DEFAULT_MODEL
) -> Merged:
    """`merge`, then end the journeys that the merge doubled. Safe to repeat after a crash anywhere."""
    async with database.writing() as session:
        merged = await merge(session, keep, lose, at=at, model=model)
    await exit_journeys(client, merged.exiting, merged.reason)
    return merged


async def _consent(session: AsyncSession, keep: LeadRow, gone: LeadRow, at: datetime) -> None:
    """The stricter of the two."""
    if await consent.current(session, gone.id) == "withdrawn":
        await consent.withdraw(session, keep.id, at, source="merge")
    await copy_suppressions(session, gone.id, to=keep.id)


async def _wishes(session: AsyncSession, keep: LeadRow, gone: LeadRow) -> None:
    breaks = [until for until in (keep.mail_paused_until, gone.mail_paused_until) if until is not None]
    keep.mail_paused_until = max(breaks, default=None)
    await copy_preferences(session, gone.id, to=keep.id)


async def _journeys(session: AsyncSession, keep: str, gone: str) -> None:
    """Number the stays of both on each track anew, by when they began; the one that goes on is the last.

    The last stay of a track is the one that says whether a lead may enter it again.
    """
    tracks = await session.scalars(select(Enrolment.track).where(Enrolment.lead_id == gone).distinct())
    for track in tracks.all():
        found = await session.scalars(
            select(Enrolment).where(Enrolment.lead_id.in_((keep, gone)), Enrolment.track == track)
        )
        stays = sorted(
            found, key=lambda stay: (stay.status != "finished", stay.lead_id == keep, stay.started_at, stay.id)
        )
        for start in (_ASIDE, 1):
            for number, stay in enumerate(stays, start):
                stay.number = number
            await session.flush()
        for stay in stays:
            stay.lead_id = keep
        await session.flush()


async def _doubled(session: AsyncSession, keep: str) -> tuple[str, ...]:
    """Running journeys on a track where another of the lead's goes on."""
    rows = await session.execute(
        select(Enrolment.track, Enrolment.id)
        .where(Enrolment.lead_id == keep, Enrolment.status != "finished")
        .order_by(Enrolment.number)
    )
    last: dict[str, str] = {}
    over: list[str] = []
    for track, enrolment_id in rows:
        if track in last:
            over.append(last[track])
        last[track] = enrolment_id
    return tuple(over)


async def _score(session: AsyncSession, keep: LeadRow, gone: LeadRow, at: datetime, model: ScoringModel) -> None:
    """Points for what both did; points for who they are by the profile that has become one."""
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
    """The leads that were merged into this one, step by step, oldest first; without itself."""
    found: list[str] = []
    ring = [lead_id]
    while ring:
        wanted = select(LeadRow.id).where(LeadRow.merged_into.in_(ring)).order_by(LeadRow.created_at, LeadRow.id)
        ring = [each for each in await session.scalars(wanted) if each not in found]
        found += ring
    return tuple(found)
