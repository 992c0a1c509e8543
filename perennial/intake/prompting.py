"""Prompt journeys: tell them what was asked of them, and what they have not heard yet.

Whoever asks (a command, an import) tells them too, right after its commit. What is unheard some seconds later was cut
off, or met Temporal away.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import structlog
from sqlalchemy import and_, delete, func, select
from temporalio.client import Client
from temporalio.service import RPCError

from models.journeys import AskedRow, Enrolment, Word
from models.messages import Request
from perennial.intake.lost import keep_for
from perennial.intake.refusals import Answer, answer_of
from perennial.journeys.asked import in_reference
from perennial.journeys.handles import signal_journey
from perennial.journeys.words import texts_of
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database

log = structlog.get_logger(__name__)

EVERY = 1.0
GRACE = 5.0
AGAIN = 60.0
"""Seconds between two looks; until a journey is told what others ask of it; until it is told again."""
AT_ONCE = 50

_NO_SYNC = {"synchronize_session": False}


@dataclass
class Prompter:
    """Tells journeys what is asked of them, a few at each look."""

    database: Database
    client: Client
    time: LiveClock
    now: Callable[[], float] = monotonic
    _next_look: float = 0.0
    _after: str = ""
    _due: dict[tuple[str, str], float] = field(default_factory=dict)
    """By enrolment and what was asked: when it is told next."""

    async def prompt(self) -> None:
        """Look at some of what was asked, and tell what is due. Raises RPCError if Temporal is away."""
        if self.now() < self._next_look:
            return
        self._next_look = self.now() + EVERY
        wanted = (
            select(
                AskedRow.enrolment_id,
                AskedRow.id,
                AskedRow.verb,
                func.coalesce(Word.ref, AskedRow.reason).label("reason"),
                Enrolment.status,
            )
            .join(Enrolment, Enrolment.id == AskedRow.enrolment_id)
            .outerjoin(Word, and_(Word.enrolment_id == AskedRow.enrolment_id, Word.text == AskedRow.reason))
            .where(AskedRow.enrolment_id > self._after)
            .order_by(AskedRow.enrolment_id)
            .limit(AT_ONCE)
        )
        async with self.database.reading() as session:
            rows = (await session.execute(wanted)).all()
        self._after = rows[-1].enrolment_id if len(rows) == AT_ONCE else ""
        if not rows and not self._after:
            self._due.clear()
        for enrolment_id, id_, verb, reason, status in rows:
            if status == "finished":
                await self._forget(enrolment_id)
                continue
            if self._due.setdefault((enrolment_id, id_), self.now() + GRACE) > self.now():
                continue
            self._due[enrolment_id, id_] = self.now() + AGAIN
            await self._tell(enrolment_id, verb, await self._as_asked(enrolment_id, Request(id=id_, reason=reason)))

    async def _as_asked(self, enrolment_id: str, request: Request) -> Request:
        """The request as whoever asked it signalled it: with a reference for a reason that a person typed."""
        wire = in_reference(request)
        async with self.database.transaction() as connection:
            return wire if wire.reason in await texts_of(connection, enrolment_id) else request

    async def _tell(self, enrolment_id: str, verb: str, request: Request) -> None:
        try:
            if not await signal_journey(self.client, enrolment_id, verb, request):
                await keep_for(self.database, enrolment_id, [], self.time.now())
        except RPCError as error:
            if answer_of(error) is Answer.AWAY:
                raise
            log.warning("a journey does not hear what is asked of it", status=error.status.name, enrolment=enrolment_id)

    async def _forget(self, enrolment_id: str) -> None:
        async with self.database.writing() as session:
            over = delete(AskedRow).where(AskedRow.enrolment_id == enrolment_id)
            await session.execute(over, execution_options=_NO_SYNC)
