"""The activity `alert`: a track asks a person to look at a lead."""

from dataclasses import dataclass

from temporalio import activity

from activities.offering import settled_before
from models.messages import StepOrder, StepOutcome
from nurture.journey.decision import AlertStep
from nurture.journey.facts import Done
from nurture.journey.track import Registry
from perennial.journeys.alerts import raise_alert
from perennial.journeys.read_model import write_facts
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database


@dataclass(frozen=True)
class AlertActivity:
    """The activity `alert`. It writes one alert a step, however often it is tried."""

    database: Database
    tracks: Registry
    time: LiveClock

    @activity.defn(name="alert")
    async def alert(self, order: StepOrder) -> StepOutcome:
        """Put a line on the list of things a person should look at (the command `alerts`), unless the gate refuses."""
        step = order.step
        if not isinstance(step, AlertStep):
            raise TypeError(f"alert got a {step.kind}")
        at = self.time.on_time(order.now)
        async with self.database.writing() as session:
            lead_id = await settled_before(session, self.tracks, order, self.time)
            if isinstance(lead_id, StepOutcome):
                return lead_id
            await raise_alert(session, order.enrolment_id, lead_id, step.key, step.text, at)
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, step.key, "done")])
        return StepOutcome(at=at)
