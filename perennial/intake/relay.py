"""The relay: pass stored events on to the journeys they concern, in order for each lead, at least once.

It reads the outbox (`models.intake.Event` in state `new`) in the order of arrival, records what the events mean, tells
the journeys, and only then marks the events. Killed anywhere, it starts again with the same events: the database and
the journeys each take an id once. One relay works at a time, by a lease; others stand by.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError, RPCStatusCode

from models.intake import Event
from models.shared import Lease
from nurture.errors import InputError, NotFoundError
from perennial.intake.listener import Listener
from perennial.intake.meaning import Meaning, Translator
from perennial.intake.outbox import Backlog, backlog
from perennial.intake.reports import Receipt
from perennial.intake.visitors import reattach
from perennial.platform.database import Database, upsert_ignore

log = structlog.get_logger(__name__)

BATCH = 500
LEASE = timedelta(seconds=30)
IDLE = timedelta(milliseconds=200)
AWAY = timedelta(seconds=2)
AT_ONCE = 32
"""Leads whose journeys are told at the same time; the events of one lead stay in order."""

TEMPORAL_IS_AWAY = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.ABORTED,
}


@dataclass(frozen=True)
class Relay:
    """Drains the outbox."""

    database: Database
    listener: Listener
    translator: Translator
    batch: int = BATCH
    holder: str = field(default_factory=lambda: token_hex(8))

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until told to stop. Wait, and say so, while Temporal or the database is away."""
        while not stop.is_set():
            pause = IDLE
            try:
                if await self._hold_lease():
                    pause = timedelta(0) if await self.drain() else IDLE
            except RPCError as error:
                log.warning("Temporal is away; the outbox keeps what comes in", status=error.status.name)
                pause = AWAY
            except (DBAPIError, OSError) as error:
                log.warning("the database is away", kind=type(error).__name__)
                pause = AWAY
            if pause:
                await _until(stop, pause)

    async def drain(self) -> int:
        """Pass on one batch of the outbox; how many events it had. Raises RPCError if Temporal is away."""
        async with self.database.writing() as session:
            events = await self._next(session)
            numbers = [event.id for event in events]
            meanings = [
                (number, await self._record(session, event)) for number, event in zip(numbers, events, strict=True)
            ]
        if not events:
            return 0
        failed = await self._tell([receipt for _, (_, receipts) in meanings for receipt in receipts])
        await self._mark(meanings, failed)
        return len(events)

    async def backlog(self) -> Backlog:
        """What is waiting now."""
        async with self.database.reading() as session:
            return await backlog(session)

    async def _next(self, session: AsyncSession) -> Sequence[Event]:
        waiting = select(Event).where(Event.state == "new").order_by(Event.id).limit(self.batch)
        return (await session.scalars(waiting)).all()

    async def _record(self, session: AsyncSession, event: Event) -> tuple[Meaning, list[Receipt]]:
        """Record what an event means. One that makes no sense is ignored, and never blocks the others."""
        number, source = event.id, event.source  # read now: a rollback expires the row
        try:
            async with session.begin_nested():
                meaning = await self.translator.meaning(session, event)
                return meaning, [await self.listener.record(session, report) for report in meaning.reports]
        except (InputError, NotFoundError, KeyError, TypeError, ValueError) as error:
            log.warning("an event makes no sense", number=number, source=source, kind=type(error).__name__)
            return Meaning("ignored", note=f"{type(error).__name__}"), []

    async def _tell(self, receipts: Sequence[Receipt]) -> set[str]:
        """Tell the journeys; ids of the behaviours that one refused for good. Raises RPCError if Temporal is away."""
        by_lead: defaultdict[str, list[Receipt]] = defaultdict(list)
        for each in receipts:
            if each.workflows or each.entering:
                by_lead[each.report.lead_id].append(each)
        room = asyncio.Semaphore(AT_ONCE)

        async def tell(burst: list[Receipt]) -> set[str]:
            async with room:
                try:
                    await self.listener.tell(burst)
                except RPCError as error:
                    if error.status in TEMPORAL_IS_AWAY:
                        raise
                    log.warning("a journey refused a behaviour", status=error.status.name)
                    return {each.report.id for each in burst}
                return set()

        answers = await asyncio.gather(*(tell(burst) for burst in by_lead.values()), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return {id_ for answer in answers if isinstance(answer, set) for id_ in answer}

    async def _mark(self, meanings: Sequence[tuple[int, tuple[Meaning, list[Receipt]]]], failed: set[str]) -> None:
        ends: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (meaning, receipts) in meanings:
            lost = any(each.report.id in failed for each in receipts)
            state, note = ("failed", "a journey refused it") if lost else (meaning.state, meaning.note)
            ends[state, note].append(number)
        async with self.database.writing() as session:
            for (state, note), ids in ends.items():
                await session.execute(update(Event).where(Event.id.in_(ids)).values(state=state, note=note))
                if state == "anonymous":
                    await reattach(session, ids)

    async def _hold_lease(self) -> bool:
        """Take or renew the lease, by the machines' clocks, not the journeys'; whether this relay holds it."""
        now = datetime.now(UTC)
        async with self.database.writing() as session:
            await session.execute(upsert_ignore(Lease, {"name": "relay", "holder": self.holder, "until": now + LEASE}))
            taken = await session.execute(
                update(Lease)
                .where(Lease.name == "relay", or_(Lease.holder == self.holder, Lease.until < now))
                .values(holder=self.holder, until=now + LEASE)
                .returning(Lease.name)
            )
            return taken.scalar() is not None


async def _until(stop: asyncio.Event, pause: timedelta) -> None:
    try:
        await asyncio.wait_for(stop.wait(), pause.total_seconds())
    except TimeoutError:
        return
