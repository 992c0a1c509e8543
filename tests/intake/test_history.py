"""When it happened, when we heard of it, and now: a late event counts as of now, and history moves no journey."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from models.intake import Event
from models.journeys import Unheard
from models.leads import BehaviourRow, LeadRow, Suppression
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.app.sources import translator
from perennial.intake import own
from perennial.intake.history import History
from perennial.intake.listener import Listener
from perennial.intake.outbox import Incoming, accept
from perennial.intake.reading import Batch, read_all
from perennial.intake.recording import Recorder
from perennial.intake.reports import Receipt, Report
from perennial.journeys.enrolling import Enroller
from perennial.leads.consent import NewConsent, write_lines
from perennial.leads.scores import write_entries
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, does, enrolment, granted, person, store
from tests.engine.rig import TRACKS

CLOCK = Clock.production()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINE = "new-lead/l1/1"


@pytest.fixture
async def enrolled(database: Database) -> Database:
    """A lead at 8, two months on new-lead, whose journey waits for a click and wakes at 60."""
    lead = person(traits={"topic": "forecasting", "source": "referral"})
    stay = enrolment(at=NOON - 60 * DAY, listens=["email.clicked:welcome"], wakes_at_score=60)
    await store(database, lead, granted(), stay)
    entries = DEFAULT_MODEL.fit_entries(lead.traits, NOON)
    assert sum(each.points for each in entries) == 8
    await does(database, lambda session: write_entries(session, [(lead.id, entry) for entry in entries]))
    return database


async def told(database: Database, *reports: Report, tracks: Registry = TRACKS, clock: Clock = CLOCK) -> list[Receipt]:
    """The receipts of reports that are recorded at noon."""
    recorder = Recorder(DEFAULT_MODEL, tracks, History(clock=clock))
    receipts: list[Receipt] = await does(database, lambda session: recorder.record(session, reports, NOON))
    return receipts


def report(name: str, at: datetime, *, id_: str = "e1", **props: str) -> Report:
    """What the lead did."""
    return Report(id_, "l1", name, props, at)


async def stored_score(database: Database) -> int:
    async with database.reading() as session:
        return (await session.get_one(LeadRow, "l1")).score


async def unheard(database: Database) -> Sequence[str]:
    async with database.reading() as session:
        return (await session.scalars(select(Unheard.behaviour_id))).all()


async def test_a_late_event_counts_towards_the_score_of_now_and_reaches_the_threshold(enrolled: Database) -> None:
    """8, then 48 with the demo, then 63 with a page view of two hours ago, which wakes the journey."""
    (demo,) = await told(enrolled, report("demo.requested", NOON))
    (view,) = await told(enrolled, report("page.viewed", NOON - 2 * HOUR, id_="e2", path="/pricing"))
    assert (demo.score, demo.listening) == (48, ())
    assert (view.score, view.listening, view.history) == (63, (MINE,), False)
    assert await stored_score(enrolled) == 63


async def test_what_was_received_is_dated_by_the_receipt(enrolled: Database) -> None:
    """By the relay's event where there is one, which may have waited in the outbox; else by now."""
    body = {"name": "email.clicked", "props": {"piece": "welcome"}, "at": (NOON - 3 * HOUR).isoformat()}
    waited = Incoming(own.SOURCE, "e1", ("e1",), body, NOON - HOUR, lead_id="l1")

    nobody = cast("Client", None)
    listener = Listener(enrolled, nobody, Enroller(enrolled, nobody, TRACKS, "nurture", CLOCK), DEFAULT_MODEL)

    async def relay(session: AsyncSession) -> None:
        await accept(session, [waited])
        events = (await session.scalars(select(Event))).all()
        await read_all(session, events, translator(SECRETS, DEFAULT_MODEL), listener, Batch())

    await does(enrolled, relay)
    await told(enrolled, report("page.viewed", NOON - HOUR, id_="e2", path="/"))
    async with enrolled.reading() as session:
        rows = await session.execute(select(BehaviourRow.id, BehaviourRow.at, BehaviourRow.received_at))
        assert {id_: (at, received) for id_, at, received in rows} == {
            "e1": (NOON - 3 * HOUR, NOON - HOUR),
            "e2": (NOON - HOUR, NOON),
        }


@pytest.mark.parametrize(
    ("name", "props"),
    [("email.clicked", {"piece": "welcome"}), ("deal.won", {}), ("page.viewed", {"path": "/about"})],
    ids=["ends a wait", "ends the journey", "waits for the next decision"],
)
async def test_history_is_told_to_no_journey_and_left_to_none(
    enrolled: Database, name: str, props: dict[str, str]
) -> None:
    """Three days is the bound; what is a little younger is told as ever."""
    (old,) = await told(enrolled, report(name, NOON - 3 * DAY - HOUR, **props))
    assert (old.new, old.history, old.listening, old.waiting) == (True, True, (), 0)
    assert await unheard(enrolled) == []
    (young,) = await told(enrolled, report(name, NOON - 3 * DAY + HOUR, id_="e2", **props))
    assert (young.history, len(young.listening) + young.waiting) == (False, 1)


async def test_history_counts_and_wakes_nobody_at_the_threshold(enrolled: Database) -> None:
    """The journey sees the score at its next decision."""
    (receipt,) = await told(enrolled, report("demo.requested", NOON - 4 * DAY))
    (again,) = await told(enrolled, report("email.replied", NOON - 4 * DAY, id_="e2", piece="welcome"))
    assert (receipt.score > 40, again.score >= 60, again.listening, again.looking) == (True, True, (), ())


async def test_history_starts_no_track(database: Database) -> None:
    """A batch of another year enrols nobody, and a form of this morning does."""
    await store(database, person(), granted())
    (old,) = await told(database, report("content.downloaded", NOON - 700 * DAY, piece="guide"))
    (late,) = await told(database, report("content.downloaded", NOON - 5 * HOUR, id_="e2", piece="guide"))
    assert (old.entering, late.entering) == ((), ("new-lead",))


async def test_what_waited_in_our_outbox_for_days_is_no_history(enrolled: Database) -> None:
    """Its age is as of the receipt: an outage of ours turns nothing into history."""
    at = NOON - 5 * DAY
    (receipt,) = await told(enrolled, Report("e1", "l1", "deal.won", {}, at, received_at=at + HOUR))
    assert (receipt.history, receipt.listening) == (False, (MINE,))


async def test_what_a_visitor_did_is_as_old_as_when_it_is_attached(enrolled: Database) -> None:
    """A form of a month ago starts nothing when its visitor says at last who it is."""
    at = NOON - 30 * DAY
    (receipt,) = await told(enrolled, Report("e1", "l1", "deal.won", {}, at, received_at=at, attached=True))
    assert (receipt.history, receipt.listening) == (True, ())


async def test_what_is_flagged_as_history_is_history_however_new(enrolled: Database) -> None:
    """As `signal --history` and `backfill` flag it; the event that stores it keeps the flag."""
    (receipt,) = await told(enrolled, Report("e1", "l1", "deal.won", {}, NOON, history=True))
    assert (receipt.history, receipt.listening) == (True, ())
    event = Event(**_columns(own.event_of(receipt.report, NOON)))
    meaning = await does(enrolled, lambda session: own.read_own(session, event))
    assert meaning.reports[0].history


def _columns(incoming: Incoming) -> dict[str, object]:
    names = ("source", "event_id", "fingerprint", "lead_id", "anonymous_id", "received_at", "body")
    return {name: getattr(incoming, name) for name in names}


async def test_what_happened_before_the_enrolment_is_for_its_score_alone(database: Database) -> None:
    """A deal won two hours before ends nothing; points that lift the score to the threshold have it looked at."""
    await store(database, person(), granted(), enrolment(at=NOON - HOUR, listens=["deal.won"], wakes_at_score=60))
    (won,) = await told(database, report("deal.won", NOON - 2 * HOUR))
    assert (won.listening, won.waiting, won.looking, won.history) == ((), 0, (), False)
    await told(database, report("demo.requested", NOON, id_="e2"))
    (replied,) = await told(database, report("email.replied", NOON - 2 * HOUR, id_="e3", piece="welcome"))
    assert (replied.score, replied.listening, replied.looking) == (60, (), (MINE,))
    assert await unheard(database) == ["e2"]


async def test_a_time_in_whole_seconds_is_not_before_the_enrolment(database: Database) -> None:
    """The click of a mail that left at once, as a provider dates it."""
    await store(database, person(), granted(), enrolment(at=NOON, listens=["email.clicked:welcome"]))
    (receipt,) = await told(database, report("email.clicked", NOON.replace(microsecond=0), piece="welcome"))
    assert receipt.listening == (MINE,)


async def test_a_fast_clock_counts_days_of_seconds_as_about_now(enrolled: Database) -> None:
    """At a day a second four days are four seconds, which a machine may be late by; three years are not."""
    fast = Clock(real=NOON, virtual=NOON, speed=86_400.0)
    (late,) = await told(enrolled, report("deal.won", NOON - 4 * DAY), clock=fast)
    (old,) = await told(enrolled, report("deal.won", NOON - 1_100 * DAY, id_="e2"), clock=fast)
    assert (late.history, old.history) == (False, True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("lead.opted_out", "opt-out"), ("email.complained", "complaint"), ("email.bounced", "hard-bounce")],
)
async def test_what_stops_mail_acts_at_any_age(enrolled: Database, name: str, reason: str) -> None:
    """At the controls, and on the journeys that run: to us it is news. It starts no track all the same."""
    props = {} if name == "lead.opted_out" else {"piece": "welcome"}
    (receipt,) = await told(enrolled, report(name, NOON - 1_000 * DAY, **props))
    async with enrolled.reading() as session:
        assert (await session.scalars(select(Suppression.reason))).all() == [reason]
    assert (len(receipt.listening) + receipt.waiting, receipt.entering) == (1, ())


async def test_an_opt_out_that_the_lead_has_undone_since_is_history(enrolled: Database) -> None:
    """It stops no mail, so it ends no journey."""
    line = NewConsent("l1", NOON - DAY, "confirmed", "consent", "page")
    await does(enrolled, lambda session: write_lines(session, [line]))
    (receipt,) = await told(enrolled, report("lead.opted_out", NOON - 2 * DAY))
    assert (receipt.history, receipt.listening, receipt.waiting) == (True, (), 0)
