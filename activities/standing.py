"""Where a lead stands at the moment of a send: what the gate judges by, read in the send's own transaction."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.consent import current
from activities.wishes import wishes_of
from models.tables import BehaviourRow, Enrolment, FactRow, Lead, Suppression, Touch
from models.types import UtcDateTime
from nurture.gate import PastTouch, Rival, Standing
from nurture.matchers import Matcher, say_behaviour

COUNTED = ("sending", "accepted", "unknown")
"""States of a touch that count against the caps: sent, or perhaps sent."""

LONGEST_CAP = timedelta(days=30)

# Built once: making a statement costs more than running it, and a send asks all of these.
_SUPPRESSIONS = select(Suppression.reason).where(Suppression.lead_id == bindparam("lead"))
_TOUCHES = select(Touch.at, Touch.track).where(
    Touch.lead_id == bindparam("lead"),
    Touch.state.in_(COUNTED),
    Touch.at > bindparam("since", type_=UtcDateTime()),
    Touch.id != bindparam("but"),
)
_RIVALS = select(Enrolment.track, Enrolment.priority, Enrolment.next_at).where(
    Enrolment.lead_id == bindparam("lead"),
    Enrolment.id != bindparam("enrolment"),
    Enrolment.status == "active",
    Enrolment.priority > bindparam("priority"),
    Enrolment.next_at.is_not(None),
)
_EXITS = select(BehaviourRow.id, BehaviourRow.name, BehaviourRow.subject).where(
    BehaviourRow.lead_id == bindparam("lead"),
    BehaviourRow.at >= bindparam("since", type_=UtcDateTime()),
    BehaviourRow.name.in_(bindparam("names", expanding=True)),
)
_HEARD = select(FactRow.fact).where(FactRow.enrolment_id == bindparam("enrolment"), FactRow.kind == "behaved")


async def standing_of(
    session: AsyncSession, lead: Lead, enrolment: Enrolment, exits: Matcher, now: datetime, *, but: str | None = None
) -> Standing:
    """Consent, suppressions, erasure, exit, the touches of the last 30 days and the lead's other journeys.

    `but` is the touch that is judged, if an earlier try has begun it: it does not count against itself.
    """
    connection = await session.connection()
    suppressions = await connection.scalars(_SUPPRESSIONS, {"lead": lead.id})
    counting = {"lead": lead.id, "since": now - LONGEST_CAP, "but": but or ""}
    touches = await connection.execute(_TOUCHES, counting)
    wishes = await wishes_of(session, lead)
    others = {"lead": lead.id, "enrolment": enrolment.id, "priority": enrolment.priority}
    rivals = await connection.execute(_RIVALS, others)
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
    names = sorted({pattern.partition(":")[0] for pattern in exits.patterns})
    connection = await session.connection()
    asked = {"lead": enrolment.lead_id, "since": enrolment.started_at, "names": names}
    behaved = await connection.execute(_EXITS, asked)
    ending = {id_: say_behaviour(name, subject) for id_, name, subject in behaved if exits.matches(name, subject)}
    if not ending:
        return None
    heard = await connection.scalars(_HEARD, {"enrolment": enrolment.id})
    for fact in heard:
        ending.pop(fact["id"], None)
    return next(iter(ending.values()), None)
