"""Now, for an activity: the moment the workflow asked for, unless the work has come to it late."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from nurture.timing.clock import Clock


def wall_clock() -> datetime:
    """The machine's time, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Moment:
    """The one clock as activities and commands read it."""

    clock: Clock
    wall: Callable[[], datetime] = wall_clock

    def now(self) -> datetime:
        """The time it is for the journeys."""
        return self.clock.virtual_at(self.wall())

    def of(self, asked: datetime) -> datetime:
        """`asked`, or the later time it has become if more than a little real time passed since."""
        late = self.wall() - self.clock.real_at(asked)
        return self.now() if late > self.clock.grace else asked
