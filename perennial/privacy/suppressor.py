"""Suppress a lead by a person's hand: in the database at once, then in its running journeys.

All is committed before Temporal is asked anything: what the journeys are told is in the outbox, or is asked of them, by
then. If Temporal is away, the relay tells them.
"""

from dataclasses import dataclass
from datetime import datetime

from perennial.intake import own
from perennial.intake.listener import Listener
from perennial.intake.outbox import CHANNEL, accept
from perennial.intake.recording import Recorder
from perennial.intake.reports import Receipt, Report
from perennial.journeys.asked import Asked, ask_to_exit, tell_asked
from perennial.journeys.handles import running
from perennial.leads import consent
from perennial.leads.suppression import SUPPRESSES, Reason, suppress, suppressions
from perennial.platform.database import Database

TOLD_AS = {reason: behaviour for behaviour, reason in SUPPRESSES.items()}
"""Reasons that journeys are told of as a behaviour of the lead, on which they exit by their own rules."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Whether the lead was not suppressed for this before, and what its journeys have to hear."""

    new: bool
    receipt: Receipt | None = None
    asked: Asked | None = None

    async def tell(self, listener: Listener) -> None:
        """Tell the journeys now. Raises RPCError if Temporal is away: then the relay tells them."""
        if self.receipt is not None:
            await listener.tell_stored(self.receipt)
        if self.asked is not None:
            await tell_asked(listener.client, self.asked)


@dataclass(frozen=True)
class Suppressor:
    """Suppresses a lead and ends, or silences, its journeys."""

    database: Database
    recorder: Recorder

    async def suppress(self, lead_id: str, reason: Reason, at: datetime, *, source: str) -> Suppressed:
        """Suppress the lead, and ask its journeys to end; `tell` them next.

        Safe to repeat: a repeat ends what an earlier try left running. A journey whose track has no exit rule for an
        opt-out goes on in silence: the gate refuses each of its sends.
        """
        async with self.database.writing() as session:
            before = reason in await suppressions(session, lead_id)
            if not before and (behaviour := TOLD_AS.get(reason)):
                number = await consent.last_decision(session, lead_id)
                report = Report(f"{reason}-{lead_id}-{number}"[:64], lead_id, behaviour, {}, at)
                (receipt,) = await self.recorder.record(session, [report], at)
                await accept(session, [own.event_of(report, at)])
                done = Suppressed(True, receipt)
            else:
                new = await suppress(session, lead_id, reason, at, source=source)
                left = await running(session, [lead_id])
                done = Suppressed(new, asked=await ask_to_exit(session, left, f"suppressed: {reason}", at))
        self.database.announce(CHANNEL)
        return done
