"""What comes next for a lead that does nothing is what the gate will say of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.journeys import Enrolment
from models.leads import Preference
from nurture import Lead, Outcome, nurtured, opted_out, track
from nurture.content.catalogue import Catalogue, parse_piece
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.people.scoring import DEFAULT_MODEL
from perennial.journeys.foreseeing import Coming, foresee, prospect_of
from perennial.platform.database import Database
from tests.builders import consenting, enrolment, person, store, touch

TUESDAY = datetime(2026, 3, 3, 10, tzinfo=UTC)
SATURDAY_NIGHT = datetime(2026, 3, 7, 23, tzinfo=UTC)


def piece(name: str, topic: str) -> Any:
    """A piece about a topic."""
    return parse_piece(
        name,
        f"---\nstage: awareness\nformat: guide\ntopic: {topic}\nindustry: any\norder: 1\n"
        f"subject: {name}\npreheader: {name}\n---\nHello\n",
    )


CATALOGUE = Catalogue({"one": piece("one", "dashboards"), "two": piece("two", "any")})


@track("letters", exits_on=(opted_out,))
async def letters(lead: Lead) -> Outcome:
    """Two letters."""
    await lead.send("one")
    await lead.send("two")
    return nurtured


@track("asks", exits_on=(opted_out,))
async def asks(lead: Lead) -> Outcome:
    """What it does depends on an answer."""
    made = await lead.do("look_up")
    await lead.send("one" if made.value["large"] else "two")
    return nurtured


async def next_mail(database: Database, now: datetime, the_track: Any = letters) -> Coming:
    """The next mail of Ada, who has just entered."""
    async with database.reading() as session:
        lead = consenting("l1")[0]
        lead = await session.get_one(type(lead), "l1")
        prospect = await prospect_of(session, lead, the_track, now)
        journal = Journal([Enrolled(now, "l1")])
        return foresee(the_track, journal, now, CATALOGUE, prospect, DEFAULT_MODEL, mail_only=True)


async def test_a_mail_leaves_at_once_in_its_window(database: Database) -> None:
    """Nothing holds it, nothing is guessed."""
    await store(database, *consenting("l1"))
    assert await next_mail(database, TUESDAY) == Coming(TUESDAY, "send one", "one")


async def test_a_mail_waits_for_the_window_and_the_break(database: Database) -> None:
    """Not on a Saturday night; not before the break ends."""
    await store(database, *consenting("l1", mail_paused_until=None))
    monday = await next_mail(database, SATURDAY_NIGHT)
    assert monday.at is not None
    assert (monday.at.weekday(), monday.put_off) == (0, ("closed day: Sunday in Europe/Berlin",))


async def test_a_break_and_a_cap_hold_a_mail(database: Database) -> None:
    """Whichever ends last."""
    until = TUESDAY + timedelta(days=30)
    await store(database, *consenting("l1", mail_paused_until=until), enrolment(status="finished"))
    await store(database, touch(state="accepted", at=TUESDAY - timedelta(hours=1)))
    held = await next_mail(database, TUESDAY)
    assert held.at is not None
    assert held.at >= until
    assert held.put_off == ("the lead asked for a break",)


async def test_a_piece_on_an_unwanted_subject_is_skipped_for_the_next(database: Database) -> None:
    """The reason is kept."""
    await store(database, *consenting("l1"))
    await store(database, Preference(lead_id="l1", topic="dashboards", wanted=False, at=TUESDAY))
    coming = await next_mail(database, TUESDAY)
    assert (coming.piece, coming.skipped) == ("two", ("one: unwanted topic: dashboards",))


async def test_without_consent_no_mail_is_to_come(database: Database) -> None:
    """Each is refused."""
    await store(database, person("l1"))
    coming = await next_mail(database, TUESDAY)
    assert (coming.at, coming.piece, coming.skipped[0]) == (None, "", "one: no consent on record")


async def test_what_nobody_can_know_makes_it_a_guess(database: Database) -> None:
    """An activity's answer, and another journey's mails."""
    await store(database, *consenting("l1"))
    assert (await next_mail(database, TUESDAY, asks)).guess == ("it depends on what look_up returns",)
    other: Enrolment = enrolment("new-lead", next_at=TUESDAY + timedelta(days=9))
    await store(database, other)
    assert (await next_mail(database, TUESDAY)).guess == ("mails of new-lead count towards the caps too",)


@pytest.mark.parametrize("days", [0, 5])
async def test_what_comes_is_the_next_thing_done_not_only_mail(database: Database, days: int) -> None:
    """The end of a track too."""

    @track("quiet", exits_on=(opted_out,))
    async def quiet(lead: Lead) -> Outcome:
        await lead.wait(days=3)
        return nurtured

    await store(database, *consenting("l1"))
    now = TUESDAY + timedelta(days=days)
    async with database.reading() as session:
        lead = await session.get_one(type(consenting("l1")[0]), "l1")
        prospect = await prospect_of(session, lead, quiet, now)
    coming = foresee(quiet, Journal([Enrolled(TUESDAY, "l1")]), now, CATALOGUE, prospect, DEFAULT_MODEL)
    assert (coming.what, coming.at) == ("finish: nurtured", max(now, TUESDAY + timedelta(days=3)))
