"""What a bounce says: the address is dead, the mailbox is away for now, or the receiver does not like *us*.

A rejection for our sake is no lead's and no journey's, so it is no `Alert`: the row that tells of it is the event
itself, whose note begins with `OURS`. `our_rejections` lists those, for the alerts that a person reads.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event

OURS = "rejected for our sake"
LONGEST_NOTE = 300

Bounce = Literal["hard", "soft", "ours"]

# SendGrid's own reading of the server's answer, in `bounce_classification`.
_OURS = frozenset({"content", "reputation", "frequency or volume too high", "frequency/volume too high"})
_SOFT = frozenset({"technical", "technical failure", "mailbox unavailable"})
_ABOUT_US = re.compile(
    r"spam|black ?list|block ?list|\brbl\b|dnsbl|reputation|policy|dmarc|\bspf\b|\bdkim\b|"
    r"not authori[sz]ed|unsolicited|rate limit|too many (?:messages|connections)",
    re.IGNORECASE,
)


def bounce_of(event: Mapping[str, Any]) -> Bounce:
    """What a SendGrid `bounce` event says.

    `ours`: the receiver rejects our server, domain or text (RFC 3463 section 3.8: X.7.X is security or policy), which
    is no lead's fault: look after the sender's reputation. `soft`: try again another day (4.X.X, or X.2.2, a full
    mailbox). `hard`: the address does not exist; only that suppresses at once.
    """
    said = str(event.get("bounce_classification") or "").strip().lower()
    status = str(event.get("status") or "").strip()
    reason = str(event.get("reason") or "")
    if said in _OURS or re.match(r"[45]\.7\.", status) or _ABOUT_US.search(reason):
        return "ours"
    if said in _SOFT or status.startswith("4.") or re.match(r"5\.2\.[23]", status) or event.get("type") == "blocked":
        return "soft"
    return "hard"


def note_of_ours(event: Mapping[str, Any]) -> str:
    """What to note on an event that is `ours`: the receiver's words, without the address they may quote."""
    address = str(event.get("email") or "")
    said = " ".join(str(event.get("reason") or event.get("bounce_classification") or "no reason given").split())
    if address:
        said = re.sub(re.escape(address), "the address", said, flags=re.IGNORECASE)
    return f"{OURS}: {said}"[:LONGEST_NOTE]


# SendGrid's reasons for not even trying, by its own lists and checks: what each says of the lead.
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped
_DROPPED = {
    "unsubscribed address": "lead.opted_out",
    "spam reporting address": "email.complained",
    "bounced address": "email.bounced",
    "invalid": "email.bounced",
}


def dropped_means(event: Mapping[str, Any]) -> str | None:
    """The behaviour that a SendGrid `dropped` event stands for.

    None for the reasons that are ours (its quota, its spam check, a bad header): those blame no lead.
    """
    return _DROPPED.get(str(event.get("reason") or "").strip().lower())


def verdict(event: Mapping[str, Any]) -> Bounce:
    """What a `bounce` or a `dropped` event says: of a mail that was not even tried, the lead's own lists are `hard`."""
    if event.get("event") == "dropped":
        return "ours" if dropped_means(event) is None else "hard"
    return bounce_of(event)


async def our_rejections(session: AsyncSession, since: datetime) -> list[tuple[datetime, str]]:
    """When receivers rejected us since a moment, and what they said; the latest first."""
    found = await session.execute(
        select(Event.received_at, Event.note)
        .where(Event.note.startswith(OURS, autoescape=True), Event.received_at >= since)
        .order_by(Event.id.desc())
    )
    return [(at, note) for at, note in found]
