"""Opt-outs, complaints and hard bounces act in the transaction that stores them, before any journey hears of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.touches import Touch
from nurture.people.addresses import try_normalise
from perennial.intake.outbox import Incoming
from perennial.leads.lookup import current_lead_ids, leads_with_addresses
from perennial.leads.suppressed_addresses import suppress_address
from perennial.leads.suppression import SUPPRESSES, WITHDRAWS, NewSuppression, suppress_at_once
from perennial.platform.database import in_parts
from perennial.platform.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """An event's place in its batch, and whom it concerns: by the touch, or else by the address."""

    number: int
    touch_id: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Concerned):
    """An event that forbids further mail: what it means, and when."""

    behaviour: str
    at: datetime


async def suppress_stopped(
    session: AsyncSession, secrets: Secrets, events: Sequence[Incoming], stops: Sequence[Stop], *, source: str
) -> Mapping[int, str]:
    """Suppress the leads that the stops are about, found by touch or else by address; the lead of each, by number.

    Of an opt-out or a complaint of nobody we know, keep the address as a keyed hash: no list makes a lead of it
    (docs/decisions/0021). Skip events that are stored already.
    """
    known = await _stored(session, [events[stop.number].fingerprint for stop in stops])
    fresh = [stop for stop in stops if events[stop.number].fingerprint not in known]
    leads = await leads_concerned(session, fresh)
    told = [
        NewSuppression(leads[stop.number], SUPPRESSES[stop.behaviour], source, stop.at)
        for stop in fresh
        if stop.number in leads
    ]
    await suppress_at_once(session, told)
    await _keep_strangers(session, secrets, [stop for stop in fresh if stop.number not in leads])
    return leads


async def _keep_strangers(session: AsyncSession, secrets: Secrets, stops: Sequence[Stop]) -> None:
    for stop in stops:
        reason = SUPPRESSES[stop.behaviour]
        key = try_normalise(stop.email) if stop.email is not None else None
        if key is not None and reason in WITHDRAWS:
            await suppress_address(session, secrets, key, reason, stop.at)


async def _stored(session: AsyncSession, fingerprints: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_parts(fingerprints):
        found |= set(await session.scalars(select(Event.fingerprint).where(Event.fingerprint.in_(some))))
    return found


async def leads_concerned(session: AsyncSession, stops: Sequence[Concerned]) -> dict[int, str]:
    """The lead that each is about, by its number; after a merge the lead that goes on."""
    by_touch: dict[str, str] = {}
    for some in in_parts(sorted({stop.touch_id for stop in stops if stop.touch_id})):
        rows = await session.execute(select(Touch.id, Touch.lead_id).where(Touch.id.in_(some)))
        by_touch |= {row.id: row.lead_id for row in rows}
    found = {stop.number: by_touch[stop.touch_id] for stop in stops if stop.touch_id in by_touch}
    keys = {
        stop.number: key
        for stop in stops
        if stop.number not in found and stop.email is not None and (key := try_normalise(stop.email)) is not None
    }
    by_key = await leads_with_addresses(session, set(keys.values()))
    found |= {number: by_key[key] for number, key in keys.items() if key in by_key}
    current = await current_lead_ids(session, set(found.values()))
    return {number: current[lead_id] for number, lead_id in found.items()}
