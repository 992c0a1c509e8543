"""Where a lead stands at the moment of a send: what the gate judges by, read in the send's own transaction.

One statement asks nearly all of it, and whether there is more to ask: most leads have no suppression, no wish and no
other journey. Built once, as making a statement costs more than running it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from models.journeys import Enrolment, FactRow
from models.leads import BehaviourRow, Consent, LeadRow, Preference, Suppression
from models.touches import Touch
from models.types import UtcDateTime
from nurture.gate import Consent as Current
from nurture.gate import LeadState, PastTouch, Rival
from nurture.journey.matchers import Matcher, say_behaviour
from perennial.journeys.enrolled_lead import lock_enrolled_lead
from perennial.journeys.ledger import TouchEntry
from perennial.leads.consent import DECIDES, meaning_of
from perennial.platform.database import Transaction, connection_of

COUNTED = ("sending", "accepted", "unknown")
"""States of a touch that count against the caps: sent, or perhaps sent."""

LONGEST_CAP = timedelta(days=30)

_MINE = aliased(Enrolment)
"""The enrolment that a send is for, where another's may be meant too."""

_IS_RIVAL = and_(
    Enrolment.lead_id == _MINE.lead_id,
    Enrolment.id != _MINE.id,
    Enrolment.status == "active",
    Enrolment.priority > _MINE.priority,
    Enrolment.next_at.is_not(None),
)
_IS_UNWANTED = and_(Preference.lead_id == LeadRow.id, Preference.wanted.is_(False))
_IS_EXIT = and_(
    BehaviourRow.lead_id == _MINE.lead_id,
    BehaviourRow.at >= _MINE.started_at,
    BehaviourRow.name.in_(bindparam("exits", expanding=True)),
)
_THIS = _MINE.id == bindparam("enrolment")

_PLACE = (
    select(
        LeadRow.id,
        LeadRow.email,
        LeadRow.first_name,
        LeadRow.company,
        LeadRow.traits,
        LeadRow.time_zone,
        LeadRow.country,
        LeadRow.erased_at,
        LeadRow.mail_paused_until,
        _MINE.status,
        _MINE.outcome,
        select(Consent.action)
        .where(Consent.lead_id == LeadRow.id, Consent.action.in_(DECIDES))
        .order_by(Consent.id.desc())
        .limit(1)
        .scalar_subquery(),
        exists().where(Suppression.lead_id == LeadRow.id),
        exists().where(_IS_UNWANTED),
        exists().where(_IS_RIVAL),
        exists().where(_IS_EXIT),
        Touch.id,
        Touch.state,
        Touch.reason,
        Touch.at,
    )
    .select_from(_MINE)
    .join(LeadRow, LeadRow.id == _MINE.lead_id)
    .outerjoin(Touch, and_(Touch.enrolment_id == _MINE.id, Touch.step_key == bindparam("step")))
    .where(_THIS)
)
_SUPPRESSIONS = select(Suppression.reason).where(Suppression.lead_id == bindparam("lead"))
_UNWANTED = select(Preference.topic).join(LeadRow, _IS_UNWANTED).where(LeadRow.id == bindparam("lead"))
_RIVALS = select(Enrolment.track, Enrolment.priority, Enrolment.next_at).join(_MINE, _IS_RIVAL).where(_THIS)
_EXITS = select(BehaviourRow.id, BehaviourRow.name, BehaviourRow.subject).join(_MINE, _IS_EXIT).where(_THIS)
_HEARD = select(FactRow.fact).where(FactRow.enrolment_id == bindparam("enrolment"), FactRow.kind == "behaved")
_TOUCHES = select(Touch.at, Touch.track).where(
    Touch.lead_id == bindparam("lead"),
    Touch.state.in_(COUNTED),
    Touch.at > bindparam("since", type_=UtcDateTime()),
    Touch.id != bindparam("but"),
)


@dataclass(frozen=True, slots=True)
class Addressee:
    """A lead as a send needs it."""

    id: str
    email: str
    first_name: str | None
    company: str | None
    traits: dict[str, Any]
    time_zone: str
    country: str | None
    erased_at: datetime | None
    break_until: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """What a send is for: the enrolment, the lead it is of now, and the touch that an earlier try began, if one did."""

    enrolment_id: str
    lead: Addressee
    status: str
    outcome: str | None
    consent: Current
    suppressed: bool
    picky: bool
    rivalled: bool
    left: bool
    exits: Matcher
    touch: TouchEntry | None


async def place_of(transaction: Transaction, enrolment_id: str, step_key: str, exits: Matcher) -> Place:
    """Lock the lead of an enrolment (see `lock_lead`), after a merge not the one it began with, and read its place."""
    await lock_enrolled_lead(transaction, enrolment_id)
    asked = {"enrolment": enrolment_id, "step": step_key, "exits": _names(exits)}
    row = (await (await connection_of(transaction)).execute(_PLACE, asked)).one()
    lead, (status, outcome, consent, suppressed, picky, rivalled, left), touch = row[:9], row[9:16], row[16:]
    return Place(
        enrolment_id,
        Addressee(*lead),
        status,
        outcome,
        meaning_of(consent),
        suppressed,
        picky,
        rivalled,
        left,
        exits,
        None if touch[0] is None else TouchEntry(*touch),
    )


async def standing_of(connection: AsyncConnection, place: Place, now: datetime, *, but: str = "") -> LeadState:
    """Consent, suppressions, erasure, exit, the touches of the last 30 days and the lead's other journeys.

    `but` is the touch that is judged, if an earlier try has begun it: it does not count against itself.
    """
    lead, on = {"lead": place.lead.id}, {"enrolment": place.enrolment_id}
    touches = await connection.execute(_TOUCHES, lead | {"since": now - LONGEST_CAP, "but": but})
    rivals = (await connection.execute(_RIVALS, on)).all() if place.rivalled else ()
    return LeadState(
        consent=place.consent,
        suppressions=tuple(await connection.scalars(_SUPPRESSIONS, lead)) if place.suppressed else (),
        erased=place.lead.erased_at is not None,
        exited=await _exit_of(connection, place),
        touches=tuple(PastTouch(at, track) for at, track in touches),
        rivals=tuple(Rival(track, priority, due) for track, priority, due in rivals if due is not None),
        break_until=place.lead.break_until,
        unwanted=tuple(sorted(await connection.scalars(_UNWANTED, lead))) if place.picky else (),
    )


async def _exit_of(connection: AsyncConnection, place: Place) -> str | None:
    """The behaviour that ends this journey, if the database already knows of one that the journey has yet to hear.

    One that it has heard ended it, or came before the exit rule did: an edited rule reaches back to nobody.
    """
    if place.status == "finished":
        return place.outcome or "finished"
    if not place.left:
        return None
    on = {"enrolment": place.enrolment_id}
    behaved = await connection.execute(_EXITS, on | {"exits": _names(place.exits)})
    ending = {id_: say_behaviour(name, subject) for id_, name, subject in behaved if place.exits.matches(name, subject)}
    for fact in await connection.scalars(_HEARD, on) if ending else ():
        ending.pop(fact["id"], None)
    return next(iter(ending.values()), None)


def _names(exits: Matcher) -> list[str]:
    return sorted({pattern.partition(":")[0] for pattern in exits.patterns})
