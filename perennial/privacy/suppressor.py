"""Suppress a lead by a person's hand: in the database at once, then in its running journeys."""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from perennial.intake.listener import Listener
from perennial.intake.reports import Report
from perennial.journeys.handles import exit_journeys, running
from perennial.leads import consent
from perennial.leads.suppression import SUPPRESSES, Reason, suppress, suppressions
from perennial.platform.database import Database

TOLD_AS = {reason: behaviour for behaviour, reason in SUPPRESSES.items()}
"""Reasons that journeys are told of as a behaviour of the lead, on which they exit by their own rules."""


@dataclass(frozen=True)
class Suppressor:
    """Suppresses a lead and ends, or silences, its journeys."""

    database: Database
    client: Client
    listener: Listener

    async def suppress(self, lead_id: str, reason: Reason, at: datetime, *, source: str) -> bool:
        """Suppress the lead and end its journeys; False if it was suppressed for this reason before.

        Safe to repeat: a repeat ends what an earlier try left running. A journey whose track has no exit rule for an
        opt-out goes on in silence: the gate refuses each of its sends.
        """
        async with self.database.reading() as session:
            before = reason in await suppressions(session, lead_id)
            number = await consent.last_decision(session, lead_id)
        if not before and (behaviour := TOLD_AS.get(reason)):
            await self.listener.take(Report(f"{reason}-{lead_id}-{number}"[:64], lead_id, behaviour, {}, at))
            return True
        async with self.database.writing() as session:
            new = await suppress(session, lead_id, reason, at, source=source)
            left = await running(session, [lead_id])
        await exit_journeys(self.client, left, f"suppressed: {reason}")
        return new
