"""Rows that the tests of the database start from, and two calls to store and count them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from models.base import Base
from models.journeys import Enrolment
from models.leads import LeadRow
from perennial.platform.database import Database

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def ada(**changes: Any) -> LeadRow:
    fields = {"id": "l1", "email": "Ada@example.com", "email_key": "ada@example.com", "created_at": NOON}
    return LeadRow(**(fields | changes))


def enrolment(**changes: Any) -> Enrolment:
    fields = {"id": "new-lead/l1/1", "lead_id": "l1", "track": "new-lead", "number": 1, "status": "active"}
    return Enrolment(**(fields | {"started_at": NOON} | changes))


def touch(touch_id: str, step_key: str = "send:welcome", enrolment_id: str = "new-lead/l1/1") -> dict[str, Any]:
    return {
        "id": touch_id,
        "enrolment_id": enrolment_id,
        "lead_id": "l1",
        "track": "new-lead",
        "step_key": step_key,
        "piece": "welcome",
        "state": "sending",
        "at": NOON,
    }


async def store(database: Database, *rows: Base) -> None:
    async with database.writing() as session:
        session.add_all(rows)


async def count(database: Database, table: type[Base]) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0
