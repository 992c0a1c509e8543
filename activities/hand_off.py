"""hand_off and alert: what people get to see. Each once for its step, however often it is tried."""

from dataclasses import dataclass
from secrets import token_hex

from sqlalchemy import select
from temporalio import activity

from models.journeys import HandOffRow
from models.leads import LeadRow
from models.messages import StepOrder, StepOutcome
from nurture.journey.decision import AlertStep
from nurture.journey.decision import HandOff as HandOffStep
from nurture.journey.facts import Done
from perennial.journeys.alerts import raise_alert
from perennial.journeys.read_model import write_facts
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database, upsert_ignore


@dataclass(frozen=True)
class PeopleActivities:
    """The activities `hand_off` and `alert`."""

    database: Database
    time: LiveClock

    @activity.defn(name="hand_off")
    async def hand_off(self, order: StepOrder) -> StepOutcome:
        """Offer the lead to a team; the answer comes back as a behaviour (`sales.accepted`, ...)."""
        step = order.step
        if not isinstance(step, HandOffStep):
            raise TypeError(f"hand_off got a {step.kind}")
        at = self.time.on_time(order.now)
        async with self.database.writing() as session:
            score = await session.scalar(select(LeadRow.score).where(LeadRow.id == order.lead_id))
            row = {
                "id": f"ho{token_hex(12)}",
                "enrolment_id": order.enrolment_id,
                "lead_id": order.lead_id,
                "step_key": step.key,
                "to": step.to,
                "reason": step.reason or "; ".join(order.because),
                "score": score or 0,
                "at": at,
            }
            await session.execute(upsert_ignore(HandOffRow, row))
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, step.key, "done")])
        return StepOutcome(at=at)

    @activity.defn(name="alert")
    async def alert(self, order: StepOrder) -> StepOutcome:
        """Put a line on the list of things a person should look at (`starter.py alerts`)."""
        step = order.step
        if not isinstance(step, AlertStep):
            raise TypeError(f"alert got a {step.kind}")
        at = self.time.on_time(order.now)
        async with self.database.writing() as session:
            await raise_alert(session, order.enrolment_id, order.lead_id, step.key, step.text, at)
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, step.key, "done")])
        return StepOutcome(at=at)
