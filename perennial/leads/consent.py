"""The consent ledger: append-only. What a lead allows is what its last grant or withdrawal says.

A line says when, on which basis, from which source, and which wording the lead saw (a version, not the text). Besides
grants and withdrawals it holds requests that a double opt-in has yet to confirm, and suppressions that a person
lifted: evidence, of which neither allows anything.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent
from nurture.errors import InputError, RefusedError
from nurture.gate import Consent as Current

Basis = Literal["consent", "legitimate-interest", "contract"]
BASES: tuple[str, ...] = ("consent", "legitimate-interest", "contract")
DECIDES = ("granted", "withdrawn")

LONGEST_SOURCE = 64
CONFIRM_WITHIN = timedelta(days=7)
"""How long a link of a double opt-in is good for."""

_DECISION = (
    select(Consent.action)
    .where(Consent.lead_id == bindparam("lead"), Consent.action.in_(DECIDES))
    .order_by(Consent.id.desc())
    .limit(1)
)


async def current(session: AsyncSession, lead_id: str) -> Current:
    """What the ledger says now; `none` if nobody ever asked."""
    return meaning_of(await (await session.connection()).scalar(_DECISION, {"lead": lead_id}))


def meaning_of(decision: str | None) -> Current:
    """What the last line that decides means; None if there is no such line."""
    return "none" if decision is None else "granted" if decision == "granted" else "withdrawn"


async def ledger(session: AsyncSession, lead_id: str) -> Sequence[Consent]:
    """Every line, oldest first."""
    return (await session.scalars(select(Consent).where(Consent.lead_id == lead_id).order_by(Consent.id))).all()


async def grant(
    session: AsyncSession, lead_id: str, at: datetime, *, basis: str, source: str, wording: str | None = None
) -> None:
    """Write a grant. Raises InputError for an unknown basis, or without a source."""
    if basis not in BASES:
        raise InputError(f"unknown basis {basis!r}; one of {', '.join(BASES)}")
    await _write(session, lead_id, at, "granted", basis=basis, source=source, wording=wording)


async def withdraw(
    session: AsyncSession, lead_id: str, at: datetime, *, source: str, wording: str | None = None
) -> bool:
    """Write a withdrawal; False if consent was withdrawn already."""
    if await current(session, lead_id) == "withdrawn":
        return False
    await _write(session, lead_id, at, "withdrawn", basis="consent", source=source, wording=wording)
    return True


async def request(session: AsyncSession, lead_id: str, at: datetime, *, source: str, wording: str) -> int:
    """Write down that a lead asks for mail, the first half of a double opt-in; it allows nothing yet. Its number."""
    return await _write(session, lead_id, at, "requested", basis="consent", source=source, wording=wording)


async def confirm(session: AsyncSession, lead_id: str, number: int, at: datetime, *, source: str) -> bool:
    """Second half of a double opt-in: grant what was asked for; False if this request was confirmed before.

    Raises RefusedError for a request of nobody, one that is older than a week, and one that a later withdrawal took
    back.
    """
    asked = await session.get(Consent, number)
    if asked is None or asked.lead_id != lead_id or asked.action != "requested":
        raise RefusedError("there is no such request to confirm")
    since = select(Consent.action).where(
        Consent.lead_id == lead_id, Consent.id > number, Consent.action.in_(DECIDES), Consent.basis == "consent"
    )
    later = (await session.scalars(since.order_by(Consent.id))).all()
    if "withdrawn" in later:
        raise RefusedError("you have unsubscribed since; ask again if you would like to hear from us")
    if "granted" in later:
        return False
    if at > asked.at + CONFIRM_WITHIN:
        raise RefusedError(f"this link was good for {CONFIRM_WITHIN.days} days; ask again")
    await _write(session, lead_id, at, "granted", basis="consent", source=source, wording=asked.wording)
    return True


async def note_lift(session: AsyncSession, lead_id: str, at: datetime, *, reason: str, why: str) -> None:
    """Write down that a person lifted the suppression `reason`, and why. It grants nothing."""
    await _write(session, lead_id, at, "lifted", basis=reason, source=why, wording=None)


async def _last(session: AsyncSession, lead_id: str, *actions: str) -> Consent | None:
    last: Consent | None = await session.scalar(
        select(Consent)
        .where(Consent.lead_id == lead_id, Consent.action.in_(actions))
        .order_by(Consent.id.desc())
        .limit(1)
    )
    return last


async def last_decision(session: AsyncSession, lead_id: str) -> int:
    """The number of the line that holds; 0 without one. It changes with each grant and each withdrawal."""
    last = await _last(session, lead_id, *DECIDES)
    return 0 if last is None else last.id


async def _write(
    session: AsyncSession, lead_id: str, at: datetime, action: str, *, basis: str, source: str, wording: str | None
) -> int:
    source = " ".join(source.split())
    if not source:
        raise InputError("a line of the consent ledger says where it comes from; name the form, list or person")
    if len(source) > LONGEST_SOURCE:
        raise InputError(f"{source[:20]!r}... is too long; say it in {LONGEST_SOURCE} characters")
    line = Consent(lead_id=lead_id, at=at, action=action, basis=basis, source=source, wording=wording)
    session.add(line)
    await session.flush()
    return line.id
