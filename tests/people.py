"""Two people in a database, and calls on it that read as sentences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Base
from models.leads import Consent, LeadRow
from perennial.leads import consent
from perennial.platform.database import Database
from tests.builders import store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECRET = "a secret of these tests, long enough"
Found = TypeVar("Found")


def person(lead_id: str, **changes: Any) -> LeadRow:
    """A lead with an address of its own."""
    address = f"{lead_id}@example.com"
    return LeadRow(**({"id": lead_id, "email": address, "email_key": address, "created_at": NOON} | changes))


def granted(lead_id: str) -> Consent:
    """Its consent."""
    return Consent(lead_id=lead_id, at=NOON, action="granted", basis="consent", source="form")


async def settle(database: Database, *leads: LeadRow) -> None:
    """Store leads, each with its consent."""
    await store(database, *leads, *(granted(lead.id) for lead in leads))


async def does(database: Database, work: Callable[[AsyncSession], Awaitable[Found]]) -> Found:
    """Work done in one committed transaction."""
    async with database.writing() as session:
        return await work(session)


async def rows(database: Database, table: type[Base], **where: Any) -> list[Any]:
    """The rows of a table, by primary key."""
    async with database.reading() as session:
        found = await session.scalars(select(table).filter_by(**where).order_by(*table.__table__.primary_key))
        return list(found)


async def one(database: Database, lead_id: str) -> LeadRow:
    """A lead as it is stored."""
    async with database.reading() as session:
        return await session.get_one(LeadRow, lead_id)


async def consent_of(database: Database, lead_id: str) -> str:
    """What the ledger says."""
    async with database.reading() as session:
        return await consent.current(session, lead_id)
