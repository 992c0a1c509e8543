"""Find a lead by any name it goes by; after a merge, find the lead that goes on.

Commands, webhooks and pages all look up here, so that a name means the same lead everywhere.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias, assert_never

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Identity, LeadRow
from nurture.errors import NotFoundError
from nurture.people.addresses import try_normalise
from perennial.platform.database import Transaction, connection_of, in_parts
from perennial.platform.program import command

NameKind: TypeAlias = Literal["id", "crm", "external", "address", "user", "anonymous"]
"""What a name can be: our own id, a CRM's id, an import's external id, an address, a product's or a visitor's id."""

SPOKEN: Sequence[NameKind] = ("id", "crm", "external", "address", "user")
"""The names by which people and other systems speak of a lead, the surest first.

A browser may claim any user id for itself, so that one comes last: it cannot take another lead's name away.
"""

_NO_TEXT = re.compile("[\\x00\\ud800-\\udfff]")

_LONGEST_CHAIN = 32
"""How many merges are followed; the limit only guards against a ring."""

_MERGED_INTO = select(LeadRow.merged_into).where(LeadRow.id == bindparam("lead"))


async def find_lead(session: AsyncSession, name: str, kinds: Sequence[NameKind] = SPOKEN) -> LeadRow | None:
    """The lead that goes by this name, or the one it was merged into; None if there is none."""
    lead_id = await find_named(session, name, kinds)
    return None if lead_id is None else await current_lead(session, lead_id)


async def require_lead(session: AsyncSession, name: str) -> LeadRow:
    """As `find_lead`; raises NotFoundError if no lead goes by this name."""
    lead = await find_lead(session, name)
    if lead is None:
        raise NotFoundError(
            f"no lead {name!r}; name one by its id, e-mail address, external id, CRM id or user id "
            f"(`{command('leads')}` lists them)"
        )
    return lead


async def find_named(session: AsyncSession, name: str, kinds: Sequence[NameKind] = SPOKEN) -> str | None:
    """The id of the lead that has this name itself, even if it was merged into another; None if there is none.

    Spaces around a name say nothing; a name that no text column holds (NUL, half a surrogate pair) is nobody's.
    """
    name = name.strip()
    if _NO_TEXT.search(name):
        return None
    for kind in kinds:
        if (lead_id := await _named(session, kind, name)) is not None:
            return lead_id
    return None


async def current_lead(session: AsyncSession, lead_id: str) -> LeadRow | None:
    """The lead of this id, or the one it was merged into; None if there is none."""
    lead = await session.get(LeadRow, lead_id)
    if lead is None or lead.merged_into is None:
        return lead
    current = await current_lead_id(session, lead.merged_into)
    return None if current is None else await session.get(LeadRow, current)


async def current_lead_id(transaction: Transaction, lead_id: str) -> str | None:
    """As `current_lead`, just its id."""
    connection = await connection_of(transaction)
    for _ in range(_LONGEST_CHAIN):
        found = (await connection.execute(_MERGED_INTO, {"lead": lead_id})).one_or_none()
        if found is None:
            return None
        if found[0] is None:
            break
        lead_id = found[0]
    return lead_id


async def current_leads(transaction: Transaction, lead_ids: Collection[str]) -> dict[str, str]:
    """Those of these leads that there are, each with the id of the lead that goes on."""
    connection = await connection_of(transaction)
    current: dict[str, str] = {}
    for part in in_parts(sorted(lead_ids)):
        rows = await connection.execute(select(LeadRow.id, LeadRow.merged_into).where(LeadRow.id.in_(part)))
        for lead_id, merged_into in rows.all():
            going_on = lead_id if merged_into is None else await current_lead_id(connection, merged_into)
            if going_on is not None:
                current[lead_id] = going_on
    return current


async def current_lead_ids(session: AsyncSession, lead_ids: Collection[str]) -> dict[str, str]:
    """Many leads by id, each with the id of the lead that goes on; leads that were never merged map to themselves."""
    current = {lead_id: lead_id for lead_id in lead_ids}
    for part in in_parts(sorted(current)):
        merged = await session.scalars(select(LeadRow.id).where(LeadRow.id.in_(part), LeadRow.merged_into.is_not(None)))
        for lead_id in merged.all():
            current[lead_id] = await current_lead_id(session, lead_id) or lead_id
    return current


async def leads_with_addresses(session: AsyncSession, email_keys: Collection[str]) -> dict[str, str]:
    """Those of these normalised addresses that are a lead's, each with the id of the lead that has it itself."""
    found: dict[str, str] = {}
    for part in in_parts(sorted(email_keys)):
        rows = await session.execute(select(LeadRow.email_key, LeadRow.id).where(LeadRow.email_key.in_(part)))
        found |= {row.email_key: row.id for row in rows}
    return found


async def _named(session: AsyncSession, kind: NameKind, name: str) -> str | None:
    match kind:
        case "id":
            wanted = select(LeadRow.id).where(LeadRow.id == name)
        case "external":
            wanted = select(LeadRow.id).where(LeadRow.external_id == name)
        case "address":
            if (key := try_normalise(name)) is None:
                return None
            wanted = select(LeadRow.id).where(LeadRow.email_key == key)
        case "crm" | "user" | "anonymous":
            wanted = select(Identity.lead_id).where(Identity.kind == kind, Identity.value == name)
        case _:
            assert_never(kind)
    found: str | None = await session.scalar(wanted)
    return found
