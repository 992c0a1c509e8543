"""Remove what is past its time: events, and the journals, touches and messages of journeys that ended long ago.

What reports count of a row is added to `models.past` in the transaction that deletes it, so no figure changes. A lead
keeps its profile, score, consent and the record that it was on a track; `erase` is for those.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.journeys import AskedRow, DecisionRow, Enrolment, FactRow, Unheard, Word
from models.past import PastLead, Removed
from models.touches import Message, Touch
from perennial.journeys.reasons import in_short
from perennial.platform.database import Database, upsert_ignore
from perennial.platform.settings import Settings
from perennial.privacy.erase import overwrite

AT_ONCE = 500
"""Rows, or journeys, that one transaction removes: others wait for no longer than that takes."""

_LONGEST_NAME = 200
_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Keep:
    """How long each kind is kept: events since they came in, the others since their journey ended."""

    events: timedelta
    journals: timedelta
    touches: timedelta
    messages: timedelta

    @classmethod
    def by(cls, settings: Settings) -> "Keep":
        """As the settings say."""
        return cls(settings.keep_events, settings.keep_journals, settings.keep_touches, settings.keep_messages)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many were removed, or would be."""

    events: int = 0
    journals: int = 0
    touches: int = 0
    messages: int = 0


async def prune(database: Database, keep: Keep, now: datetime) -> Pruned:
    """Remove what is older than that. Safe to stop anywhere, to repeat, and to run twice at once."""
    gone = Pruned(
        events=await _in_parts(database, lambda s: _remove_events(s, now - keep.events)),
        messages=await _in_parts(database, lambda s: _remove_messages(s, now - keep.messages)),
        journals=await _in_parts(database, lambda s: _remove_journals(s, now - keep.journals)),
        touches=await _in_parts(database, lambda s: _remove_touches(s, now - keep.touches)),
    )
    if gone != Pruned():
        await database.truncate_log()
    return gone


async def count_prunable(session: AsyncSession, keep: Keep, now: datetime) -> Pruned:
    """What `prune` would remove now."""

    async def count(table: Any, *where: ColumnElement[bool]) -> int:
        return await session.scalar(select(func.count()).select_from(table).where(*where)) or 0

    return Pruned(
        events=await count(Event, _old_event(now - keep.events)),
        messages=await count(Message, _old_message(now - keep.messages)),
        journals=await count(Enrolment, _ended(now - keep.journals), _has_facts()),
        touches=await count(Touch, _old_touch(now - keep.touches)),
    )


async def _in_parts(database: Database, remove: Callable[[AsyncSession], Awaitable[int]]) -> int:
    total = 0
    while True:
        async with database.writing() as session:
            await overwrite(session)
            done = await remove(session)
        if not done:
            return total
        total += done


async def _remove_events(session: AsyncSession, before: datetime) -> int:
    part = select(Event.id).where(_old_event(before)).limit(AT_ONCE)
    gone = delete(Event).where(Event.id.in_(part)).returning(Event.id)
    return len((await session.scalars(gone, execution_options=_NO_SYNC)).all())


async def _remove_messages(session: AsyncSession, before: datetime) -> int:
    part = select(Message.touch_id).where(_old_message(before)).limit(AT_ONCE)
    gone = delete(Message).where(Message.touch_id.in_(part)).returning(Message.touch_id)
    done = len((await session.scalars(gone, execution_options=_NO_SYNC)).all())
    await _count(session, Counter({("message", ""): done}))
    return done


async def _remove_journals(session: AsyncSession, before: datetime) -> int:
    ended = select(Enrolment.id, Enrolment.lead_id).where(_ended(before), _has_facts())
    leads = dict((await session.execute(ended.limit(AT_ONCE).with_for_update())).all())
    counts: Counter[tuple[str, str]] = Counter()
    top: dict[str, int] = {}
    gone = delete(FactRow).where(FactRow.enrolment_id.in_(leads))
    for enrolment_id, kind, fact in await session.execute(
        gone.returning(FactRow.enrolment_id, FactRow.kind, FactRow.fact), execution_options=_NO_SYNC
    ):
        if kind == "deferred":
            counts["deferred", in_short(str(fact.get("reason", "")))] += 1
        elif kind in {"scored", "graduated"}:
            lead_id = leads[enrolment_id]
            top[lead_id] = max(top.get(lead_id, 0), int(fact.get("score", 0)))
    for table in (DecisionRow, Unheard, AskedRow, Word):
        rows = table.__table__.c.enrolment_id.in_(leads)
        await session.execute(delete(table).where(rows), execution_options=_NO_SYNC)
    words = update(Enrolment).where(Enrolment.id.in_(leads)).values(because=[], stuck=None, traits={})
    await session.execute(words, execution_options=_NO_SYNC)
    await _count(session, counts)
    for lead_id, score in top.items():
        past = await _past(session, lead_id)
        past.top_score = max(past.top_score, score)
    return len(leads)


async def _remove_touches(session: AsyncSession, before: datetime) -> int:
    part = select(Touch.id).where(_old_touch(before)).limit(AT_ONCE)
    gone = delete(Touch).where(Touch.id.in_(part)).returning(Touch.lead_id, Touch.state, Touch.reason)
    rows: Sequence[Any] = (await session.execute(gone, execution_options=_NO_SYNC)).all()
    counts: Counter[tuple[str, str]] = Counter()
    for _, state, reason in rows:
        counts["touch", state] += 1
        if state == "refused":
            counts["refused", in_short(reason)] += 1
    await _count(session, counts)
    for lead_id in {lead_id for lead_id, state, _ in rows if state == "accepted"}:
        (await _past(session, lead_id)).touched = True
    return len(rows)


def _old_event(before: datetime) -> ColumnElement[bool]:
    return (Event.state != "new") & (Event.received_at < before)


def _ended(before: datetime) -> ColumnElement[bool]:
    return (Enrolment.status == "finished") & (Enrolment.ended_at < before)


def _has_facts() -> ColumnElement[bool]:
    return exists().where(FactRow.enrolment_id == Enrolment.id)


def _old_touch(before: datetime) -> ColumnElement[bool]:
    return (Touch.at < before) & Touch.enrolment_id.in_(select(Enrolment.id).where(_ended(before)))


def _old_message(before: datetime) -> ColumnElement[bool]:
    """Also mail of no touch, such as a request to confirm."""
    of_touch = exists().where(Touch.id == Message.touch_id)
    return (Message.at < before) & or_(~of_touch, Message.touch_id.in_(select(Touch.id).where(_old_touch(before))))


async def _count(session: AsyncSession, counts: Counter[tuple[str, str]]) -> None:
    for (what, name), number in sorted(counts.items()):
        if number:
            key = {"what": what, "name": name[:_LONGEST_NAME]}
            await session.execute(upsert_ignore(Removed), key | {"number": 0})
            row = (Removed.what == key["what"]) & (Removed.name == key["name"])
            more = update(Removed).where(row).values(number=Removed.number + number)
            await session.execute(more, execution_options=_NO_SYNC)


async def _past(session: AsyncSession, lead_id: str) -> PastLead:
    await session.execute(upsert_ignore(PastLead), {"lead_id": lead_id, "touched": False, "top_score": 0})
    return await session.get_one(PastLead, lead_id, with_for_update=True)
