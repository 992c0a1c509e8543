"""Why a lead got a mail: found by whatever people have of it, answered with the whole chain."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.journeys import DecisionRow, FactRow
from models.leads import Consent, LeadRow
from models.touches import Message
from nurture.content.folder import load_catalogue
from nurture.journey.facts import AnyFact, Deferred, Done, Enrolled, Exited, Waited, Waiting
from perennial.journeys.because import StepDecision, decision_on_day, decisions_about
from perennial.journeys.meant import day_of, end_of, mailed, named, on_day
from perennial.journeys.read_model import FACT
from perennial.journeys.story import enrolments_of
from perennial.platform.database import Database
from tests.builders import ada, enrolment, store, touch
from tests.paths import ROOT

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LATE = MONDAY + timedelta(days=7, hours=14, minutes=30)  # Monday 23:30 in UTC, Tuesday in Berlin
FACTS: list[AnyFact] = [
    Enrolled(MONDAY, "l1", "downloaded checklist"),
    Done(MONDAY, "send:welcome", "sent"),
    Waiting(MONDAY, "send:welcome/wait", 7 * 86400, ("email.clicked:welcome",), MONDAY + timedelta(days=7)),
    Waited(MONDAY + timedelta(days=7), "send:welcome/wait", "time", "email.clicked", "welcome"),
    Deferred(MONDAY + timedelta(days=7), "send:proof", MONDAY + timedelta(days=7, hours=3), "cap: 1 touch in 24 hours"),
    Deferred(MONDAY + timedelta(days=7, hours=3), "send:proof", LATE, "quiet hours: 13:00 in Europe/Berlin"),
    Done(LATE, "send:proof", "sent"),
    Exited(LATE + timedelta(days=1), "opted out"),
]


@pytest.fixture
async def told(database: Database) -> Database:
    """Ada's two mails; she gave consent before them, and withdrew it after."""
    await store(database, ada(time_zone="Europe/Berlin", created_at=MONDAY, traits={"source": "webinar"}))
    await store(database, enrolment(at=MONDAY, cause="downloaded checklist"), enrolment(number=2, at=LATE))
    rows: list[Any] = [
        FactRow(
            enrolment_id="new-lead/l1/1",
            seq=seq,
            kind=fact.kind,
            key=getattr(fact, "key", ""),
            at=fact.at,
            fact=FACT.dump_python(fact, mode="json"),
        )
        for seq, fact in enumerate(FACTS)
    ]
    again = FACT.dump_python(Done(LATE, "send:welcome", "sent"), mode="json")
    rows.append(FactRow(enrolment_id="new-lead/l1/2", seq=0, kind="done", key="send:welcome", at=LATE, fact=again))
    decided = {"enrolment_id": "new-lead/l1/1", "until": MONDAY + timedelta(days=7), "because": ["welcome was sent"]}
    rows.append(DecisionRow(seq=2, at=MONDAY, next="wait after send welcome", **decided))
    rows += [
        touch("t1", state="accepted", at=MONDAY),
        touch("t2", state="accepted", at=LATE, step_key="send:proof", piece="case-first-ninety-days"),
        touch("t3", state="accepted", at=LATE, enrolment_id="new-lead/l1/2"),
        Message(touch_id="t1", lead_id="l1", to="", sender="", subject="Hello, Ada", text="", html="", at=MONDAY),
        Consent(lead_id="l1", at=MONDAY, action="granted", basis="legitimate-interest", source="list spring"),
        Consent(
            lead_id="l1", at=LATE + timedelta(days=1), action="withdrawn", basis="consent", source="link in a mail"
        ),
    ]
    await store(database, *rows)
    return database


async def asked(database: Database, said: str) -> list[StepDecision]:
    """What is answered to what somebody says."""
    catalogue = load_catalogue(ROOT / "content")
    async with database.reading() as session:
        lead = await session.get_one(LeadRow, "l1")
        enrolments = await enrolments_of(session, "l1")
        for wanted in (named(said), await mailed(session, enrolments, said, catalogue)):
            if found := await decisions_about(session, lead, enrolments, wanted):
                return found
        day = day_of(said)
        return [] if day is None else await decisions_about(session, lead, enrolments, on_day(day, BERLIN))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("send:proof", ["proof was sent"]),
        ("case-first-ninety-days", ["proof was sent"]),
        ("t1", ["welcome was sent"]),
        ("Re: hello, ada", ["welcome was sent"]),
        ("2026-03-10", ["welcome was sent", "proof was sent"]),
        ("Tue 10 Mar 2026", ["welcome was sent", "proof was sent"]),
        ("2026-03-02", ["enrolled (downloaded checklist)", "welcome was sent"]),
        ("2026-03-11", ["left the track: opted out"]),
        ("2026-03-05", []),
    ],
)
async def test_a_mail_is_found_by_what_people_have_of_it(told: Database, said: str, found: list[str]) -> None:
    """A step, a piece, a touch's id, a subject line that was answered, a day in the lead's own zone."""
    assert [each.what for each in await asked(told, said)] == found


async def test_a_subject_line_is_found_as_it_is_written_where_mails_are_not_kept(told: Database) -> None:
    """Whatever was filled in for the lead."""
    subject = load_catalogue(ROOT / "content").get("case-first-ninety-days").subject
    line = subject.replace("{{ company }}", "Northwind").replace("{{ first_name }}", "Ada")
    assert [each.what for each in await asked(told, f"AW: {line.upper()}")] == ["proof was sent"]


async def test_the_whole_chain_is_told_in_order(told: Database) -> None:
    """From where the lead came from, by the consent of that moment and the wait, to each answer of the gate."""
    (decision,) = await asked(told, "send:proof")
    assert [link.what for link in decision.chain] == [
        "became a lead, from webinar",
        "came to new-lead: downloaded checklist",
        "consent granted: basis legitimate-interest, from list spring",
        "a wait began: 7 days, or until it clicked a link in welcome",
        "the wait ended: time ran out; the lead never clicked a link in welcome",
        "the gate put it off until 2026-03-09 12:00 UTC: cap: 1 touch in 24 hours",
        "the gate put it off until 2026-03-09 23:30 UTC: quiet hours: 13:00 in Europe/Berlin",
        "proof was sent",
    ]


async def test_on_a_day_without_a_step_the_wait_is_told(told: Database) -> None:
    """And nothing of a day before the lead came."""
    async with told.reading() as session:
        lead = await session.get_one(LeadRow, "l1")
        stay = next(each for each in await enrolments_of(session, "l1") if each.number == 1)
        thursday, sunday = day_of("2026-03-05"), day_of("2026-03-01")
        assert thursday is not None
        assert sunday is not None
        held = await decision_on_day(session, lead, stay, end_of(thursday, BERLIN))
        assert await decision_on_day(session, lead, stay, end_of(sunday, BERLIN)) is None
    assert held is not None
    assert (held.what, held.until) == ("wait after send welcome", MONDAY + timedelta(days=7))
