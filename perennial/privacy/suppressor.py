"""Suppressing for a person at the controls: in the database at once, then in the running journeys."""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from perennial.intake.listener import Listener
from perennial.intake.reports import Report
from perennial.journeys.handles import exit_journeys, running
from perennial.leads import consent
from perennial.leads.suppression import SUPPRESSES, Reason, suppress, suppressions
from perennial.platform.database import Database

HEARD_AS = {reason: behaviour for behaviour, reason in SUPPRESSES.items()}
"""Reasons that journeys hear of as something the lead did, and exit on by their own rules."""


@dataclass(frozen=True)
class Suppressor:
    """Suppresses a lead and ends, or silences, its journeys."""

    database: Database
    client: Client
    listener: Listener

    async def suppress(self, lead_id: str, reason: Reason, at: datetime, *, source: str) -> bool:
        """Suppress, and end the lead's journeys; False if it was suppressed for this reason before.

        Safe to repeat: what an earlier try left running is ended. A journey whose track has no exit rule for an opt-out
        is not ended by one but silenced: the gate refuses each of its sends.
        """
        async with self.database.reading() as session:
            before = reason in await suppressions(session, lead_id)
            number = await consent.last_decision(session, lead_id)
        if not before and (behaviour := HEARD_AS.get(reason)):
            await self.listener.take(Report(f"{reason}-{lead_id}-{number}"[:64], lead_id, behaviour, {}, at))
            return True
        async with self.database.writing() as session:
            new = await suppress(session, lead_id, reason, at, source=source)
            left = await running(session, [lead_id])
        await exit_journeys(self.client, left, f"suppressed: {reason}")
        return new
