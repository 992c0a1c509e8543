"""What a touch in the ledger means as the outcome of its step, and the facts that record it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import FactRow
from models.messages import StepOrder, StepOutcome
from nurture.journey.facts import Done
from nurture.journey.wording import say_fact
from perennial.journeys.ledger import LedgerEntry
from perennial.journeys.read_model import FACT, write_decision, write_facts, write_head, write_open_touch


def reason_lines(ours: str, providers: str) -> str:
    """A touch's reason: our words first, then the provider's, which stay in the database."""
    return f"{ours}\n{providers}" if providers else ours


def our_reason(reason: str) -> str:
    """Our own words of a touch's reason: they may enter a journey's history."""
    return reason.partition("\n")[0]


def outcome_of(touch: LedgerEntry) -> StepOutcome:
    """The outcome of a settled touch."""
    result = touch.state if touch.state in ("refused", "unknown") else "sent"
    return StepOutcome(at=touch.at, result=result, reason=our_reason(touch.reason))


async def recorded_outcome(connection: AsyncConnection, order: StepOrder, touch: LedgerEntry) -> StepOutcome:
    """The outcome of a settled touch: what an earlier try recorded, whatever webhooks said since; or record it."""
    recorded = await connection.scalar(
        select(FactRow.fact).where(
            FactRow.enrolment_id == order.enrolment_id, FactRow.seq == order.seq, FactRow.key == order.step.key
        )
    )
    fact = FACT.validate_python(recorded) if recorded else None
    if isinstance(fact, Done):
        return StepOutcome(at=fact.at, result=fact.result, reason=fact.reason)
    return await record_outcome(connection, order, outcome_of(touch))


async def record_outcome(connection: AsyncConnection, order: StepOrder, outcome: StepOutcome) -> StepOutcome:
    """Write the step's fact at once, and where the lead rests now if that was foreseen; the same outcome."""
    fact = Done(max(outcome.at, order.now), order.step.key, outcome.result, outcome.reason)
    foreseen = outcome.result == "sent" and outcome.at == order.now
    then = order.then if foreseen else None
    await write_facts(connection, order.enrolment_id, order.seq, [fact, *(order.then_facts if then else ())])
    if then is None:
        await write_open_touch(connection, order.enrolment_id, None)
    else:
        because = [say_fact(fact)]
        await write_head(connection, order.enrolment_id, outcome.at, then, because)
        await write_decision(connection, order.enrolment_id, order.seq + 1, outcome.at, then, because)
    return outcome
