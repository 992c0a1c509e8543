"""Who is who: from a visitor's or a product's id, or an address, to the one lead that a person is.

An anonymous visitor becomes a lead's when it says its address, and what it did before is then told as the lead's. What
is said from a browser can be said by anyone, so it fills gaps of a profile and never changes it, brings no erased or
suppressed address back, and makes no two leads one: a person does that, by `merge`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.journeys import Enrolment
from models.leads import Identity, LeadRow, ScoreEntry
from nurture.errors import InputError
from nurture.people.addresses import is_role, normalise
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from perennial.leads import consent
from perennial.leads.importing.changes import new_lead_id
from perennial.leads.lock import lock_lead
from perennial.leads.profile import profile_of
from perennial.leads.suppression import barred, suppress
from perennial.platform.database import Transaction, connection_of, upsert_ignore

Kind = Literal["anonymous", "user", "crm"]
LONGEST_ID = 128
_MOST_MERGES = 32
_USER = "user:"


async def current_lead(session: AsyncSession, lead_id: str) -> LeadRow | None:
    """The lead of this id, or the one that goes on after it was merged; None if there is none."""
    lead = await session.get(LeadRow, lead_id)
    for _ in range(_MOST_MERGES):
        if lead is None or lead.merged_into is None:
            return lead
        lead = await session.get(LeadRow, lead.merged_into)
    return lead


_MERGED_INTO = select(LeadRow.merged_into).where(LeadRow.id == bindparam("lead"))


async def current_lead_id(transaction: Transaction, lead_id: str) -> str | None:
    """As `current_lead`, just its id."""
    connection = await connection_of(transaction)
    for _ in range(_MOST_MERGES):
        found = (await connection.execute(_MERGED_INTO, {"lead": lead_id})).one_or_none()
        if found is None or found[0] is None:
            break
        lead_id = found[0]
    return None if found is None else lead_id


_LEAD_ID_ON = select(Enrolment.lead_id).where(Enrolment.id == bindparam("enrolment"))


async def lock_current_lead(transaction: Transaction, enrolment_id: str) -> None:
    """Lock the lead that an enrolment is of now, whoever it is by then. SQLite has one writer: nothing to do."""
    connection = await connection_of(transaction)
    if connection.dialect.name == "sqlite":
        return
    lead_id = await connection.scalar(_LEAD_ID_ON, {"enrolment": enrolment_id})
    while True:
        await lock_lead(connection, str(lead_id))
        now = await connection.scalar(_LEAD_ID_ON, {"enrolment": enrolment_id})
        if now == lead_id:
            return
        lead_id = now


async def known_as(session: AsyncSession, kind: Kind, value: str) -> LeadRow | None:
    """The lead that goes by this id; a CRM's id may also be the external id of an import."""
    lead_id = await session.scalar(select(Identity.lead_id).where(Identity.kind == kind, Identity.value == value))
    if lead_id is None and kind == "crm":
        lead_id = await session.scalar(select(LeadRow.id).where(LeadRow.external_id == value))
    return None if lead_id is None else await current_lead(session, lead_id)


async def with_address(session: AsyncSession, email: str) -> LeadRow | None:
    """The lead with this address; None also for what is no address."""
    key = _key(email)
    lead_id = key and await session.scalar(select(LeadRow.id).where(LeadRow.email_key == key))
    return await current_lead(session, lead_id) if lead_id else None


async def name(session: AsyncSession, lead_id: str, kind: Kind, value: str, at: datetime) -> None:
    """Know a lead by this id from now on. A browser changes hands and takes its id along; other ids stay."""
    if not 0 < len(value) <= LONGEST_ID:
        return
    row = {"kind": kind, "value": value, "lead_id": lead_id, "at": at}
    added = await session.scalar(upsert_ignore(Identity, row).returning(Identity.value))
    if added is None and kind == "anonymous":
        moved = update(Identity).where(Identity.kind == kind, Identity.value == value, Identity.lead_id != lead_id)
        await session.execute(moved.values(lead_id=lead_id, at=at), execution_options={"synchronize_session": False})


def visitor_of(user_id: str | None) -> str | None:
    """The visitor's id under which events wait that only a user id names, until that user is a lead; None if too long.

    A user id that no lead has yet is a visitor's as long: its page views are attached once it says its address.
    """
    visitor = f"{_USER}{user_id}" if user_id else ""
    return visitor if 0 < len(visitor) <= LONGEST_ID else None


async def attach(session: AsyncSession, lead_id: str, anonymous_id: str) -> int:
    """Give the relay a visitor's earlier events again, now as this lead's; how many there were."""
    earlier = update(Event).where(Event.anonymous_id == anonymous_id, Event.state == "anonymous")
    found = await session.scalars(
        earlier.values(state="new", lead_id=lead_id).returning(Event.id),
        execution_options={"synchronize_session": False},
    )
    return len(found.all())


async def reattach(session: AsyncSession, events: Sequence[int]) -> int:
    """Of events just found to be nobody's, give those again whose visitor has become a lead meanwhile; how many.

    A visitor's page view and the form that names it can come in one batch: when the form is read, the page view has not
    been put aside yet, and `attach` does not find it.
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
        await session.execute(again, execution_options={"synchronize_session": False})
    return len(known)


@dataclass(frozen=True)
class Identities:
    """Finds and makes leads. `secret` is the installation's: it keys the hashes of barred addresses."""

    secret: str
    scoring: ScoringModel = DEFAULT_MODEL

    async def resolve(
        self,
        session: AsyncSession,
        *,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        email: str | None = None,
        traits: Mapping[str, Any] | None = None,
        at: datetime,
    ) -> str | None:
        """The id of the lead that these names mean, who from now on goes by all of them; None if it cannot be told.

        The user id decides, then the address, then the visitor's id. An address that no lead has makes a new lead if
        `traits["consent"]` says on which basis it may be written to: `{"basis": "consent", "source": "guide-form",
        "wording": "2026-03"}`, or just the basis. Earlier events of the visitor become `new` again, with the lead.
        Erased leads and barred addresses are nobody's. Repeating it changes nothing.
        """
        traits = traits or {}
        lead = await self._known(session, user_id, email, anonymous_id)
        if lead is None and email is not None:
            lead = await self._new(session, email, traits, at)
        if lead is None or lead.erased_at is not None:
            return None
        if email is not None and lead.email_key == _key(email):
            await self._fill(session, lead, traits, at)
        if user_id:
            await name(session, lead.id, "user", user_id, at)
            if visitor := visitor_of(user_id):
                await attach(session, lead.id, visitor)
        if anonymous_id:
            await name(session, lead.id, "anonymous", anonymous_id, at)
            await attach(session, lead.id, anonymous_id)
        return lead.id

    async def _known(
        self, session: AsyncSession, user_id: str | None, email: str | None, anonymous_id: str | None
    ) -> LeadRow | None:
        if user_id and (lead := await known_as(session, "user", user_id)):
            return lead
        if email is not None:
            # Whoever says its address says who it is: the browser may have been another's before.
            return await with_address(session, email)
        lead = await known_as(session, "anonymous", anonymous_id) if anonymous_id else None
        if lead is not None and user_id:
            # The browser's lead has another user id already: somebody else sits there now.
            other = select(Identity.value).where(Identity.kind == "user", Identity.lead_id == lead.id)
            return lead if await session.scalar(other.limit(1)) is None else None
        return lead

    async def _new(self, session: AsyncSession, email: str, traits: Mapping[str, Any], at: datetime) -> LeadRow | None:
        key, agreed = _key(email), agreed_to(traits)
        if key is None or agreed is None or await barred(session, self.secret, [key]):
            return None
        profile = profile_of(traits)
        row = {
            "id": new_lead_id(),
            "email": email.strip(),
            "email_key": key,
            "time_zone": profile.time_zone or "UTC",
            "traits": dict(profile.traits),
            "created_at": at,
            **profile.names(),
        }
        # Two identify events of one person can come at once: the second then finds the first one's lead.
        new = await session.scalar(upsert_ignore(LeadRow, row).returning(LeadRow.id))
        lead: LeadRow | None = await session.scalar(select(LeadRow).where(LeadRow.email_key == key))
        if lead is None or new is None:
            return lead and await current_lead(session, lead.id)
        basis, source, wording = agreed
        await consent.grant(session, lead.id, at, basis=basis, source=source, wording=wording)
        if is_role(key):
            await suppress(session, lead.id, "role-address", at, source="identify")
        await self._fit(session, lead, at)
        return lead

    async def _fill(self, session: AsyncSession, lead: LeadRow, traits: Mapping[str, Any], at: datetime) -> None:
        """Add what the profile lacks, and consent where nobody ever asked for it."""
        profile = profile_of(traits)
        await lock_lead(session, lead.id)
        for field, value in profile.names().items():
            if getattr(lead, field) is None:
                setattr(lead, field, value)
        more = {name_: value for name_, value in profile.traits.items() if name_ not in lead.traits}
        if more:
            lead.traits = lead.traits | more
            await self._fit(session, lead, at)
        agreed = agreed_to(traits)
        if agreed and await consent.current(session, lead.id) == "none":
            basis, source, wording = agreed
            await consent.grant(session, lead.id, at, basis=basis, source=source, wording=wording)

    async def _fit(self, session: AsyncSession, lead: LeadRow, at: datetime) -> None:
        rows = [
            {"lead_id": lead.id, "rule": entry.rule, "points": entry.points, "reason": entry.reason, "at": entry.at}
            for entry in self.scoring.fit_entries(lead.traits, at)
        ]
        if rows:
            await session.execute(upsert_ignore(ScoreEntry, [row | {"behaviour_id": ""} for row in rows]))


def agreed_to(traits: Mapping[str, Any]) -> tuple[str, str, str | None] | None:
    """Basis, source and wording of the consent in an event's traits; None if there is no usable one."""
    said = traits.get("consent")
    if isinstance(said, str):
        said = {"basis": said}
    if not isinstance(said, Mapping) or said.get("basis") not in consent.BASES:
        return None
    source, wording = said.get("source"), said.get("wording")
    source = " ".join(source.split())[: consent.LONGEST_SOURCE] if isinstance(source, str) else ""
    return str(said["basis"]), source or "identify", wording[:64] if isinstance(wording, str) else None


def _key(email: str) -> str | None:
    try:
        return normalise(email)
    except InputError:
        return None
