"""An installation: its settings, its database and its clock. None of them needs Temporal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from nurture.timing.clock import Clock
from perennial.platform.clock import LiveClock, read_clock
from perennial.platform.database import Database
from perennial.platform.settings import Settings


@dataclass(frozen=True)
class Installation:
    """What every program of an installation shares. The web service and the worker add what they need."""

    settings: Settings
    database: Database
    clock: Clock

    @property
    def time(self) -> LiveClock:
        """The clock, running."""
        return LiveClock(self.clock)

    def now(self) -> datetime:
        """The time it is for the journeys."""
        return self.time.now()


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncIterator[Installation]:
    """Open the database that the settings name, and close it at the end of the block."""
    database = Database(settings.database_url)
    try:
        yield Installation(settings, database, await read_clock(database))
    finally:
        await database.close()
