"""How many journeys of each track stand where, and how those that ended did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from nurture.journey.track import Registry, Track
from perennial.journeys.held import say_place


@dataclass(frozen=True, slots=True)
class TrackCounts:
    """One track: what it is about, journeys by status, running ones by step, ended ones by outcome."""

    story: str
    journeys: Mapping[str, int]
    standing: Mapping[str, int]
    ended: Mapping[str, int]


async def count_places(session: AsyncSession, registry: Registry) -> dict[str, TrackCounts]:
    """Every track that there is, or that a journey was ever on, by name; a renamed one under its new name."""
    is_stuck = Enrolment.stuck_since.is_not(None)
    columns = (Enrolment.track, Enrolment.status, Enrolment.step, Enrolment.outcome, is_stuck)
    rows = (await session.execute(select(*columns, func.count()).group_by(*columns))).all()
    found: dict[str, TrackCounts] = {}
    for name in sorted({*registry, *(registry.current(row.track) for row in rows)}):
        journeys: Counter[str] = Counter()
        standing: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for track, status, step, outcome, stuck, count in rows:
            if registry.current(track) != name:
                continue
            journeys[status] += count
            if status == "finished":
                ended[outcome or "finished"] += count
            else:
                halted = "held at " if status == "held" else "stuck at " if stuck else ""
                standing[halted + say_place(step) if step else "waiting for a worker"] += count
        story = registry[name].story.partition("\n")[0] if name in registry else "no longer in the programme"
        found[name] = TrackCounts(story, dict(journeys), dict(standing), dict(ended))
    return found


async def count_steps(session: AsyncSession, track: Track) -> dict[str, int]:
    """How many leads stand at each step of a track, by its key."""
    wanted = select(Enrolment.step, func.count()).where(
        Enrolment.track.in_(track.names), Enrolment.status != "finished", Enrolment.step.is_not(None)
    )
    rows = await session.execute(wanted.group_by(Enrolment.step))
    return {str(step): count for step, count in rows}
