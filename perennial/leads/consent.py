"""The consent ledger: append-only. What a lead allows is what its last grant or withdrawal says.

A grant comes from a list, a form or a person, and outranks no withdrawal, whatever the dates. Only what the lead itself
has confirmed does.

A line says when, on which basis, from which source, and which wording the lead saw (a version, not the text). The
ledger also holds, as evidence, requests that a double opt-in has yet to confirm and suppressions that a person lifted.
Neither allows anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent
from nurture.errors import InputError, RefusedError
from nurture.gate import ConsentState
from perennial.platform.database import Transaction, connection_of

Basis = Literal["consent", "legitimate-interest", "contract"]
BASES: tuple[str, ...] = ("consent", "legitimate-interest", "contract")
ALLOWS = ("granted", "confirmed")
DECIDES = (*ALLOWS, "withdrawn")

LONGEST_SOURCE = 64
CONFIRM_WITHIN = timedelta(days=7)
"""How long the link of a double opt-in works."""

_DECISION = (
    select(Consent.action)
    .where(Consent.lead_id == bindparam("lead"), Consent.action.in_(DECIDES))
    .order_by(Consent.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class NewConsent:
    """One line of the ledger as it is written; `action` is granted, confirmed, withdrawn, requested or lifted."""

    lead_id: str
    at: datetime
    action: str
    basis: str
    source: str
    wording: str | None = None


async def write_lines(session: AsyncSession, lines: Iterable[NewConsent]) -> None:
    """Write lines, of one lead or of many. The caller has shortened each source to `LONGEST_SOURCE`."""
    if rows := [asdict(line) for line in lines]:
        await session.execute(insert(Consent), rows)


async def current(session: Transaction, lead_id: str) -> ConsentState:
    """What the ledger says now; `none` if nobody ever asked."""
    return meaning_of(await (await connection_of(session)).scalar(_DECISION, {"lead": lead_id}))


def meaning_of(decision: str | None) -> ConsentState:
    """What the last line that decides means; None if there is no such line."""
    return "none" if decision is None else "granted" if decision in ALLOWS else "withdrawn"


async def ledger(session: AsyncSession, lead_id: str) -> Sequence[Consent]:
    """Every line, oldest first."""
    return (await session.scalars(select(Consent).where(Consent.lead_id == lead_id).order_by(Consent.id))).all()


async def grant(
    session: AsyncSession, lead_id: str, at: datetime, *, basis: str, source: str, wording: str | None = None
) -> bool:
    """Write a grant; False if the lead has withdrawn: only its own confirmation outranks that.

    Raises InputError for an unknown basis, or without a source.
    """
    if basis not in BASES:
        raise InputError(f"unknown basis {basis!r}; one of {', '.join(BASES)}")
    if await current(session, lead_id) == "withdrawn":
        return False
    await _write(session, lead_id, at, "granted", basis=basis, source=source, wording=wording)
    return True


async def withdraw(
    session: Transaction, lead_id: str, at: datetime, *, source: str, wording: str | None = None
) -> bool:
    """Write a withdrawal; False if consent was withdrawn already."""
    if await current(session, lead_id) == "withdrawn":
        return False
    await _write(session, lead_id, at, "withdrawn", basis="consent", source=source, wording=wording)
    return True


async def request(session: AsyncSession, lead_id: str, at: datetime, *, source: str, wording: str) -> int:
    """Write that a lead asks for mail, the first half of a double opt-in; its number. It allows nothing yet."""
    return await _write(session, lead_id, at, "requested", basis="consent", source=source, wording=wording)


async def confirm(session: AsyncSession, lead_id: str, number: int, at: datetime, *, source: str) -> bool:
    """Grant what a request asked for, the second half of a double opt-in; False if it was confirmed before.

    Raises RefusedError for an unknown request, one older than a week, and one that a later withdrawal took back.
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
    if "confirmed" in later:
        return False
    if at > asked.at + CONFIRM_WITHIN:
        raise RefusedError(f"this link was good for {CONFIRM_WITHIN.days} days; ask again")
    await _write(session, lead_id, at, "confirmed", basis="consent", source=source, wording=asked.wording)
    return True


async def write_lift(session: AsyncSession, lead_id: str, at: datetime, *, reason: str, why: str) -> None:
    """Write that a person lifted the suppression `reason`, and why. It grants nothing."""
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
    """The number of the line that decides; 0 without one. It changes with each grant and each withdrawal."""
    last = await _last(session, lead_id, *DECIDES)
    return 0 if last is None else last.id


async def _write(
    session: Transaction, lead_id: str, at: datetime, action: str, *, basis: str, source: str, wording: str | None
) -> int:
    source = " ".join(source.split())
    if not source:
        raise InputError("a line of the consent ledger says where it comes from; name the form, list or person")
    if len(source) > LONGEST_SOURCE:
        raise InputError(f"{source[:20]!r}... is too long; say it in {LONGEST_SOURCE} characters")
    line = asdict(NewConsent(lead_id, at, action, basis, source, wording))
    number: int = (await session.execute(insert(Consent).values(line).returning(Consent.id))).scalar_one()
    return number
