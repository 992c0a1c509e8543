"""A lead's story and the reasons of a mail, from the database alone: late news, a break, and the whole chain of why."""

from datetime import UTC, datetime, timedelta

import pytest

from models.journeys import AskedRow, Enrolment, FactRow
from models.leads import BehaviourRow, Consent, LeadRow, Preference
from models.touches import Message, Touch
from nurture.people.scoring import DEFAULT_MODEL
from perennial.journeys.story import story_of
from perennial.platform.database import Database
from tests.builders import ada, store

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = START + timedelta(days=4)


@pytest.fixture
async def told(database: Database) -> Database:
    """Ada, paused on new-lead with one mail, on a break, and a view of which we heard two days late."""
    lead: LeadRow = ada(mail_paused_until=LATER + timedelta(days=30))
    enrolment = Enrolment(
        id="new-lead/ada/1",
        lead_id=lead.id,
        track="new-lead",
        number=1,
        status="paused",
        cause="downloaded checklist",
        step="send:welcome",
        started_at=START,
    )
    await store(database, lead, enrolment)
    sent = {"kind": "done", "at": START.isoformat(), "key": "send:welcome", "result": "sent"}
    touch = Touch(
        id="t1",
        enrolment_id=enrolment.id,
        lead_id=lead.id,
        track="new-lead",
        step_key="send:welcome",
        piece="welcome",
        state="accepted",
        at=START,
    )
    await store(
        database,
        FactRow(enrolment_id=enrolment.id, seq=1, kind="done", key="send:welcome", at=START, fact=sent),
        touch,
        Message(touch_id="t1", lead_id=lead.id, to="", sender="", subject="Welcome, Ada", text="", html="", at=START),
        Consent(lead_id=lead.id, at=START, action="granted", basis="consent", source="form on /trial"),
        Preference(lead_id=lead.id, topic="dashboards", wanted=False, at=START),
        AskedRow(enrolment_id=enrolment.id, id="r1", verb="pause", reason="on holiday", at=START),
        BehaviourRow(
            id="b1",
            lead_id=lead.id,
            name="page.viewed",
            subject="/pricing",
            at=START,
            received_at=START + timedelta(days=2),
        ),
    )
    return database


async def test_a_story_tells_the_break_the_subjects_the_pause_and_what_was_heard_of_late(told: Database) -> None:
    """What support asks first."""
    async with told.reading() as session:
        lead = await session.get_one(LeadRow, ada().id)
        story = await story_of(session, lead, DEFAULT_MODEL, LATER)
    assert story.break_until == LATER + timedelta(days=30)
    assert story.unwanted == ("dashboards",)
    assert story.standings[0].paused_for == "on holiday"
    (viewed,) = (line for line in story.lines if line.kind == "behaviour")
    assert viewed.heard == START + timedelta(days=2)
