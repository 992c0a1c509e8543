"""Where a lead stands at the moment of a send: what the gate judges by, read in the send's own transaction."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.consent import current
from activities.wishes import wishes_of
from models.tables import BehaviourRow, Enrolment, FactRow, Lead, Suppression, Touch
from nurture.gate import PastTouch, Rival, Standing
from nurture.matchers import Matcher, say_behaviour

COUNTED = ("sending", "accepted", "unknown")
"""States of a touch that count against the caps: sent, or perhaps sent."""

LONGEST_CAP = timedelta(days=30)


async def standing_of(
    session: AsyncSession, lead: Lead, enrolment: Enrolment, exits: Matcher, now: datetime, *, but: str | None = None
) -> Standing:
    """Consent, suppressions, erasure, exit, the touches of the last 30 days and the lead's other journeys.

    `but` is the touch that is judged, if an earlier try has begun it: it does not count against itself.
    """
    suppressions = await session.scalars(select(Suppression.reason).where(Suppression.lead_id == lead.id))
    touches = await session.execute(
        select(Touch.at, Touch.track).where(
            Touch.lead_id == lead.id, Touch.state.in_(COUNTED), Touch.at > now - LONGEST_CAP, Touch.id != (but or "")
        )
    )
    wishes = await wishes_of(session, lead)
    rivals = await session.execute(
        select(Enrolment.track, Enrolment.priority, Enrolment.next_at).where(
            Enrolment.lead_id == lead.id,
            Enrolment.id != enrolment.id,
            Enrolment.status == "active",
            Enrolment.priority > enrolment.priority,
            Enrolment.next_at.is_not(None),
        )
    )
    return Standing(
        consent=await current(session, lead.id),
        suppressions=tuple(suppressions),
        erased=lead.erased_at is not None,
        exited=await _exit_of(session, enrolment, exits),
        touches=tuple(PastTouch(at, track) for at, track in touches),
        rivals=tuple(Rival(track, priority, due) for track, priority, due in rivals if due is not None),
        break_until=wishes.break_until,
        unwanted=wishes.unwanted,
    )


async def _exit_of(session: AsyncSession, enrolment: Enrolment, exits: Matcher) -> str | None:
    """The behaviour that ends this journey, if the database already knows of one that the journey has yet to hear.

    One that it has heard ended it, or came before the exit rule did: an edited rule reaches back to nobody.
    """
    if enrolment.status == "finished":
        return enrolment.outcome or "finished"
    names = {pattern.partition(":")[0] for pattern in exits.patterns}
    behaved = await session.execute(
        select(BehaviourRow.id, BehaviourRow.name, BehaviourRow.subject).where(
            BehaviourRow.lead_id == enrolment.lead_id,
            BehaviourRow.at >= enrolment.started_at,
            BehaviourRow.name.in_(names),
        )
    )
    ending = {id_: say_behaviour(name, subject) for id_, name, subject in behaved if exits.matches(name, subject)}
    if not ending:
        return None
    heard = await session.scalars(
        select(FactRow.fact).where(FactRow.enrolment_id == enrolment.id, FactRow.kind == "behaved")
    )
    for fact in heard:
        ending.pop(fact["id"], None)
    return next(iter(ending.values()), None)
