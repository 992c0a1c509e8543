"""Keeps in touch with a lost deal for half a year, in case the decision is taken again."""

from nurture import (
    Lead,
    Outcome,
    ReEntry,
    converted,
    deal_lost,
    deal_opened,
    demo_requested,
    disqualified,
    hand_to_sales,
    link_clicked,
    opted_out,
    page_viewed,
    reconsidered,
    replied,
    rested,
    track,
    unreachable,
)

SECOND_THOUGHTS = page_viewed("/pricing*") | demo_requested | replied()


@track(
    "lost-deal",
    enters_on=deal_lost(),
    exits_on=(opted_out, unreachable, converted, deal_opened, disqualified),
    graduates_at=75,
    re_entry=ReEntry.once_over(),
    priority=20,
)
async def lost_deal(lead: Lead) -> Outcome:
    """Keeps in touch with a lost deal for half a year, in case the decision is taken again.

    A thank-you, then each month a report on the lead's industry, a product update or a check-in, whichever is due.
    Second thoughts (pricing, a demo request, a reply) go straight to sales. After six months one open question:
    reconsider, or rest.
    """
    await lead.wait(days=3)
    await lead.send("lost-deal-thanks")
    for formats in (("industry",), ("product-update",), ("check-in",), ("product-update",), ("industry",)):
        if await lead.wait(days=30, until=SECOND_THOUGHTS):
            return await back_to_sales(lead)
        if piece := await lead.next_piece("consideration", formats):
            await lead.send(piece)
    if await lead.wait(days=30, until=SECOND_THOUGHTS):
        return await back_to_sales(lead)
    await lead.send("reconsider")
    if await lead.wait(days=14, until=SECOND_THOUGHTS | link_clicked("reconsider")):
        return await back_to_sales(lead)
    await lead.send("rest-note")
    return rested


async def back_to_sales(lead: Lead) -> Outcome:
    """Offer the lead to sales again; if sales declines, let it rest rather than start over."""
    outcome = await hand_to_sales(lead)
    return rested if outcome.returns else reconsidered
