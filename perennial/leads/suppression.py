"""Suppressions: why a lead is never mailed. One acts in the gate the moment it is committed.

| reason | comes from | ends by |
| --- | --- | --- |
| opt-out | the lead: its page, its mail client, by phone | its own confirmed return, or a person |
| complaint | the lead marked a mail as spam | a person, with a reason |
| hard-bounce | the address does not exist, or five soft bounces in a row | a person, with a reason |
| role-address, invalid-address, manual | an import, a form, a person | a person, with a reason |

SendGrid's `group_resubscribe` ends none of them. Lifting an opt-out or a complaint grants no consent: it stays
withdrawn until the lead itself confirms.

Addresses of no lead are suppressed by a keyed hash: see `perennial.leads.suppressed_addresses`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent, LeadRow, Suppression
from nurture.errors import InputError, RefusedError
from perennial.leads import consent
from perennial.leads.lock import lock_lead, lock_leads
from perennial.platform.database import Transaction, in_parts, upsert_ignore

Reason = Literal["opt-out", "complaint", "hard-bounce", "role-address", "invalid-address", "manual"]
REASONS: tuple[Reason, ...] = get_args(Reason)
WITHDRAWS = frozenset({"opt-out", "complaint"})
"""The reasons by which a lead takes its consent back."""

SUPPRESSES: Mapping[str, Reason] = {
    "lead.opted_out": "opt-out",
    "email.complained": "complaint",
    "email.bounced": "hard-bounce",
}
"""Behaviours that suppress in the transaction that stores them, before any journey hears of them."""

SOFT_BOUNCES = 5
"""After this many temporary failures in a row, without one delivery between, the address counts as dead.

Mailbox providers judge a sender by how often it writes to dead mailboxes. A mailbox that was full, or a domain that was
away, for five of our mails (two weeks or more under the caps) will hardly read the sixth.
"""

_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """One suppression as it is written."""

    lead_id: str
    reason: str
    source: str
    at: datetime


def reason_of(text: str) -> Reason:
    """The reason of that name. Raises InputError that lists them."""
    for reason in REASONS:
        if reason == text:
            return reason
    raise InputError(f"unknown reason {text!r}; one of {', '.join(REASONS)}")


async def suppressions(session: Transaction, lead_id: str) -> tuple[str, ...]:
    """Why a lead is not mailed; empty if it may be."""
    found = select(Suppression.reason).where(Suppression.lead_id == lead_id).order_by(Suppression.reason)
    return tuple(await session.scalars(found))


async def write_suppressions(session: Transaction, new: Iterable[NewSuppression]) -> None:
    """Write suppressions, of one lead or of many; those that stand already stay as they are.

    The caller locks the leads: a send that passed the gate before is then on the ledger before this commits.
    """
    rows = {(one.lead_id, one.reason): asdict(one) for one in new}
    if rows:
        await session.execute(upsert_ignore(Suppression), [rows[key] for key in sorted(rows)])


async def suppress(session: Transaction, lead_id: str, reason: Reason, at: datetime, *, source: str) -> bool:
    """Suppress a lead, and withdraw its consent where the reason says so; False if it was suppressed for it before."""
    await lock_lead(session, lead_id)
    new = reason not in await suppressions(session, lead_id)
    if new:
        await write_suppressions(session, [NewSuppression(lead_id, reason, source, at)])
    if reason in WITHDRAWS:
        await consent.withdraw(session, lead_id, at, source=source)
    return new


async def apply_behaviour(session: AsyncSession, lead_id: str, behaviour: str, at: datetime) -> None:
    """Suppress as a behaviour demands, if it does, and withdraw consent as its reason says."""
    reason = SUPPRESSES.get(behaviour)
    if reason is None:
        return
    await lock_lead(session, lead_id)
    if await not_undone(session, [NewSuppression(lead_id, reason, behaviour, at)]):
        await suppress(session, lead_id, reason, at, source=behaviour)


async def suppress_at_once(session: AsyncSession, told: Sequence[NewSuppression]) -> None:
    """Suppress many leads in the transaction that stores what they did, before any journey hears of it.

    Consent is withdrawn by `apply_behaviour`, once each behaviour has been read on its own.
    """
    await lock_leads(session, {one.lead_id for one in told})
    await write_suppressions(session, await not_undone(session, told))


async def not_undone(session: Transaction, told: Sequence[NewSuppression]) -> list[NewSuppression]:
    """Those that the lead, or a person, has not undone since they happened: events can be late."""
    undone = await _undone(session, {one.lead_id for one in told})
    return [one for one in told if undone.get((one.lead_id, one.reason), one.at) <= one.at]


async def resubscribe(session: AsyncSession, lead_id: str, number: int, at: datetime, *, source: str) -> bool:
    """Confirm a lead's own request for mail: consent is granted and an opt-out is over. False if it was before.

    Raises RefusedError if another reason stands, or the request is not good (see `consent.confirm`).
    """
    await lock_lead(session, lead_id)
    if not may_ask(await suppressions(session, lead_id)):
        raise RefusedError("this address was reported or does not work; please write to us, and a person will look")
    if not await consent.confirm(session, lead_id, number, at, source=source):
        return False
    await _end(session, lead_id, "opt-out")
    return True


def may_ask(reasons: Iterable[str]) -> bool:
    """Whether a lead suppressed for these reasons may ask for mail again by itself; else a person must lift them."""
    return set(reasons) <= {"opt-out"}


async def lift(session: AsyncSession, lead_id: str, reason: Reason, at: datetime, *, why: str) -> None:
    """End a suppression by hand; why is kept in the consent ledger. Raises RefusedError if there is none."""
    await lock_lead(session, lead_id)
    if not await _end(session, lead_id, reason):
        raise RefusedError(f"the lead is not suppressed for {reason}")
    await consent.write_lift(session, lead_id, at, reason=reason, why=why)
    if reason == "hard-bounce":
        await reset_soft_bounces(session, lead_id)


async def copy_suppressions(session: AsyncSession, lead_id: str, to: str) -> None:
    """Suppress `to` for every reason that holds for the lead."""
    found = await session.scalars(select(Suppression).where(Suppression.lead_id == lead_id))
    await write_suppressions(session, [NewSuppression(to, each.reason, each.source, each.at) for each in found])


async def count_soft_bounce(session: Transaction, lead_id: str, at: datetime) -> bool:
    """Count a temporary failure; True if it is the one that makes the address count as dead."""
    await lock_lead(session, lead_id)
    count = await session.scalar(
        update(LeadRow)
        .where(LeadRow.id == lead_id)
        .values(soft_bounces=LeadRow.soft_bounces + 1)
        .returning(LeadRow.soft_bounces),
        execution_options=_NO_SYNC,
    )
    if (count or 0) < SOFT_BOUNCES:
        return False
    return await suppress(session, lead_id, "hard-bounce", at, source=f"{SOFT_BOUNCES} soft bounces in a row")


async def reset_soft_bounces(session: Transaction, lead_id: str) -> None:
    """Count soft bounces from nought again: a mail arrived."""
    await session.execute(
        update(LeadRow).where(LeadRow.id == lead_id, LeadRow.soft_bounces != 0).values(soft_bounces=0),
        execution_options=_NO_SYNC,
    )


async def _end(session: AsyncSession, lead_id: str, reason: Reason) -> bool:
    """Delete a suppression; False if there is none."""
    gone = delete(Suppression).where(Suppression.lead_id == lead_id, Suppression.reason == reason)
    return await session.scalar(gone.returning(Suppression.id), execution_options=_NO_SYNC) is not None


async def _undone(session: Transaction, lead_ids: Collection[str]) -> dict[tuple[str, str], datetime]:
    """When a suppression of each lead and reason was last undone, by its confirmed return or a person.

    A grant from a list or a form undoes nothing, however late it is dated.
    """
    found: dict[tuple[str, str], datetime] = {}
    for part in in_parts(sorted(lead_ids)):
        undone = select(Consent.lead_id, Consent.action, Consent.basis, func.max(Consent.at).label("at"))
        undone = undone.where(Consent.lead_id.in_(part), Consent.action.in_(("confirmed", "lifted")))
        for row in await session.execute(undone.group_by(Consent.lead_id, Consent.action, Consent.basis)):
            key = (row.lead_id, row.basis if row.action == "lifted" else "opt-out")
            found[key] = max(found.get(key, row.at), row.at)
    return found
