"""What a web service has stored, for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import Base
from models.intake import Event
from models.leads import Suppression
from perennial.platform.database import Database

T = TypeVar("T")


class Store:
    """The database of a service, read and written from a test that is not asynchronous."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """The result of `work` in one transaction."""

        async def once() -> T:
            database = Database(self.url)
            try:
                async with database.writing() as session:
                    return await work(session)
            finally:
                await database.close()

        return asyncio.run(once())

    def add(self, *rows: Base) -> None:
        """Store rows."""

        async def work(session: AsyncSession) -> None:
            session.add_all(rows)

        self.run(work)

    def events(self) -> list[Event]:
        """Every stored event, in order."""

        async def work(session: AsyncSession) -> list[Event]:
            return list(await session.scalars(select(Event).order_by(Event.id)))

        return self.run(work)

    def suppressions(self) -> set[tuple[str, str]]:
        """Every suppression: lead and reason."""

        async def work(session: AsyncSession) -> set[tuple[str, str]]:
            return {(row.lead_id, row.reason) for row in await session.scalars(select(Suppression))}

        return self.run(work)
