"""Who is who: from a visitor's id, a product's user id, or an address to the one lead that a person is.

An anonymous visitor becomes a lead's when it says its address. Anyone can say anything from a browser, so what is said
there fills gaps of a profile and never changes it, brings no erased or suppressed address back, and makes no two leads
one: a person does that, by `merge`.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Identity, LeadRow
from nurture.people.addresses import is_role, try_normalise
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.leads.lookup import current_lead, find_lead
from perennial.leads.profile import profile_of
from perennial.leads.scores import write_entries
from perennial.leads.suppressed_addresses import suppressed_addresses
from perennial.leads.suppression import suppress
from perennial.platform.database import upsert_ignore
from perennial.platform.prepared import Prepared
from perennial.platform.secrets import Secrets

IdentityKind = Literal["anonymous", "user", "crm"]
LONGEST_ID = 128
_PREVIOUS: tuple[Literal["user", "anonymous"], ...] = ("user", "anonymous")


def new_lead_id() -> str:
    """A new opaque id: `ld` and 20 letters and digits of base 32, 100 bits from the system's random source."""
    return "ld" + base64.b32encode(secrets.token_bytes(13)).decode().lower()[:20]


_NAMED = Prepared(
    select(Identity.kind, Identity.lead_id)
    .join(LeadRow, LeadRow.id == Identity.lead_id)
    .where(
        or_(
            and_(Identity.kind == "user", Identity.value == bindparam("user")),
            and_(Identity.kind == "anonymous", Identity.value == bindparam("anonymous")),
        ),
        LeadRow.merged_into.is_(None),
        LeadRow.erased_at.is_(None),
    )
)


async def write_identity(session: AsyncSession, lead_id: str, kind: IdentityKind, value: str, at: datetime) -> None:
    """Know a lead by this id from now on. A browser changes hands and takes its id along; other ids stay."""
    value = value.strip()
    if not 0 < len(value) <= LONGEST_ID:
        return
    row = {"kind": kind, "value": value, "lead_id": lead_id, "at": at}
    added = await session.scalar(upsert_ignore(Identity, row).returning(Identity.value))
    if added is None and kind == "anonymous":
        moved = update(Identity).where(Identity.kind == kind, Identity.value == value, Identity.lead_id != lead_id)
        await session.execute(moved.values(lead_id=lead_id, at=at), execution_options={"synchronize_session": False})


@dataclass(frozen=True)
class Identities:
    """Finds and makes leads. `secrets` are the installation's: they key the hashes of suppressed addresses."""

    secrets: Secrets
    scoring: ScoringModel = DEFAULT_MODEL

    async def known_by(self, session: AsyncSession, *, user_id: str | None, anonymous_id: str | None) -> str | None:
        """The lead that all of these names mean already, as most calls of a website say nothing new; None otherwise."""
        names = {(kind, value) for kind, value in (("user", user_id), ("anonymous", anonymous_id)) if value}
        if not names:
            return None
        rows = await _NAMED.rows(await session.connection(), {"user": user_id or "", "anonymous": anonymous_id or ""})
        leads = {lead_id for _, lead_id in rows}
        return leads.pop() if len(leads) == 1 and len(rows) == len(names) else None

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
        """The id of the lead that these names mean, known by all of them from now on; None if they mean nobody.

        The user id decides, then the address, then the visitor's id. An address that no lead has makes a new lead if
        `traits["consent"]` says on which basis it may be written to: `{"basis": "consent", "source": "guide-form",
        "wording": "2026-03"}`, or just the basis. Erased leads and suppressed addresses are nobody's. Repeating it
        changes nothing.
        """
        traits = traits or {}
        lead = await self._known(session, user_id, email, anonymous_id)
        if lead is None and email is not None:
            lead = await self._new(session, email, traits, at)
        if lead is None or lead.erased_at is not None:
            return None
        if email is not None and lead.email_key == try_normalise(email):
            await self._fill(session, lead, traits, at)
        if user_id:
            await write_identity(session, lead.id, "user", user_id, at)
        if anonymous_id:
            await write_identity(session, lead.id, "anonymous", anonymous_id, at)
        return lead.id

    async def renamed(self, session: AsyncSession, *, user_id: str | None, previous: str, at: datetime) -> str | None:
        """The lead that has the previous id, known by `user_id` from now on; None if nobody has it.

        A browser's id is no one's word for a user whose lead has another user id: somebody else sat there.
        """
        if (lead := await find_lead(session, previous, ["user"])) is not None and lead.erased_at is None:
            if user_id:
                await write_identity(session, lead.id, "user", user_id, at)
            return lead.id
        return await self.resolve(session, user_id=user_id, anonymous_id=previous, at=at)

    async def join(self, session: AsyncSession, lead_id: str, previous: str, at: datetime) -> bool:
        """Know a lead by an id that it had before; False, and nothing changes, if that is another lead's."""
        for kind in _PREVIOUS:
            other = await find_lead(session, previous, [kind])
            if other is not None and other.id != lead_id:
                return False
        for kind in _PREVIOUS:
            await write_identity(session, lead_id, kind, previous, at)
        return True

    async def _known(
        self, session: AsyncSession, user_id: str | None, email: str | None, anonymous_id: str | None
    ) -> LeadRow | None:
        if user_id and (lead := await find_lead(session, user_id, ["user"])):
            return lead
        if email is not None:
            # Whoever says its address says who it is: the browser may have been another's before.
            return await find_lead(session, email, ["address"])
        lead = await find_lead(session, anonymous_id, ["anonymous"]) if anonymous_id else None
        if lead is not None and user_id:
            # The browser's lead has another user id already: somebody else sits there now.
            other = select(Identity.value).where(Identity.kind == "user", Identity.lead_id == lead.id)
            return lead if await session.scalar(other.limit(1)) is None else None
        return lead

    async def _new(self, session: AsyncSession, email: str, traits: Mapping[str, Any], at: datetime) -> LeadRow | None:
        key, agreed = try_normalise(email), agreed_to(traits)
        if key is None or agreed is None or await suppressed_addresses(session, self.secrets, [key]):
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
        entries = self.scoring.fit_entries(lead.traits, at)
        await write_entries(session, [(lead.id, entry) for entry in entries])


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
