"""What a stored event of the CRM means: the webhook has found its lead, and checked its type."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.words import word_of, words_of
from perennial.intake.deals import DEAL_PROPS
from perennial.intake.fields import mapping_of, moment_of
from perennial.intake.meaning import IGNORED, Meaning, behaviour_id
from perennial.intake.reports import Report


async def read_crm(_: AsyncSession, event: Event, /) -> Meaning:
    """The behaviour that the event's type names; its reason is the subject, if the behaviour has one.

    Of a deal the properties keep its id, amount and currency, for the reports.
    """
    if event.lead_id is None:
        return IGNORED
    data = mapping_of(event.body.get("data"))
    name = str(event.body.get("type"))
    subject = BEHAVIOURS[name].subject if name in BEHAVIOURS else None
    props = {subject: ", ".join(words_of(data.get("reason")))} if subject else {}
    if name.startswith("deal."):
        props |= {key: word for key in DEAL_PROPS if (word := word_of(data.get(key)))}
    at = moment_of(data.get("at")) or event.received_at
    return Meaning("done", (Report(behaviour_id(event), event.lead_id, name, props, at),))
