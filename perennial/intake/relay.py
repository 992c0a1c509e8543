"""The relay: pass stored events on to the journeys they concern, in order for each lead, at least once.

It reads the outbox (`models.intake.Event` in state `new`) in the order of arrival, records what the events mean, tells
the journeys, and only then marks the events. Killed anywhere, it starts again with the same events: the database and
the journeys each take an id once. Several relays share the leads out (`perennial.intake.shares`).

An event that cannot be recorded or told is put aside as `failed`, and so is one that its journey refuses; the others
go on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError

from models.intake import Event
from nurture.errors import InputError
from perennial.intake.doorbell import Doorbell, doorbell
from perennial.intake.listener import Listener
from perennial.intake.meaning import Meaning, Translator
from perennial.intake.outbox import Backlog, backlog
from perennial.intake.prompting import Prompter
from perennial.intake.reading import Batch, Read, read_all
from perennial.intake.refusals import Answer, answer_of
from perennial.intake.shares import RENEW, Shares
from perennial.intake.telling import Teller
from perennial.intake.visitors import lock_visitors, reattach
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from perennial.platform.database_errors import is_outage

log = structlog.get_logger(__name__)

BATCH = 500
LOOK = timedelta(milliseconds=500)
"""Between two looks at the outbox while nobody rings."""
AWAY = timedelta(seconds=2)
TRIES = 3
"""How often an event is tried that fails by itself, before it is put aside."""
MOST_HELD_BACK = 1_000


@dataclass
class Relay:
    """Drains the outbox."""

    database: Database
    listener: Listener
    translator: Translator
    batch: int = BATCH
    shares: Shares = field(init=False)
    teller: Teller = field(init=False)
    prompter: Prompter = field(init=False)

    def __post_init__(self) -> None:
        self.shares = Shares(self.database)
        self.teller = Teller(self.listener)
        self.prompter = Prompter(self.database, self.listener.client, LiveClock(self.listener.enroller.clock))

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until told to stop. Wait, and say so, while Temporal or the database is away; no error ends it."""
        async with doorbell(self.database) as bell:
            keeping = asyncio.create_task(self._keep_shares(stop))
            try:
                while not stop.is_set():
                    await self._turn(stop, bell)
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping
        with suppress(Exception):  # they are over in a few seconds anyway
            await self.shares.give_up()

    async def drain(self) -> int:
        """Pass on one batch of the outbox; how many events are settled or next. Raises RPCError if Temporal is away."""
        numbers = await self._waiting()
        if not numbers:
            return 0
        reads = await self._recorded(numbers, Batch())
        fates = await self.teller.tell([receipt for read in reads for receipt in read.receipts])
        ends: list[tuple[Read, str, str]] = []
        for read in reads:
            ids = [receipt.report.id for receipt in read.receipts]
            if later := next((fates.later[id_] for id_ in ids if id_ in fates.later), None):
                self.teller.hold_back(read.number, later)
                continue
            self.teller.let_go(read.number)
            why = next((fates.failed[id_] for id_ in ids if id_ in fates.failed), None)
            ends.append((read, "failed", why) if why else (read, read.meaning.state, read.meaning.note))
        await self._mark(ends)
        if len(self.teller.held_back) > MOST_HELD_BACK:
            log.warning("too many journeys do not answer; the outbox keeps what comes in")
            await asyncio.sleep(AWAY.total_seconds())
        return len(ends) + len(numbers) - len(reads)

    async def backlog(self) -> Backlog:
        """What is waiting now."""
        async with self.database.reading() as session:
            return await backlog(session)

    async def _turn(self, stop: asyncio.Event, bell: Doorbell) -> None:
        try:
            if self.shares.due:
                await self.shares.renew()
            if not self.shares.held or datetime.now(UTC) > self.shares.until:
                await _until(stop, RENEW)
                return
            if self.shares.is_first:
                await self.prompter.prompt()
            if not await self.drain():
                await bell.rung(stop, LOOK.total_seconds())
        except Exception as error:  # noqa: BLE001 - whatever it is, what comes in must be passed on once it is over
            await self._trouble(error, stop)

    async def _trouble(self, error: Exception, stop: asyncio.Event) -> None:
        if isinstance(error, RPCError):
            log.warning("Temporal is away; the outbox keeps what comes in", status=error.status.name)
            if answer_of(error) is Answer.ATTRIBUTES:
                await self.teller.ensure_attributes()
        elif is_outage(error):
            log.warning("the database is away", kind=type(error).__name__)
        else:
            log.error("the relay cannot go on; it tries again", kind=type(error).__name__)
        await _until(stop, AWAY)

    async def _keep_shares(self, stop: asyncio.Event) -> None:
        """Renew the leases however long a batch takes."""
        while not stop.is_set():
            await _until(stop, RENEW)
            with suppress(Exception):  # then they run out, and the next turn takes them again
                await self.shares.extend()

    async def _waiting(self) -> Sequence[int]:
        """The next events by number, without those that are held back for now."""
        held_back = self.teller.not_due()
        mine = self.shares.mine() if self.shares.held else true()
        wanted = select(Event.id).where(Event.state == "new", mine, Event.id.not_in(held_back))
        async with self.database.reading() as session:
            return (await session.scalars(wanted.order_by(Event.id).limit(self.batch))).all()

    async def _recorded(self, numbers: Sequence[int], batch: Batch) -> list[Read]:
        """Record what events mean, all in one transaction; if one fails, in halves, until it is alone.

        Those are left out that are to be read again, after earlier ones.
        """
        for _ in range(TRIES):
            try:
                async with self.database.writing() as session:
                    events = await _load(session, numbers)
                    return await read_all(session, events, self.translator, self.listener, batch)
            except Exception as error:
                if is_outage(error):
                    raise
                if len(numbers) > 1:
                    half = len(numbers) // 2
                    return [
                        *await self._recorded(numbers[:half], batch),
                        *await self._recorded(numbers[half:], batch),
                    ]
                kind = type(error).__name__
                if isinstance(error, InputError):
                    log.warning("an event makes no sense", number=numbers[0], kind=kind)
                    return [Read(numbers[0], Meaning("ignored", note=kind))]
        log.error("an event cannot be recorded, and is put aside", number=numbers[0], kind=kind)
        return [Read(numbers[0], Meaning("failed", note=f"cannot be recorded: {kind}"))]

    async def _mark(self, ends: Sequence[tuple[Read, str, str]]) -> None:
        if not ends:
            return
        alike: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for read, state, note in ends:
            alike[state, note].append(read.number)
        async with self.database.writing() as session:
            visitors = {read.visitor for read, state, _ in ends if state == "anonymous" and read.visitor}
            await lock_visitors(session, visitors)
            for (state, note), ids in alike.items():
                await session.execute(update(Event).where(Event.id.in_(ids)).values(state=state, note=note))
                if state == "anonymous":
                    await reattach(session, ids)


async def _load(session: AsyncSession, numbers: Sequence[int]) -> Sequence[Event]:
    return (await session.scalars(select(Event).where(Event.id.in_(numbers)).order_by(Event.id))).all()


async def _until(stop: asyncio.Event, pause: timedelta) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), pause.total_seconds())
