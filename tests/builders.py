"""Rows that tests start from, each complete and changed by keyword; and calls that store and read them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Base
from models.journeys import Enrolment
from models.leads import Consent, LeadRow
from models.touches import Touch
from perennial.leads import consent
from perennial.platform.database import Database
from perennial.platform.secrets import Secrets

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECRETS = Secrets("a secret of these tests, long enough")

Found = TypeVar("Found")


def person(lead_id: str = "l1", *, at: datetime = NOON, **changes: Any) -> LeadRow:
    """A lead with an address of its own."""
    address = f"{lead_id}@example.com"
    return LeadRow(**({"id": lead_id, "email": address, "email_key": address, "created_at": at} | changes))


def ada(**changes: Any) -> LeadRow:
    """The lead `l1`, whose address has a capital letter."""
    return person(**({"lead_id": "l1", "email": "Ada@example.com", "email_key": "ada@example.com"} | changes))


def granted(lead_id: str = "l1", *, at: datetime = NOON, **changes: Any) -> Consent:
    """A lead's consent."""
    return Consent(
        **({"lead_id": lead_id, "at": at, "action": "granted", "basis": "consent", "source": "form"} | changes)
    )


def consenting(lead_id: str, *, at: datetime = NOON, **changes: Any) -> list[LeadRow | Consent]:
    """A lead of whom all is known that content asks for, in Berlin, and its consent."""
    known = {
        "email": f"{lead_id}@northwind.example",
        "email_key": f"{lead_id}@northwind.example",
        "first_name": "Ada",
        "company": "Northwind",
        "time_zone": "Europe/Berlin",
        "traits": {"topic": "forecasting", "industry": "retail"},
    }
    return [person(lead_id, at=at, **known | changes), granted(lead_id, at=at)]


def enrolment(
    track: str = "new-lead", lead_id: str = "l1", number: int = 1, *, at: datetime = NOON, **changes: Any
) -> Enrolment:
    """A lead's stay on a track, active unless another status is given."""
    named = {"id": f"{track}/{lead_id}/{number}", "lead_id": lead_id, "track": track, "number": number}
    return Enrolment(**(named | {"status": "active", "started_at": at} | changes))


def touch_values(
    touch_id: str = "t1", track: str = "new-lead", lead_id: str = "l1", *, at: datetime = NOON, **changes: Any
) -> dict[str, Any]:
    """The columns of a touch, the welcome mail of a lead's first stay unless changed."""
    return {
        "id": touch_id,
        "enrolment_id": f"{track}/{lead_id}/1",
        "lead_id": lead_id,
        "track": track,
        "step_key": "send:welcome",
        "piece": "welcome",
        "state": "sending",
        "at": at,
    } | changes


def touch(
    touch_id: str = "t1", track: str = "new-lead", lead_id: str = "l1", *, at: datetime = NOON, **changes: Any
) -> Touch:
    """A touch: the welcome mail of a lead's first stay unless changed."""
    return Touch(**touch_values(touch_id, track, lead_id, at=at, **changes))


async def store(database: Database, *rows: Base) -> None:
    """Store rows."""
    async with database.writing() as session:
        session.add_all(rows)


async def settle(database: Database, *leads: LeadRow) -> None:
    """Store leads, each with its consent."""
    await store(database, *leads, *(granted(lead.id) for lead in leads))


async def does(database: Database, work: Callable[[AsyncSession], Awaitable[Found]]) -> Found:
    """Work done in one committed transaction."""
    async with database.writing() as session:
        return await work(session)


async def count(database: Database, table: type[Base]) -> int:
    """How many rows a table has."""
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def rows(database: Database, table: type[Base], **where: Any) -> list[Any]:
    """The rows of a table, by primary key."""
    async with database.reading() as session:
        found = await session.scalars(select(table).filter_by(**where).order_by(*table.__table__.primary_key))
        return list(found)


async def only(database: Database, table: type[Base]) -> Any:
    """The only row of a table."""
    (row,) = await rows(database, table)
    return row


async def one(database: Database, lead_id: str) -> LeadRow:
    """A lead as it is stored."""
    async with database.reading() as session:
        return await session.get_one(LeadRow, lead_id)


async def consent_of(database: Database, lead_id: str) -> str:
    """What the ledger says."""
    async with database.reading() as session:
        return await consent.current(session, lead_id)
