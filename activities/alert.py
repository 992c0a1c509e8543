"""The activity `alert`: a track asks a person to look at a lead."""

from dataclasses import dataclass

from temporalio import activity

from models.messages import StepOrder, StepOutcome
from nurture.journey.decision import AlertStep
from nurture.journey.facts import Done
from perennial.journeys.alerts import raise_alert
from perennial.journeys.read_model import write_facts
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database


@dataclass(frozen=True)
class AlertActivity:
    """The activity `alert`. It writes one alert a step, however often it is tried."""

    database: Database
    time: LiveClock

    @activity.defn(name="alert")
    async def alert(self, order: StepOrder) -> StepOutcome:
        """Put a line on the list of things a person should look at (the command `alerts`)."""
        step = order.step
        if not isinstance(step, AlertStep):
            raise TypeError(f"alert got a {step.kind}")
        at = self.time.on_time(order.now)
        async with self.database.writing() as session:
            await raise_alert(session, order.enrolment_id, order.lead_id, step.key, step.text, at)
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, step.key, "done")])
        return StepOutcome(at=at)
