"""What gives a lead to people asks the gate first, in its own transaction: who wants nothing is nobody's task."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.exceptions import ApplicationError

from models.journeys import FactRow
from models.messages import StepOrder, StepOutcome
from nurture.gate import Defer, Refuse
from nurture.journey.facts import Done
from nurture.journey.track import Registry
from perennial.journeys.read_model import FACT, write_facts
from perennial.journeys.send_request import offer_judged
from perennial.journeys.stuck import track_or_gone
from perennial.platform.clock import LiveClock

_UNTIL_HEARD = timedelta(seconds=2)


async def settled_before(
    session: AsyncSession, tracks: Registry, order: StepOrder, time: LiveClock
) -> str | StepOutcome:
    """The lead that has the enrolment now, locked, if the step may be done; else the step's outcome.

    That is what an earlier try recorded, or the gate's refusal, which is recorded with it. Raises ApplicationError, to
    be tried again, while a pause or an exit is on its way to the journey.
    """
    exits, at = track_or_gone(tracks, order.track).exits, time.on_time(order.now)
    connection = await session.connection()
    lead_id, verdict = await offer_judged(connection, order.enrolment_id, order.step.key, exits, at)
    place = (FactRow.enrolment_id == order.enrolment_id, FactRow.seq == order.seq, FactRow.key == order.step.key)
    recorded = await session.scalar(select(FactRow.fact).where(*place))
    if isinstance(fact := FACT.validate_python(recorded) if recorded else None, Done):
        return StepOutcome(at=fact.at, result=fact.result, reason=fact.reason)
    match verdict:
        case Refuse(reason):
            await write_facts(session, order.enrolment_id, order.seq, [Done(at, order.step.key, "refused", reason)])
            return StepOutcome(at=at, result="refused", reason=reason)
        case Defer(_, reason):
            raise ApplicationError(reason, type="Asked", next_retry_delay=_UNTIL_HEARD)
        case _:
            return lead_id
