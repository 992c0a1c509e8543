"""The activity `hand_off`: a track offers the lead to sales."""

from dataclasses import dataclass
from secrets import token_hex

from sqlalchemy import select
from temporalio import activity

from activities.offering import settled_before
from models.journeys import HandOffRow
from models.leads import LeadRow
from models.messages import StepOrder, StepOutcome
from nurture.journey.decision import HandOff as HandOffStep
from nurture.journey.facts import Done
from nurture.journey.track import Registry
from perennial.journeys.read_model import write_facts
from perennial.journeys.words import plain_order
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database, upsert_ignore


@dataclass(frozen=True)
class HandOffActivity:
    """The activity `hand_off`. It makes one offer a step, however often it is tried."""

    database: Database
    tracks: Registry
    time: LiveClock

    @activity.defn(name="hand_off")
    async def hand_off(self, order: StepOrder) -> StepOutcome:
        """Offer the lead to a team, which answers by a behaviour (`sales.accepted`, ...); the gate may refuse it."""
        step = order.step
        if not isinstance(step, HandOffStep):
            raise TypeError(f"hand_off got a {step.kind}")
        at = self.time.on_time(order.now)
        async with self.database.writing() as session:
            lead_id = await settled_before(session, self.tracks, order, self.time)
            if isinstance(lead_id, StepOutcome):
                return lead_id
            order = await plain_order(session, order)
            step = order.step
            assert isinstance(step, HandOffStep)
            score = await session.scalar(select(LeadRow.score).where(LeadRow.id == lead_id))
            row = {
                "id": f"ho{token_hex(12)}",
                "enrolment_id": order.enrolment_id,
                "lead_id": lead_id,
                "step_key": step.key,
                "to": step.to,
                "reason": step.reason or "; ".join(order.because),
                "score": score or 0,
                "at": at,
            }
            await session.execute(upsert_ignore(HandOffRow, row))
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, step.key, "done")])
        return StepOutcome(at=at)
