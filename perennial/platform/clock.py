"""The installation's one clock, kept in the database so that every process reads the same."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from models.shared import ClockRow
from nurture.errors import SettingsError
from nurture.timing.clock import Clock, describe_speed
from perennial.platform.database import Database, upsert_ignore

THE_CLOCK = 1


def wall_clock() -> datetime:
    """The machine's time, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class LiveClock:
    """The installation's clock, read by the machine's: what time it is for the journeys."""

    clock: Clock
    wall: Callable[[], datetime] = wall_clock

    def now(self) -> datetime:
        """The time it is for the journeys."""
        return self.clock.virtual_at(self.wall())

    def on_time(self, due: datetime) -> datetime:
        """When the work that was due at `due` is done: then, or now if it is late. Never before `due`."""
        return max(due, self.clock.on_time(due, self.wall()))


async def read_clock(database: Database) -> Clock:
    """The clock of this installation; without one, production's."""
    async with database.reading() as session:
        row = await session.scalar(select(ClockRow).where(ClockRow.id == THE_CLOCK))
    if row is None:
        return Clock.production()
    return Clock(real=row.real, virtual=row.virtual, speed=row.speed)


async def set_clock(database: Database, speed: float) -> Clock:
    """Fix the clock's speed, once, from now on; raises SettingsError if it is fixed at another speed already.

    Journeys carry their deadlines by this clock, so that it cannot change under them.
    """
    now = wall_clock()
    async with database.writing() as session:
        if speed != 1:
            row = {"id": THE_CLOCK, "real": now, "virtual": now, "speed": speed}
            await session.execute(upsert_ignore(ClockRow, row))
    clock = await read_clock(database)
    if clock.speed != speed:
        raise SettingsError(
            f"this installation's clock runs at {describe_speed(clock.speed)}; "
            f"for {describe_speed(speed)} start with another data folder (PERENNIAL_DATA_DIR)"
        )
    return clock
