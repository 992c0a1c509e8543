"""The diff before a deployment, over the journals of a database."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from models.leads import LeadRow
from nurture.journey.facts import AnyFact
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import NO_CONTENT
from nurture.journey.track import Registry, track
from nurture.segments import segment, trait
from perennial.app.planning import plan_programme
from perennial.app.programme import Programme
from perennial.journeys.read_model import write_facts
from perennial.platform.database import Database
from tests.builders import enrolment, person, settle, store
from tests.journals import Journey, at


@track("nurture")
async def as_it_was(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b")
    return nurtured


@track("nurture")
async def with_a_shorter_wait(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=5)
    await lead.send("b")
    return nurtured


def programme_with(tracks: Registry, content: Path) -> Programme:
    """A programme of these tracks, without content."""
    programme = Programme(content)
    programme.__dict__.update(tracks=tracks, catalogue=NO_CONTENT)
    return programme


async def enrolled(database: Database, lead: str, facts: Sequence[AnyFact], **head: object) -> None:
    run = enrolment(lead_id=lead, **({"track": "nurture"} | head))  # type: ignore[arg-type]
    await settle(database, person(lead))
    await store(database, run)
    async with database.writing() as session:
        await write_facts(session, run.id, 0, facts)


async def test_every_lead_in_flight_is_planned_and_no_other(database: Database, tmp_path: Path) -> None:
    """Counted by track and effect; who is not as before is told with its lead."""
    for lead in ("ada", "bo"):
        journey = Journey(as_it_was)
        journey.go(1)
        await enrolled(database, lead, journey.journal.facts)
    over = Journey(as_it_was)
    over.go(30)
    await enrolled(database, "cy", over.journal.facts, status="finished")
    await enrolled(database, "di", Journey(as_it_was).journal.facts)
    await enrolled(database, "eve", Journey(as_it_was).journal.facts, track="gone")
    programme = programme_with(Registry((with_a_shorter_wait,)), tmp_path)
    heard: list[tuple[int, int]] = []
    found = await plan_programme(database, programme, at(4), told=lambda done, of: heard.append((done, of)))
    assert found.counts == {"nurture": {"wait moves": 2}}
    assert [each.lead_id for each in found.changed] == ["ada", "bo"]
    later = await plan_programme(database, programme, at(6))
    assert later.counts == {"nurture": {"mailed now": 2}}
    assert (found.under_way, found.gone) == (1, {"gone": 1})
    assert heard == [(4, 4)]


async def test_a_sample_is_spread_over_all(database: Database, tmp_path: Path) -> None:
    """About so many; a track that is not there is named."""
    for number in range(10):
        journey = Journey(as_it_was)
        journey.go(1)
        await enrolled(database, f"l{number}", journey.journal.facts)
    programme = programme_with(Registry((as_it_was,)), tmp_path)
    some = await plan_programme(database, programme, at(1) + timedelta(hours=1), only="nurture", sample=3)
    assert some.counts == {"nurture": {"as before": 3}}


RETAIL = segment("retail", trait("industry") == "retail")


@track("nurture")
async def sent_on_if_retail(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=5 if lead.is_in(RETAIL) else 7)
    await lead.send("b")
    return nurtured


async def test_a_plan_knows_which_segments_a_lead_is_in_now(database: Database, tmp_path: Path) -> None:
    """A journal from before the track asked tells nothing of them."""
    journey = Journey(as_it_was)
    journey.go(1)
    for lead in ("ada", "bo"):
        await enrolled(database, lead, journey.journal.facts)
    async with database.writing() as session:
        (await session.get_one(LeadRow, "ada")).traits = {"industry": "retail"}
    found = await plan_programme(database, programme_with(Registry((sent_on_if_retail,)), tmp_path), at(2))
    assert {each.lead_id: each.planned.effect for each in found.changed} == {"ada": "wait moves"}
