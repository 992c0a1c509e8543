"""Undo a wrong binding: a user id that was taken for the wrong lead, and what that user did.

| of the user | what becomes of it |
| --- | --- |
| its user id, and browsers that only it used | nobody's, or the right lead's |
| its stored calls | wait until it says who it is, or are read again as the right lead's |
| behaviours and points of these calls | taken from the lead; its score is taken again |
| what journeys of the lead have heard, its profile, its consent | stay: a person looks at them |

Calls that retention has removed name nobody any more: what they reported stays the lead's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, and_, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.journeys import Enrolment, FactRow, Unheard
from models.leads import BehaviourRow, Identity, ScoreEntry
from nurture.errors import NotFoundError, RefusedError
from nurture.people.scoring import ScoringModel
from perennial.intake.meaning import behaviour_ids
from perennial.intake.visitors import visitor_of
from perennial.leads.identity import write_identity
from perennial.leads.lock import lock_leads
from perennial.leads.lookup import current_lead_id
from perennial.leads.scores import rescore
from perennial.platform.database import in_parts

SOURCE = "segment"
_NO_SYNC = {"synchronize_session": False}
_user_id = cast(Event.body["userId"].as_string(), Text)


@dataclass(frozen=True, slots=True)
class Binding:
    """A user id, the lead it is bound to, and what hangs on it: browsers, numbers of events, ids of behaviours.

    `heard` are the lead's enrolments whose journals hold some of these behaviours.
    """

    user_id: str
    lead_id: str
    browsers: tuple[str, ...]
    events: tuple[int, ...]
    behaviours: tuple[str, ...]
    heard: tuple[str, ...]


async def binding_of(session: AsyncSession, user_id: str) -> Binding:
    """What a user id is bound to, and what hangs on it. Raises NotFoundError."""
    bound = await session.get(Identity, ("user", user_id))
    lead_id = None if bound is None else await current_lead_id(session, bound.lead_id)
    if lead_id is None:
        raise NotFoundError(f"no lead has the user id {user_id!r}")
    by_user = (await session.scalars(select(Event).where(Event.source == SOURCE, _user_id == user_id))).all()
    browsers = await _browsers(session, lead_id, user_id, by_user)
    by_browser = (
        await session.scalars(select(Event).where(Event.source == SOURCE, Event.anonymous_id.in_(browsers)))
    ).all()
    events = {event.id: event for event in (*by_user, *by_browser) if event.lead_id in {None, lead_id}}
    ids = [id_ for event in events.values() for id_ in behaviour_ids(event)]
    behaviours: list[str] = []
    for part in in_parts(sorted(ids)):
        of_lead = select(BehaviourRow.id).where(BehaviourRow.id.in_(part), BehaviourRow.lead_id == lead_id)
        behaviours += await session.scalars(of_lead)
    heard = await _heard(session, lead_id, set(behaviours))
    return Binding(user_id, lead_id, tuple(browsers), tuple(sorted(events)), tuple(behaviours), heard)


async def unbind(session: AsyncSession, binding: Binding, *, to: str | None, at: datetime, model: ScoringModel) -> None:
    """Undo a binding in the caller's transaction; with `to`, bind the user to that lead instead.

    Raises RefusedError if `to` is the lead that it is bound to.
    """
    if to == binding.lead_id:
        raise RefusedError(f"{binding.user_id} is bound to {to} already")
    await lock_leads(session, {binding.lead_id, *([to] if to else [])})
    names = or_(
        and_(Identity.kind == "user", Identity.value == binding.user_id),
        and_(Identity.kind == "anonymous", Identity.value.in_(binding.browsers)),
    )
    await session.execute(delete(Identity).where(names), execution_options=_NO_SYNC)
    if to is not None:
        await write_identity(session, to, "user", binding.user_id, at)
        for browser in binding.browsers:
            await write_identity(session, to, "anonymous", browser, at)
    for ids in in_parts(binding.behaviours):
        for gone in (
            delete(Unheard).where(Unheard.behaviour_id.in_(ids)),
            delete(ScoreEntry).where(ScoreEntry.behaviour_id.in_(ids)),
            delete(BehaviourRow).where(BehaviourRow.id.in_(ids)),
        ):
            await session.execute(gone, execution_options=_NO_SYNC)
    state = "anonymous" if to is None else "new"
    for numbers in in_parts(binding.events):
        again = update(Event).where(Event.id.in_(numbers)).values(state=state, lead_id=to, note="")
        await session.execute(again, execution_options=_NO_SYNC)
        # What it did in a browser of others waits for the user, not for whoever sits there next.
        elsewhere = and_(
            Event.id.in_(numbers), _user_id == binding.user_id, Event.anonymous_id.not_in(binding.browsers)
        )
        apart = update(Event).where(elsewhere).values(anonymous_id=visitor_of(binding.user_id))
        await session.execute(apart, execution_options=_NO_SYNC)
    await rescore(session, model, binding.lead_id, at)


async def _browsers(session: AsyncSession, lead_id: str, user_id: str, events: Sequence[Event]) -> list[str]:
    """The lead's browsers that this user used, and no other user."""
    used = {event.anonymous_id for event in events if event.anonymous_id not in {None, visitor_of(user_id)}}
    mine = await session.scalars(
        select(Identity.value).where(
            Identity.kind == "anonymous", Identity.lead_id == lead_id, Identity.value.in_(used)
        )
    )
    others = await session.scalars(
        select(Event.anonymous_id).where(Event.source == SOURCE, Event.anonymous_id.in_(used), _user_id != user_id)
    )
    return sorted(set(mine) - set(others))


async def _heard(session: AsyncSession, lead_id: str, behaviours: set[str]) -> tuple[str, ...]:
    facts = await session.execute(
        select(FactRow.enrolment_id, FactRow.fact)
        .join(Enrolment, Enrolment.id == FactRow.enrolment_id)
        .where(Enrolment.lead_id == lead_id, FactRow.kind == "behaved")
    )
    return tuple(sorted({enrolment_id for enrolment_id, fact in facts if fact.get("id") in behaviours}))
