"""Entry by segment: each stay of a lead in it enrols the lead once, whatever becomes of the sweep."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.episodes import EpisodeRow
from models.journeys import Enrolment
from models.leads import LeadRow
from models.messages import Journey, Request
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, ReEntry, nurtured
from nurture.journey.track import Registry, Track, track
from nurture.segments import segment, segment_entered, trait
from nurture.segments.named import Segments
from nurture.timing.clock import Clock
from perennial.journeys.enrolling import Enroller
from perennial.journeys.sweeping import Sweeper
from perennial.platform.database import Database
from perennial.privacy.merge import merge_leads
from tests.builders import consenting, store

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RETAIL = segment("retail", trait("industry") == "retail")
RULES = {"enters_on": segment_entered(RETAIL), "re_entry": ReEntry.once_over()}


async def greet(lead: Lead) -> Outcome:
    """Greets."""
    await lead.send("hello")
    return nurtured


GREETING = track("greeting", **RULES)(greet)  # type: ignore[arg-type]
RENAMED = track("welcome", was="greeting", **RULES)(greet)  # type: ignore[arg-type]


class AwayError(Exception):
    """The engine does not answer."""


class Starting(Enroller):
    """Puts leads on tracks in the database; of each journey it only notes that it was started."""

    started: list[str]
    away: bool

    async def start(self, track: str, journey: Journey, nudge: Request | None = None) -> bool:
        """Note it, once each, as the engine does."""
        if self.away:
            raise AwayError
        new = journey.enrolment_id not in self.started
        self.started += [journey.enrolment_id] * new
        return new


def sweeper(
    database: Database, *, hours: float = 0, way: Track = GREETING, started: list[str] | None = None
) -> Sweeper:
    """A sweeper so many hours on."""
    enroller = Starting(database, None, Registry((way,)), "nurture", Clock.production())  # type: ignore[arg-type]
    enroller.__dict__.update(started=[] if started is None else started, away=False)
    return Sweeper(enroller, Segments((RETAIL,)), lambda: NOW + timedelta(hours=hours))


async def leads(database: Database, *ids: str, industry: str = "retail") -> None:
    """These leads are of an industry, which is retail at first."""
    async with database.reading() as session:
        known = set(await session.scalars(select(LeadRow.id)))
    new = [row for each in ids if each not in known for row in consenting(each, traits={"industry": industry})]
    if new:
        await store(database, *new)
    async with database.writing() as session:
        await session.execute(update(LeadRow).where(LeadRow.id.in_(ids)).values(traits={"industry": industry}))


async def enrolments(database: Database) -> list[str]:
    """All of them."""
    async with database.reading() as session:
        return sorted(await session.scalars(select(Enrolment.id)))


async def end_all(database: Database) -> None:
    """Every journey is over."""
    async with database.writing() as session:
        await session.execute(update(Enrolment).values(status="finished", ended_at=NOW, outcome="nurtured"))


async def test_a_stay_enrols_once_and_a_further_stay_again(database: Database) -> None:
    """Also when the journey is over while the stay goes on."""
    await leads(database, "ada", "bo")
    await leads(database, "cy", industry="finance")
    (swept,) = await sweeper(database).sweep()
    assert (swept.within, swept.came, swept.left, dict(swept.results)) == (2, 2, 0, {"enrolled": 2})
    await end_all(database)
    (again,) = await sweeper(database, hours=1).sweep()
    assert (again.came, again.left, dict(again.results)) == (0, 0, {})
    await leads(database, "ada", industry="finance")
    (gone,) = await sweeper(database, hours=2).sweep()
    assert (gone.within, gone.left) == (1, 1)
    await leads(database, "ada")
    (back,) = await sweeper(database, hours=3).sweep()
    assert (back.came, dict(back.results)) == (1, {"enrolled": 1})
    assert await enrolments(database) == ["greeting/ada/1", "greeting/ada/2", "greeting/bo/1"]


async def test_sweeps_that_overlap_enrol_each_lead_once(database: Database) -> None:
    """Each lead by one of them."""
    await leads(database, *(f"l{number}" for number in range(12)))
    found = await asyncio.gather(*(sweeper(database).sweep() for _ in range(3)))
    assert len(await enrolments(database)) == 12
    assert sum(swept.came for (swept,) in found) == 12


async def test_a_sweep_that_is_cut_off_is_taken_up_and_enrols_nobody_twice(database: Database) -> None:
    """The engine is away once the row is committed; by the next sweep it is back, and starts that journey."""
    await leads(database, "ada")
    first = sweeper(database)
    first.enroller.__dict__["away"] = True
    with pytest.raises(AwayError):
        await first.sweep()
    assert await enrolments(database) == ["greeting/ada/1"]
    started: list[str] = []
    await sweeper(database, hours=1, started=started).sweep()
    assert started == ["greeting/ada/1"]
    await end_all(database)
    await sweeper(database, hours=2, started=started).sweep()
    assert await enrolments(database) == started


async def test_a_lead_that_a_rule_keeps_out_is_settled_with_the_reason(database: Database) -> None:
    """It is not asked again each hour."""
    await leads(database, "ada")
    kept_out = sweeper(database)
    await kept_out.enroller.begin("greeting", "ada", NOW, "by hand")
    async with database.writing() as session:
        await session.execute(update(Enrolment).values(status="active"))
    (swept,) = await kept_out.sweep()
    assert dict(swept.results) == {"refused: already on greeting since 2026-03-02": 1}
    await end_all(database)
    (again,) = await sweeper(database, hours=1).sweep()
    assert not again.results
    async with database.reading() as session:
        assert await session.scalar(select(EpisodeRow.outcome)) == "refused: already on greeting since 2026-03-02"


async def test_a_renamed_track_and_a_merged_lead_begin_no_stay(database: Database) -> None:
    """The stays go on under the new name, and with the lead that goes on."""
    await leads(database, "ada", "bo")
    await sweeper(database).sweep()
    await end_all(database)
    (renamed,) = await sweeper(database, hours=1, way=RENAMED).sweep()
    assert (renamed.came, dict(renamed.results)) == (0, {})
    await leads(database, "cy", industry="finance")
    await merge_leads(database, "cy", "bo", at=NOW, tracks=Registry((RENAMED,)))
    await leads(database, "cy")
    (merged,) = await sweeper(database, hours=2, way=RENAMED).sweep()
    assert (merged.within, merged.came, dict(merged.results)) == (2, 0, {})
