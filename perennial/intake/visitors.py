"""Earlier events of visitors: they wait in the outbox until the visitor says who it is, then they are its lead's."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Identity
from perennial.leads.identity import LONGEST_ID

_USER = "user:"
_NO_SYNC = {"synchronize_session": False}


def visitor_of(user_id: str | None) -> str | None:
    """The visitor's id under which events wait that name only a user id; None for no id and for one too long.

    A user id that no lead has yet is a visitor's until then: its page views are attached once it says its address.
    """
    visitor = f"{_USER}{user_id}" if user_id else ""
    return visitor if 0 < len(visitor) <= LONGEST_ID else None


async def attach_earlier(
    session: AsyncSession, lead_id: str, *, user_id: str | None = None, anonymous_id: str | None = None
) -> None:
    """Give the relay the earlier events of these ids again, now as this lead's."""
    for visitor in (visitor_of(user_id), anonymous_id):
        if visitor:
            await lock_visitors(session, [visitor])
            earlier = update(Event).where(Event.anonymous_id == visitor, Event.state == "anonymous")
            await session.execute(earlier.values(state="new", lead_id=lead_id), execution_options=_NO_SYNC)


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
        select(Event.id, Identity.lead_id)
        .join(
            Identity,
            ((Identity.kind == "anonymous") & (Identity.value == Event.anonymous_id))
            | ((Identity.kind == "user") & (_USER + Identity.value == Event.anonymous_id)),
        )
        .where(Event.id.in_(events), Event.state == "anonymous")
    )
    known = found.all()
    for event_id, lead_id in known:
        again = update(Event).where(Event.id == event_id).values(state="new", lead_id=lead_id)
        await session.execute(again, execution_options=_NO_SYNC)
    return len(known)
