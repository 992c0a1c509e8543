"""Suppressed addresses that work: hard bounces that were read wrongly, found again by what the receivers said.

A receiver that refused *us* (our domain did not resolve for a day, say) has said nothing about the address. What it
said is kept with the event, or with the touch, so all who were suppressed for it can be found, and their suppressions
lifted together. Opt-outs, complaints, imports and what a person suppressed are none of these.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import BehaviourRow, Suppression
from models.touches import Touch
from perennial.intake.bounces import read_bounce, without_names
from perennial.intake.fields import text_of
from perennial.intake.suppressing import Concerned, leads_concerned
from perennial.integrations.sendgrid.bounces import bounce_kind
from perennial.integrations.sendgrid.events import SOURCE as SENDGRID
from perennial.integrations.sendgrid.events import TOUCH_ARGUMENT
from perennial.integrations.smtp.answers import answer_in
from perennial.platform.database import in_parts

_SAYS_NOTHING = frozenset({"bounced address", "invalid"})
"""SendGrid's reasons for not trying an address that bounced before, or that it takes for no address."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a receiver said of a lead's address, without names of hosts, and whether it reads as dead today."""

    lead_id: str
    at: datetime
    said: str
    is_hard: bool


@dataclass(slots=True)
class Misread:
    """Who was suppressed wrongly, by lead; what was said to each; and how many others stay suppressed, by reason."""

    said: dict[str, str] = field(default_factory=dict)
    stay: Counter[str] = field(default_factory=Counter)

    @property
    def texts(self) -> list[tuple[str, int]]:
        """What was said, the most frequent first."""
        return Counter(self.said.values()).most_common()


async def misread(session: AsyncSession, *, saying: str = "", since: datetime | None = None) -> Misread:
    """Who is suppressed for a hard bounce, from a moment on, and should not be.

    Without `saying`: whose bounces all read otherwise today. With it: who was told these words (case does not count),
    and has no other bounce that reads as a dead address today.
    """
    query = select(Suppression.lead_id).where(Suppression.reason == "hard-bounce")
    suppressed = set(await session.scalars(query if since is None else query.where(Suppression.at >= since)))
    by_lead: dict[str, list[Bounce]] = {}
    async for bounce in _bounces(session, suppressed):
        by_lead.setdefault(bounce.lead_id, []).append(bounce)
    found, words = Misread(), saying.casefold()
    for lead_id in sorted(suppressed):
        bounces = by_lead.get(lead_id, [])
        named = [each for each in bounces if words in each.said.casefold()]
        others = [each for each in bounces if each not in named or not words]
        if not bounces:
            found.stay["nothing is kept of what was said"] += 1
        elif not named:
            found.stay["other words were said"] += 1
        elif any(each.is_hard for each in others):
            found.stay["another bounce" if words else "a bounce"] += 1
        else:
            found.said[lead_id] = named[-1].said
    return found


async def _bounces(session: AsyncSession, suppressed: set[str]) -> AsyncIterator[Bounce]:
    """What receivers said of these leads' addresses, in the order of receipt."""
    kind = Event.body["event"].as_string()
    told = select(Event).where(Event.source == SENDGRID, kind.in_(("bounce", "dropped"))).order_by(Event.id)
    events = await session.stream_scalars(told.execution_options(yield_per=1_000))
    async for part in events.partitions():
        heard = [event for event in part if event.body.get("event") == "bounce" or not _is_echo(event)]
        for lead_id, event in await _with_leads(session, heard):
            if lead_id in suppressed:
                yield _by_sendgrid(lead_id, event)
    for some in in_parts(sorted(suppressed)):
        bounced = select(BehaviourRow.lead_id, Touch.at, Touch.reason).join(Touch, Touch.id == BehaviourRow.touch_id)
        bounced = bounced.where(BehaviourRow.lead_id.in_(some), BehaviourRow.name == "email.bounced")
        for row in await session.execute(bounced.order_by(Touch.at)):
            answer = answer_in(row.reason)
            if answer:
                yield Bounce(row.lead_id, row.at, answer, read_bounce(answer) == "hard-bounce")


def _is_echo(event: Event) -> bool:
    return str(event.body.get("reason") or "").strip().lower() in _SAYS_NOTHING


def _by_sendgrid(lead_id: str, event: Event) -> Bounce:
    said = without_names(str(event.body.get("reason") or event.body.get("bounce_classification") or "no reason given"))
    return Bounce(lead_id, event.received_at, said, bounce_kind(event.body) == "hard-bounce")


async def _with_leads(session: AsyncSession, events: Iterable[Event]) -> list[tuple[str, Event]]:
    numbered = dict(enumerate(events))
    concerned = [
        Concerned(number=n, touch_id=text_of(one.body.get(TOUCH_ARGUMENT)), email=text_of(one.body.get("email")))
        for n, one in numbered.items()
    ]
    leads = await leads_concerned(session, concerned)
    return [(lead_id, numbered[number]) for number, lead_id in sorted(leads.items())]
