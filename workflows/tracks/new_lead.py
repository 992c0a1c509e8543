"""A content download becomes a sales conversation."""

from nurture import (
    Lead,
    Outcome,
    content_downloaded,
    converted,
    days,
    demo_requested,
    disqualified,
    form_submitted,
    hand_to_sales,
    link_clicked,
    nurtured,
    opted_out,
    page_viewed,
    track,
    unreachable,
)

WEEK = days(7)
INTENT = page_viewed("/pricing*") | demo_requested
ENGAGED = link_clicked() | INTENT


@track(
    "new-lead",
    enters_on=content_downloaded() | form_submitted("content-download"),
    exits_on=(opted_out, unreachable, converted, disqualified),
    graduates_at=75,
    priority=10,
)
async def new_lead(lead: Lead) -> Outcome:
    """A content download becomes a sales conversation.

    Welcome, then each week a lesson on the downloaded topic. A lead that engages gets case studies next, at a pace that
    fits its interest, and guides to buying when the lessons run out. A spike of the score to 75, or a return to pricing
    by a lead that is warm already, is offered to sales at once.
    """
    await lead.send("welcome")
    await lead.wait(WEEK, until=ENGAGED)
    while piece := await next_piece(lead):
        returned = await lead.wait(WEEK if lead.stage == "awareness" else lead.cadence(), until=INTENT)
        if returned and lead.score >= 50:
            outcome = await hand_to_sales(lead)
            if not outcome.returns:
                return outcome
        await lead.send(piece)
    await lead.wait(days=14, until=INTENT)
    await lead.send("talk-to-us")
    await lead.wait(days=14, until=INTENT)
    return nurtured


async def next_piece(lead: Lead) -> str | None:
    """Proof for a lead that has engaged lately; else a lesson; and the guides once the lessons run out."""
    if lead.has(ENGAGED, within=days(30)) and (proof := await lead.next_piece("consideration", ("case-study",))):
        return proof
    return await lead.next_piece("awareness", ("education",)) or await lead.next_piece("decision", ("guide",))
