"""A dormant lead is asked, lightly, whether it still wants to hear from us."""

from nurture import (
    Lead,
    Outcome,
    ReEntry,
    converted,
    disqualified,
    form_submitted,
    link_clicked,
    opted_out,
    page_viewed,
    replied,
    revived,
    sunset,
    track,
    unreachable,
)

SIGN_OF_LIFE = link_clicked() | page_viewed() | form_submitted() | replied()


@track(
    "re-engagement",
    exits_on=(opted_out, unreachable, converted, disqualified),
    graduates_at=75,
    re_entry=ReEntry.once_over(),
    priority=5,
)
async def re_engagement(lead: Lead) -> Outcome:
    """A dormant lead is asked, lightly, whether it still wants to hear from us.

    Three touches far apart: still interested, the best of what was missed, and a last call. Any sign of life brings the
    lead back to the new-lead track. Silence to the end is a sunset: we stop writing.
    """
    for piece, patience in (("still-interested", 21), ("best-of", 30), ("last-call", 21)):
        await lead.send(piece)
        if await lead.wait(days=patience, until=SIGN_OF_LIFE):
            await lead.enrol("new-lead")
            return revived
    return sunset
