"""What the gate judges a send by, read in the send's own transaction.

One statement reads nearly all of it, and whether there is more to read: most leads have no suppression, no unwanted
topic and no other journey. Statements are built once, as building one costs more than running it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, exists, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from models.journeys import AskedRow, Enrolment, FactRow
from models.leads import BehaviourRow, Consent, LeadRow, Preference, Suppression
from models.shared import SendingPace
from models.touches import Touch
from models.types import UtcDateTime
from nurture.gate import ConsentState, Defer, LeadState, PastTouch, Refuse, Rival, SendRequest, judge_offer
from nurture.journey.matchers import Matcher, say_behaviour
from nurture.journey.patterns import Pattern
from nurture.journey.track import Track
from perennial.journeys.enrolled_lead import lock_enrolled_lead
from perennial.journeys.ledger import LedgerEntry
from perennial.journeys.pace import Pace, room_for
from perennial.leads.consent import DECIDES, meaning_of
from perennial.platform.database import Transaction, connection_of
from perennial.platform.prepared import Prepared, any_of

COUNTED = ("sending", "accepted", "unknown")
"""States of a touch that count against the caps: sent, or perhaps sent."""

LONGEST_CAP = timedelta(days=30)

_MINE = aliased(Enrolment)
"""The enrolment that a send is for, in statements that also read the lead's other enrolments."""

_IS_RIVAL = and_(
    Enrolment.lead_id == _MINE.lead_id,
    Enrolment.id != _MINE.id,
    Enrolment.status == "active",
    Enrolment.priority > _MINE.priority,
    Enrolment.next_at.is_not(None),
)
_IS_UNWANTED = and_(Preference.lead_id == LeadRow.id, Preference.wanted.is_(False))
_IS_SINCE = and_(BehaviourRow.lead_id == _MINE.lead_id, BehaviourRow.at >= _MINE.started_at)
_THIS = _MINE.id == bindparam("enrolment")


@cache
def _subject(exits: tuple[str, ...]) -> Prepared:
    """The one statement, for a track that these behaviours end."""
    return Prepared(_SUBJECT.add_columns(exists().where(_IS_SINCE, any_of(BehaviourRow.name, exits))))


_SUBJECT = (
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
        .where(Consent.lead_id == LeadRow.id, any_of(Consent.action, DECIDES))
        .order_by(Consent.id.desc())
        .limit(1)
        .scalar_subquery(),
        exists().where(Suppression.lead_id == LeadRow.id),
        exists().where(_IS_UNWANTED),
        exists().where(_IS_RIVAL),
        AskedRow.verb,
        Touch.id,
        Touch.state,
        Touch.reason,
        Touch.at,
        SendingPace.per_minute,
        SendingPace.per_hour,
    )
    .select_from(_MINE)
    .join(LeadRow, LeadRow.id == _MINE.lead_id)
    .outerjoin(AskedRow, AskedRow.enrolment_id == _MINE.id)
    .outerjoin(Touch, and_(Touch.enrolment_id == _MINE.id, Touch.step_key == bindparam("step")))
    .outerjoin(SendingPace, true())
    .where(_THIS)
)
_SUPPRESSIONS = select(Suppression.reason).where(Suppression.lead_id == bindparam("lead"))
_UNWANTED = select(Preference.topic).join(LeadRow, _IS_UNWANTED).where(LeadRow.id == bindparam("lead"))
_RIVALS = Prepared(select(Enrolment.track, Enrolment.priority, Enrolment.next_at).join(_MINE, _IS_RIVAL).where(_THIS))
_SINCE = select(BehaviourRow.id, BehaviourRow.name, BehaviourRow.subject).join(_MINE, _IS_SINCE).where(_THIS)
_TAKEN_IN = select(FactRow.fact).where(FactRow.enrolment_id == bindparam("enrolment"), FactRow.kind == "behaved")
_TOUCHES = Prepared(
    select(Touch.at, Touch.track).where(
        Touch.lead_id == bindparam("lead"),
        any_of(Touch.state, COUNTED),
        Touch.at > bindparam("since", type_=UtcDateTime()),
        Touch.id != bindparam("exclude"),
    )
)


@dataclass(frozen=True, slots=True)
class Recipient:
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
class SendSubject:
    """Whom a send is for, and what one statement tells of it: `has_*` say whether there is more to read.

    `asked` is what a person asked of the journey and it has yet to hear, `touch` what an earlier try left in the
    ledger, or None.
    """

    enrolment_id: str
    recipient: Recipient
    status: str
    outcome: str | None
    consent: ConsentState
    has_suppressions: bool
    has_unwanted_topics: bool
    has_rivals: bool
    has_exit_behaviours: bool
    exits: Matcher
    asked: str
    touch: LedgerEntry | None
    pace: Pace


async def lock_subject(transaction: Transaction, enrolment_id: str, step_key: str, exits: Matcher) -> SendSubject:
    """Lock the enrolment's current lead, and read whom the send of this step is for."""
    await lock_enrolled_lead(transaction, enrolment_id)
    return await subject_of(transaction, enrolment_id, step_key, exits)


async def subject_of(transaction: Transaction, enrolment_id: str, step_key: str, exits: Matcher) -> SendSubject:
    """Whom the send of this step is for; the caller has locked the lead."""
    values = {"enrolment": enrolment_id, "step": step_key}
    (row,) = await _subject(_names(exits)).rows(await connection_of(transaction), values)
    lead, (status, outcome, decision, suppressed, unwanted, rivals, asked), touch = row[:9], row[9:16], row[16:20]
    pace, exited = Pace(*row[20:22]), bool(row[22])
    return SendSubject(
        enrolment_id,
        Recipient(*lead),
        status,
        outcome,
        meaning_of(decision),
        suppressed,
        unwanted,
        rivals,
        exited,
        exits,
        asked or "",
        None if touch[0] is None else LedgerEntry(*touch),
        pace,
    )


def request_of(subject: SendSubject, track: Track, topic: str, now: datetime) -> SendRequest:
    """The send that the gate is asked for."""
    lead = subject.recipient
    return SendRequest(now, lead.id, track.name, track.priority, lead.time_zone, lead.country, topic)


async def lead_state_of(
    connection: AsyncConnection, subject: SendSubject, now: datetime, *, exclude: str = ""
) -> LeadState:
    """Consent, suppressions, erasure, exit, the touches of the last 30 days and the lead's other journeys.

    `exclude` is the touch that is judged: a retry must not count itself.
    """
    lead, on = {"lead": subject.recipient.id}, {"enrolment": subject.enrolment_id}
    touches = await _TOUCHES.rows(connection, lead | {"since": now - LONGEST_CAP, "exclude": exclude})
    rivals = await _RIVALS.rows(connection, on) if subject.has_rivals else ()
    return LeadState(
        consent=subject.consent,
        suppressions=tuple(await connection.scalars(_SUPPRESSIONS, lead)) if subject.has_suppressions else (),
        erased=subject.recipient.erased_at is not None,
        exited=await _exit_of(connection, subject),
        touches=tuple(PastTouch(at, track) for at, track in touches),
        rivals=tuple(Rival(track, priority, due) for track, priority, due in rivals if due is not None),
        break_until=subject.recipient.break_until,
        unwanted=tuple(sorted(await connection.scalars(_UNWANTED, lead))) if subject.has_unwanted_topics else (),
        asked=subject.asked,
        room_at=None
        if subject.pace == Pace()
        else await room_for(connection, subject.pace, subject.recipient.id, now, exclude=exclude),
    )


async def offer_judged(
    connection: AsyncConnection, enrolment_id: str, step_key: str, exits: Matcher, now: datetime
) -> tuple[str, Defer | Refuse | None]:
    """The lead that a step would give to people, locked, and what forbids it."""
    subject = await lock_subject(connection, enrolment_id, step_key, exits)
    return subject.recipient.id, judge_offer(now, await lead_state_of(connection, subject, now))


async def _exit_of(connection: AsyncConnection, subject: SendSubject) -> str | None:
    """The behaviour that ends this journey, if the database knows of one that the journey has yet to take in.

    Says nothing of its subject: the answer goes to Temporal, and a stranger may have worded it.
    A behaviour that the journey took in without ending came before the exit rule did: an edited rule reaches back to
    nobody.
    """
    if subject.status == "finished":
        return (subject.outcome or "finished").partition(":")[0]
    if not subject.has_exit_behaviours:
        return None
    on = {"enrolment": subject.enrolment_id}
    behaved = await connection.execute(_SINCE.where(BehaviourRow.name.in_(_names(subject.exits))), on)
    ending = {id_: say_behaviour(name, "") for id_, name, about in behaved if subject.exits.matches(name, about)}
    for fact in await connection.scalars(_TAKEN_IN, on) if ending else ():
        ending.pop(fact["id"], None)
    return next(iter(ending.values()), None)


def _names(exits: Matcher) -> tuple[str, ...]:
    return tuple(sorted({Pattern.parse(pattern).name for pattern in exits.patterns}))
