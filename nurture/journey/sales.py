"""Handing a lead to sales: a composite step, an ordinary async function over the primitive ones."""

from datetime import timedelta

from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, deal_opened, sales_accepted, sales_rejected
from nurture.journey.outcomes import Outcome, handed_to_sales, recycled

SLA = timedelta(days=2)
"""How long sales has to answer before the offer is escalated."""

PATIENCE = timedelta(days=5)
"""How long an escalated offer stays open before the lead goes back to nurture."""


async def hand_to_sales(lead: Lead) -> Outcome:
    """Offer the lead to sales, wait for the answer, escalate after the SLA, and take the lead back if sales does not.

    `handed_to_sales` when sales accepts (or opens a deal); `recycled` when it rejects, or never answers.
    """
    answer = sales_accepted | deal_opened | converted | sales_rejected
    with lead.on_offer():
        await lead.hand_off("sales", reason=f"score {lead.score}")
        answered = await lead.wait(SLA, until=answer)
        if not answered:
            await lead.alert("sales has not answered within its SLA")
            answered = await lead.wait(PATIENCE, until=answer)
    if answered and not (answered.kind == "waited" and sales_rejected.matches(answered.name, "")):
        return handed_to_sales
    return recycled
