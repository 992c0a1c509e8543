"""Find the lead behind a link in one of our mails. Its token names the touch that sent the mail."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from models.touches import Touch
from perennial.leads.lookup import current_lead
from perennial.web.pages import PageError


async def find_lead_of_link(session: AsyncSession, touch_id: str) -> LeadRow | None:
    """The lead that the touch was sent to, or the one it was merged into; None if there is none."""
    lead_id = await session.scalar(select(Touch.lead_id).where(Touch.id == touch_id))
    return None if lead_id is None else await current_lead(session, lead_id)


async def lead_of_link(session: AsyncSession, touch_id: str) -> LeadRow:
    """As `find_lead_of_link`. Raises PageError: 404 if there is none, 410 if it was erased."""
    lead = await find_lead_of_link(session, touch_id)
    if lead is None:
        raise no_such_page()
    if lead.erased_at is not None:
        raise PageError(
            410,
            "We no longer know you",
            "As you asked, we have deleted what we held about you, and we will not write to you again.",
        )
    return lead


def no_such_page() -> PageError:
    """The error for a link that names nothing."""
    return PageError(
        404,
        "This link does not work",
        "It may have been cut off: please copy it whole from the mail. Or write to us, and a person will see to it.",
    )
