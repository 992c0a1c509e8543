"""The activity `enrol`: a track puts the lead on another track."""

from dataclasses import dataclass

from sqlalchemy import select
from temporalio import activity

from models.journeys import Enrolment
from models.messages import StepOrder, StepOutcome
from nurture.errors import RefusedError
from nurture.journey.decision import Enrol
from perennial.journeys.enrolling import Enroller
from perennial.platform.clock import LiveClock


@dataclass(frozen=True)
class EnrolActivity:
    """The activity `enrol`."""

    enroller: Enroller
    time: LiveClock

    @activity.defn(name="enrol")
    async def enrol(self, order: StepOrder) -> StepOutcome:
        """Enrol the lead; if a rule forbids it, the step is settled as refused."""
        step = order.step
        if not isinstance(step, Enrol):
            raise TypeError(f"enrol got a {step.kind}")
        at = self.time.on_time(order.now)
        cause = f"from {order.track}"
        try:
            await self.enroller.enrol(step.track, order.lead_id, at, cause)
        except RefusedError as error:
            async with self.enroller.database.reading() as session:
                ours = await session.scalar(
                    select(Enrolment.id).where(
                        Enrolment.lead_id == order.lead_id,
                        Enrolment.track.in_(self.enroller.tracks[step.track].names),
                        Enrolment.cause == cause,
                        Enrolment.started_at >= order.now,
                    )
                )
            if ours is None:
                return StepOutcome(at=at, result="refused", reason=str(error))
        return StepOutcome(at=at)
