"""Opt-outs, complaints and hard bounces act in the transaction that stores them, before any journey hears of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Consent, LeadRow, Suppression
from models.touches import Touch
from nurture.errors import InputError
from nurture.people.addresses import normalise
from perennial.intake.outbox import Incoming
from perennial.leads.identity import current_lead
from perennial.leads.suppression import SUPPRESSES
from perennial.platform.database import upsert_ignore

_AT_A_TIME = 1_000  # both databases take some 32,000 values in one statement


@dataclass(frozen=True, slots=True)
class Stop:
    """An event that forbids further mail: its place in its batch, what it means, when, and whom it concerns."""

    number: int
    behaviour: str
    at: datetime
    touch_id: str | None
    email: str | None


async def suppress(
    session: AsyncSession, events: Sequence[Incoming], stops: Sequence[Stop], *, source: str
) -> Mapping[int, str]:
    """Suppress the leads that the stops are about, by their touch or else by address; whom each concerns, by number.

    Of an event that is stored already nothing follows, nor of one from before the lead came back. That is the rule of
    `perennial.leads.suppression.heed`, for a thousand at a time; the relay calls `heed` for each, which also writes
    the ledger of consent.
    """
    known = await _stored(session, [events[stop.number].fingerprint for stop in stops])
    fresh = [stop for stop in stops if events[stop.number].fingerprint not in known]
    leads = await _leads(session, fresh)
    ids = sorted(set(leads.values()))
    await _lock(session, ids)
    back = await _came_back(session, ids)
    rows = {
        (lead_id, reason): {"lead_id": lead_id, "reason": reason, "source": source, "at": stop.at}
        for stop in fresh
        if (lead_id := leads.get(stop.number)) is not None
        and (reason := SUPPRESSES[stop.behaviour])
        and back.get((lead_id, reason), stop.at) <= stop.at
    }
    if rows:
        await session.execute(upsert_ignore(Suppression), [rows[key] for key in sorted(rows)])
    return leads


async def _lock(session: AsyncSession, leads: Sequence[str]) -> None:
    """As `lock_lead`, many at once: a send that passed the gate before is on the ledger before the stop commits.

    In the order of their ids, so that two batches about the same leads do not wait for each other in a ring. SQLite
    has one writer and leaves the clause out.
    """
    for some in _parts(leads):
        await session.execute(
            select(LeadRow.id).where(LeadRow.id.in_(some)).order_by(LeadRow.id).with_for_update(key_share=True)
        )


async def _stored(session: AsyncSession, fingerprints: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in _parts(fingerprints):
        found |= set(await session.scalars(select(Event.fingerprint).where(Event.fingerprint.in_(some))))
    return found


async def _came_back(session: AsyncSession, leads: Sequence[str]) -> dict[tuple[str, str], datetime]:
    """When a suppression of each lead and reason was last undone, by the ledger of consent."""
    found: dict[tuple[str, str], datetime] = {}
    for some in _parts(leads):
        undone = select(Consent.lead_id, Consent.action, Consent.basis, func.max(Consent.at).label("at"))
        undone = undone.where(Consent.lead_id.in_(some), Consent.action.in_(("granted", "lifted")))
        for row in await session.execute(undone.group_by(Consent.lead_id, Consent.action, Consent.basis)):
            key = (row.lead_id, row.basis if row.action == "lifted" else "opt-out")
            found[key] = max(found.get(key, row.at), row.at)
    return found


async def _leads(session: AsyncSession, stops: Sequence[Stop]) -> dict[int, str]:
    """Whom each stop is about, by its number; after a merge the lead that goes on."""
    by_touch: dict[str, str] = {}
    for some in _parts(sorted({stop.touch_id for stop in stops if stop.touch_id})):
        rows = await session.execute(select(Touch.id, Touch.lead_id).where(Touch.id.in_(some)))
        by_touch |= {row.id: row.lead_id for row in rows}
    found = {stop.number: by_touch[stop.touch_id] for stop in stops if stop.touch_id in by_touch}
    keys = {stop.number: key for stop in stops if stop.number not in found and (key := _key(stop.email))}
    by_key: dict[str, str] = {}
    for some in _parts(sorted(set(keys.values()))):
        rows = await session.execute(select(LeadRow.email_key, LeadRow.id).where(LeadRow.email_key.in_(some)))
        by_key |= {row.email_key: row.id for row in rows}
    found |= {number: by_key[key] for number, key in keys.items() if key in by_key}
    onward: dict[str, str] = {}
    for some in _parts(sorted(set(found.values()))):
        merged = await session.scalars(select(LeadRow.id).where(LeadRow.id.in_(some), LeadRow.merged_into.is_not(None)))
        for lead_id in merged.all():
            lead = await current_lead(session, lead_id)
            onward |= {} if lead is None else {lead_id: lead.id}
    return {number: onward.get(lead_id, lead_id) for number, lead_id in found.items()}


def _key(email: str | None) -> str | None:
    if email is None:
        return None
    try:
        return normalise(email)
    except InputError:
        return None


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_A_TIME):
        yield values[start : start + _AT_A_TIME]
