"""What a provider's answer to a send says of the address, for providers that have no webhook."""

from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from nurture.journey.decision import AnyStep, Send
from perennial.intake import own
from perennial.intake.outbox import accept
from perennial.intake.reports import Report
from perennial.leads.suppression import count_soft_bounce


async def hear_bounce(  # noqa: PLR0917 - what happened, to whom, and when
    connection: AsyncConnection,
    lead_id: str,
    touch_id: str,
    step: AnyStep,
    bounce: Literal["hard", "soft"],
    at: datetime,
) -> None:
    """Count a soft bounce; store a dead address as the behaviour that it is, which suppresses and ends journeys."""
    if bounce == "soft" and not await count_soft_bounce(connection, lead_id, at):
        return
    props = {"piece": step.piece} if isinstance(step, Send) else {}
    report = Report(f"bounce-{touch_id}", lead_id, "email.bounced", props, at, touch_id)
    await accept(connection, [own.event_of(report, at)])
