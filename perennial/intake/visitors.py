"""Earlier events of visitors: they wait in the outbox until the visitor says who it is, then they are its lead's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Identity
from perennial.intake.fields import identifier_of
from perennial.leads.identity import LONGEST_ID
from perennial.platform.database import in_parts

_USER = "user:"
_NO_SYNC = {"synchronize_session": False}


def visitor_of(user_id: str | None) -> str | None:
    """The visitor's id under which events wait that name only a user id; None for no id and for one too long.

    A user id that no lead has yet is a visitor's until then: its page views are attached once it says its address.
    """
    visitor = f"{_USER}{user_id}" if user_id else ""
    return visitor if 0 < len(visitor) <= LONGEST_ID else None


@dataclass(frozen=True, slots=True)
class Attached:
    """The lead that visitors turned out to be, and whether earlier events of theirs were given to the relay again."""

    lead_id: str
    visitors: frozenset[str]
    any: bool

    def with_more(self, other: Attached | None) -> Attached:
        """Both in one; they are of the same lead."""
        return self if other is None else Attached(self.lead_id, self.visitors | other.visitors, self.any or other.any)


async def attach_earlier(
    session: AsyncSession, lead_id: str, *, user_id: str | None = None, anonymous_id: str | None = None
) -> Attached:
    """Give the relay the earlier events of these ids again, now as this lead's.

    What another user did in the same browser stays where it is: as everywhere, a lead without a user id may be any.
    """
    visitors = frozenset(visitor for visitor in (visitor_of(user_id), anonymous_id) if visitor)
    await lock_visitors(session, visitors)
    waiting = select(Event.id, Event.body["userId"]).where(Event.anonymous_id.in_(visitors), Event.state == "anonymous")
    users = (await _users_of(session, [lead_id]))[lead_id]
    earlier = [number for number, user in await session.execute(waiting) if _may_be(user, users)]
    for part in in_parts(earlier):
        again = update(Event).where(Event.id.in_(part)).values(state="new", lead_id=lead_id)
        await session.execute(again, execution_options=_NO_SYNC)
    return Attached(lead_id, visitors, any=bool(earlier))


async def lock_visitors(session: AsyncSession, visitors: Iterable[str]) -> None:
    """Let one relay at a time attach a visitor's events or put them aside, until this transaction ends.

    Without it one could put an event aside while another, that does not see it yet, attaches the earlier ones.
    """
    if session.get_bind().dialect.name == "postgresql":
        for visitor in sorted(visitors):
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(visitor))))


async def reattach(session: AsyncSession, events: Sequence[int]) -> int:
    """Of events just found to be nobody's, give those again whose visitor has become a lead meanwhile; how many.

    A visitor's page view and the form that names it can come in one batch. When the form is read, the page view has not
    been put aside yet, and `attach_earlier` does not find it.
    """
    found = await session.execute(
        select(Event.id, Identity.lead_id, Event.body["userId"])
        .join(
            Identity,
            ((Identity.kind == "anonymous") & (Identity.value == Event.anonymous_id))
            | ((Identity.kind == "user") & (_USER + Identity.value == Event.anonymous_id)),
        )
        .where(Event.id.in_(events), Event.state == "anonymous")
    )
    rows = found.all()
    users = await _users_of(session, [lead_id for _, lead_id, _ in rows])
    known = [(number, lead_id) for number, lead_id, user in rows if _may_be(user, users[lead_id])]
    for event_id, lead_id in known:
        again = update(Event).where(Event.id == event_id).values(state="new", lead_id=lead_id)
        await session.execute(again, execution_options=_NO_SYNC)
    return len(known)


async def _users_of(session: AsyncSession, leads: Sequence[str]) -> defaultdict[str, set[str]]:
    """The user ids of each of these leads."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for part in in_parts(sorted(set(leads))):
        theirs = select(Identity.lead_id, Identity.value).where(Identity.kind == "user", Identity.lead_id.in_(part))
        for lead_id, user in await session.execute(theirs):
            users[lead_id].add(user)
    return users


def _may_be(user: object, users: set[str]) -> bool:
    """Whether an event that names this user may be of a lead that has these user ids."""
    said = identifier_of(user)
    return said is None or not users or said in users
