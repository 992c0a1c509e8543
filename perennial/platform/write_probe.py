"""Whether the database can be written to: a full disk, a lock and a standby server show only when one tries."""

from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text

from perennial.platform.database import Database

LASTS = 5.0
"""Seconds that a success is believed: anybody may ask, and each check is a commit."""

_TOUCH = text("UPDATE alembic_version SET version_num = version_num")


@dataclass(slots=True)
class WriteProbe:
    """Checks by a commit, at most once in a while."""

    _well_until: float = 0.0

    async def check(self, database: Database) -> None:
        """Raise what the database raises if it cannot be written to."""
        if monotonic() < self._well_until:
            return
        async with database.writing() as session:
            await session.execute(_TOUCH)
        self._well_until = monotonic() + LASTS
