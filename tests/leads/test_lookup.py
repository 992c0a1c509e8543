"""One look-up for every name that a lead goes by, as people and other systems write it."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from perennial.leads.identity import write_identity
from perennial.leads.lookup import find_lead
from perennial.platform.database import Database
from tests.builders import NOON, does, person, settle


async def found(database: Database, name: str) -> str | None:
    """The id of the lead of this name."""

    async def finding(session: AsyncSession) -> str | None:
        lead = await find_lead(session, name)
        return None if lead is None else lead.id

    return await does(database, finding)


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("ada", "ada"),
        (" ada\n", "ada"),
        ("ADA@Example.COM", "ada"),
        ("ada@ｅxample.com", "ada"),
        (" NW-1 ", "ada"),
        ("003-crm", "ada"),
        ("\t4711", "ada"),
        ("客户-7", "bo"),
        ("bo@xn--bcher-kva.example", "bo"),
        ("BO@Bücher.example", "bo"),
        ("a\0da", None),
        ("ada\0", None),
        ("\ud800", None),
        ("", None),
        ("nobody", None),
    ],
)
async def test_a_lead_is_found_by_every_name_and_by_nothing_else(
    database: Database, name: str, lead: str | None
) -> None:
    """By id, address in any case and script, external id, CRM id and user id; what no database holds names nobody."""
    await settle(
        database,
        person("ada", external_id="NW-1"),
        person("bo", email="bo@bücher.example", email_key="bo@bücher.example"),
    )

    async def name_them(session: AsyncSession) -> None:
        await write_identity(session, "ada", "crm", "003-crm", NOON)
        await write_identity(session, "ada", "user", "4711", NOON)
        await write_identity(session, "bo", "user", "客户-7", NOON)

    await does(database, name_them)
    assert await found(database, name) == lead
