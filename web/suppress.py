"""Opt-outs, complaints and hard bounces act in the transaction that stores them, before any journey hears of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.events import Incoming
from models.edge import Event
from models.tables import Lead, Suppression, Touch
from nurture.addresses import normalise
from nurture.errors import InputError
from wiring.database import upsert_ignore

_AT_A_TIME = 1_000  # both databases take some 32,000 values in one statement
_MOST_MERGES = 10


@dataclass(frozen=True, slots=True)
class Stop:
    """An event that forbids further mail: its place in its batch, why, and what it says about whom it concerns."""

    number: int
    reason: str
    touch_id: str | None
    email: str | None


async def suppress(
    session: AsyncSession, events: Sequence[Incoming], stops: Sequence[Stop], *, source: str, at: datetime
) -> Mapping[int, str]:
    """Suppress the leads that the stops are about, by their touch or else by address; whom each concerns, by number.

    Of an event that is stored already nothing follows: its lead may have come back since.
    """
    known = await _stored(session, [events[stop.number].fingerprint for stop in stops])
    fresh = [stop for stop in stops if events[stop.number].fingerprint not in known]
    leads = await _leads(session, fresh)
    merged = await _merged_into(session, set(leads.values()))
    rows = {
        (lead_id, stop.reason): {"lead_id": lead_id, "reason": stop.reason, "source": source, "at": at}
        for stop in fresh
        if stop.number in leads
        for lead_id in (leads[stop.number], *merged.get(leads[stop.number], ()))
    }
    if rows:
        await _lock(session, sorted({lead_id for lead_id, _ in rows}))
        await session.execute(upsert_ignore(Suppression), [rows[key] for key in sorted(rows)])
    return {number: (merged.get(lead_id) or (lead_id,))[-1] for number, lead_id in leads.items()}


async def _lock(session: AsyncSession, leads: Sequence[str]) -> None:
    """As `lock_lead`, many at once: a send that passed the gate before is on the ledger before the stop commits.

    In the order of their ids, so that two batches about the same leads do not wait for each other in a ring. SQLite
    has one writer and leaves the clause out.
    """
    for some in _parts(leads):
        await session.execute(
            select(Lead.id).where(Lead.id.in_(some)).order_by(Lead.id).with_for_update(key_share=True)
        )


async def _stored(session: AsyncSession, fingerprints: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in _parts(fingerprints):
        found |= set(await session.scalars(select(Event.fingerprint).where(Event.fingerprint.in_(some))))
    return found


async def _leads(session: AsyncSession, stops: Sequence[Stop]) -> dict[int, str]:
    by_touch: dict[str, str] = {}
    for some in _parts(sorted({stop.touch_id for stop in stops if stop.touch_id})):
        rows = await session.execute(select(Touch.id, Touch.lead_id).where(Touch.id.in_(some)))
        by_touch |= {row.id: row.lead_id for row in rows}
    by_number = {stop.number: by_touch[stop.touch_id] for stop in stops if stop.touch_id in by_touch}
    addresses = {stop.number: key for stop in stops if stop.number not in by_number and (key := _key(stop.email))}
    by_address: dict[str, str] = {}
    for some in _parts(sorted(set(addresses.values()))):
        rows = await session.execute(select(Lead.email_key, Lead.id).where(Lead.email_key.in_(some)))
        by_address |= {row.email_key: row.id for row in rows}
    return by_number | {number: by_address[key] for number, key in addresses.items() if key in by_address}


async def _merged_into(session: AsyncSession, leads: set[str]) -> dict[str, tuple[str, ...]]:
    """The leads that these were merged into, step by step: what stops one stops the one that goes on."""
    chains: dict[str, tuple[str, ...]] = {lead_id: (lead_id,) for lead_id in leads}
    for _ in range(_MOST_MERGES):
        ends = sorted({chain[-1] for chain in chains.values()})
        onward: dict[str, str] = {}
        for some in _parts(ends):
            rows = await session.execute(
                select(Lead.id, Lead.merged_into).where(Lead.id.in_(some), Lead.merged_into.is_not(None))
            )
            onward |= {lead_id: into for lead_id, into in rows if into is not None}
        if not onward:
            break
        chains = {
            lead_id: (*chain, onward[chain[-1]]) if chain[-1] in onward else chain for lead_id, chain in chains.items()
        }
    return {lead_id: chain[1:] for lead_id, chain in chains.items() if len(chain) > 1}


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
