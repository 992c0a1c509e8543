"""Suppressions: why a lead is never mailed. One acts in the gate the moment it is committed.

| reason | comes from | ends by |
| --- | --- | --- |
| opt-out | the lead: its page, its mail client, by phone | its own confirmed re-subscription, or a person |
| complaint | the lead marked a mail as spam | a person, with a reason |
| hard-bounce | the address does not exist, or five soft bounces in a row | a person, with a reason |
| role-address, invalid-address, manual | an import, a form, a person | a person, with a reason |

SendGrid's `group_resubscribe` ends none of them. Whoever lifts an opt-out or a complaint grants nothing by it: consent
stays withdrawn until the lead itself confirms.
"""

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal, get_args

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent, LeadRow, SuppressedAddress, Suppression
from nurture.errors import InputError, RefusedError
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.platform.database import upsert_ignore

Reason = Literal["opt-out", "complaint", "hard-bounce", "role-address", "invalid-address", "manual"]
REASONS: tuple[Reason, ...] = get_args(Reason)
WITHDRAWS = frozenset({"opt-out", "complaint"})
"""By these a lead takes its consent back."""

SUPPRESSES: Mapping[str, Reason] = {
    "lead.opted_out": "opt-out",
    "email.complained": "complaint",
    "email.bounced": "hard-bounce",
}
"""Behaviours that act in the database at once, before any journey hears of them."""

SOFT_BOUNCES = 5
"""So many temporary failures in a row, without one delivery between, and the address counts as dead.

Mailbox providers judge a sender by how often it writes to dead mailboxes, and a mailbox that was full, or a domain
that was away, for five of our mails (two weeks or more under the caps) will hardly read the sixth.
"""


def reason_of(text: str) -> Reason:
    """The reason of that name. Raises InputError that lists them."""
    for reason in REASONS:
        if reason == text:
            return reason
    raise InputError(f"unknown reason {text!r}; one of {', '.join(REASONS)}")


async def suppressions(session: AsyncSession, lead_id: str) -> tuple[str, ...]:
    """Why a lead is not mailed; empty if it may be."""
    found = select(Suppression.reason).where(Suppression.lead_id == lead_id).order_by(Suppression.reason)
    return tuple(await session.scalars(found))


async def suppress(session: AsyncSession, lead_id: str, reason: Reason, at: datetime, *, source: str) -> bool:
    """Suppress a lead, and withdraw its consent where the reason says so; False if it was suppressed for it before."""
    await lock_lead(session, lead_id)
    row = {"lead_id": lead_id, "reason": reason, "source": source, "at": at}
    added = await session.scalar(upsert_ignore(Suppression, row).returning(Suppression.id))
    if reason in WITHDRAWS:
        await consent.withdraw(session, lead_id, at, source=source)
    return added is not None


async def apply_behaviour(session: AsyncSession, lead_id: str, behaviour: str, at: datetime) -> None:
    """Suppress as a behaviour demands, if it does, unless the lead has come back since: events can be late."""
    reason = SUPPRESSES.get(behaviour)
    if reason is None:
        return
    undone = select(Consent.id).where(Consent.lead_id == lead_id, Consent.at > at)
    undone = undone.where(
        ((Consent.action == "lifted") & (Consent.basis == reason))
        | ((Consent.action == "granted") & (reason == "opt-out"))
    )
    if await session.scalar(undone.limit(1)) is None:
        await suppress(session, lead_id, reason, at, source=behaviour)


async def resubscribe(session: AsyncSession, lead_id: str, number: int, at: datetime, *, source: str) -> bool:
    """Confirm a lead's own request to be mailed again: consent is granted, an opt-out is over. False if it was before.

    Raises RefusedError if another reason stands, or the request is not good (see `consent.confirm`).
    """
    await lock_lead(session, lead_id)
    if not may_ask(await suppressions(session, lead_id)):
        raise RefusedError("this address was reported or does not work; please write to us, and a person will look")
    if not await consent.confirm(session, lead_id, number, at, source=source):
        return False
    await session.execute(
        delete(Suppression).where(Suppression.lead_id == lead_id, Suppression.reason == "opt-out"),
        execution_options={"synchronize_session": False},
    )
    return True


def may_ask(reasons: Iterable[str]) -> bool:
    """Whether a lead suppressed for these reasons may ask for mail again by itself; else a person must lift them."""
    return set(reasons) <= {"opt-out"}


async def lift(session: AsyncSession, lead_id: str, reason: Reason, at: datetime, *, why: str) -> None:
    """A person ends a suppression; why is kept in the consent ledger. Raises RefusedError if there is none."""
    await lock_lead(session, lead_id)
    gone = delete(Suppression).where(Suppression.lead_id == lead_id, Suppression.reason == reason)
    if await session.scalar(gone.returning(Suppression.id)) is None:
        raise RefusedError(f"the lead is not suppressed for {reason}")
    await consent.note_lift(session, lead_id, at, reason=reason, why=why)
    if reason == "hard-bounce":
        await delivered(session, lead_id)


async def soft_bounced(session: AsyncSession, lead_id: str, at: datetime) -> bool:
    """Count a temporary failure; True if it was the one that made the address count as dead."""
    await lock_lead(session, lead_id)
    count = await session.scalar(
        update(LeadRow)
        .where(LeadRow.id == lead_id)
        .values(soft_bounces=LeadRow.soft_bounces + 1)
        .returning(LeadRow.soft_bounces),
        execution_options={"synchronize_session": False},
    )
    if (count or 0) < SOFT_BOUNCES:
        return False
    return await suppress(session, lead_id, "hard-bounce", at, source=f"{SOFT_BOUNCES} soft bounces in a row")


async def delivered(session: AsyncSession, lead_id: str) -> None:
    """A mail arrived: soft bounces are counted from nought again."""
    await session.execute(
        update(LeadRow).where(LeadRow.id == lead_id, LeadRow.soft_bounces != 0).values(soft_bounces=0),
        execution_options={"synchronize_session": False},
    )


# Addresses of nobody we know: erased leads, and lists of addresses never to write to


def address_hash(secret: str, email_key: str) -> str:
    """The keyed hash (HMAC-SHA256, hex) of a normalised address: without the secret no list of addresses finds it."""
    return hmac.new(secret.encode(), f"perennial.address\n{email_key}".encode(), sha256).hexdigest()


async def bar(session: AsyncSession, secret: str, email_key: str, reason: str, at: datetime) -> bool:
    """Never make a lead of this address; False if it was barred before."""
    row = {"hash": address_hash(secret, email_key), "reason": reason, "at": at}
    return await session.scalar(upsert_ignore(SuppressedAddress, row).returning(SuppressedAddress.hash)) is not None


async def unbar(session: AsyncSession, secret: str, email_key: str) -> bool:
    """Let this address be a lead's again; False if it was not barred."""
    gone = delete(SuppressedAddress).where(SuppressedAddress.hash == address_hash(secret, email_key))
    return await session.scalar(gone.returning(SuppressedAddress.hash)) is not None


async def barred(session: AsyncSession, secret: str, email_keys: Iterable[str]) -> Mapping[str, str]:
    """Those of these normalised addresses that must not become a lead's, each with the reason."""
    by_hash = {address_hash(secret, key): key for key in email_keys}
    if not by_hash or not await session.scalar(select(exists(select(SuppressedAddress.hash)))):
        return {}
    found = await session.execute(
        select(SuppressedAddress.hash, SuppressedAddress.reason).where(SuppressedAddress.hash.in_(by_hash))
    )
    return {by_hash[hash_]: reason for hash_, reason in found}
