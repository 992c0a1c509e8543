"""Sweep the segments that tracks are entered by: a stay of a lead in one enrols it once, however often it is swept."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from nurture.errors import RefusedError
from nurture.segments.entered import segments_entered
from nurture.segments.named import Segment
from perennial.journeys.enrolling import Enroller
from perennial.journeys.episodes import Entry, note_episodes, settle, unsettled

AT_ONCE = 16
"""How many leads are enrolled at the same time."""


@dataclass(frozen=True, slots=True)
class Swept:
    """A way into a track, swept: how many leads are in the segment, came, left, and what came of those to enrol."""

    track: str
    segment: str
    within: int
    came: int
    left: int
    results: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Sweeper:
    """Enrols those who come into a segment. `segments` are the programme's, by name; `clock` says what time it is."""

    enroller: Enroller
    segments: Mapping[str, Segment]
    clock: Callable[[], datetime]

    @property
    def entries(self) -> list[Entry]:
        """The ways into tracks by segment. Raises NotFoundError for a segment that is none."""
        tracks = self.enroller.tracks.values()
        return [Entry(track, self.segments[name]) for track in tracks for name in segments_entered(track)]

    async def sweep(self, told: Callable[[str, int, int], None] = lambda _way, _done, _all: None) -> list[Swept]:
        """Sweep each segment that a track is entered by; `told` hears the way, and how many of how many are enrolled.

        Cut short, sweep again: it takes up where it stopped. Raises what Temporal or the database raises when away.
        """
        return [await self._sweep(entry, told) for entry in self.entries]

    async def _sweep(self, entry: Entry, told: Callable[[str, int, int], None]) -> Swept:
        database = self.enroller.database
        noted = await note_episodes(database, entry, self.enroller.scoring, self.clock)
        async with database.reading() as session:
            stays = await unsettled(session, entry)
        swept = Swept(entry.track.name, entry.segment.name, noted.within, noted.came, noted.left)
        left = iter(stays)

        async def lane() -> None:
            for lead_id, number in left:
                swept.results[await self._enrol(entry, lead_id, number)] += 1
                told(f"{entry.track.name} by {entry.segment.name}", swept.results.total(), len(stays))

        lanes = [asyncio.create_task(lane()) for _ in range(min(AT_ONCE, len(stays)))]
        try:
            await asyncio.gather(*lanes)
        finally:
            for each in lanes:
                each.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        return swept

    async def _enrol(self, entry: Entry, lead_id: str, number: int) -> str:
        """Enrol a lead for one stay, and settle the stay with it; what came of it."""
        now = self.clock()

        async def settled_with(session: AsyncSession, enrolment: Enrolment) -> None:
            if not await settle(session, entry, lead_id, number, now, "enrolled", enrolment.id):
                raise _TakenError

        try:
            begun = await self.enroller.begin(entry.track.name, lead_id, now, entry.cause, along=settled_with)
        except _TakenError:
            return "left meanwhile, or taken by another sweep"
        except RefusedError as error:
            outcome = f"refused: {error}"
            async with self.enroller.database.writing() as session:
                await settle(session, entry, lead_id, number, now, outcome, None)
            return outcome
        return "enrolled" if begun.started else "waiting for a worker"


class _TakenError(Exception):
    """Another sweep has settled this stay; nothing of this enrolment is kept."""
