"""`starter.py alerts`: what calls for a person's attention."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.intake import Event
from models.journeys import Alert, HandOffRow
from perennial.intake.rejections import rejection_note
from perennial.integrations.sendgrid.bounces import receiver_reason
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.builders import ada, enrolment, store
from tests.cli.conftest import invoke

REFUSED = {"event": "bounce", "email": "ada@example.com", "status": "5.7.1", "reason": "550 5.7.1 your IP is listed"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a database."""
    asyncio.run(upgrade(load_settings(data_dir=tmp_path).database_url))
    return tmp_path


def rejected(number: int, at: datetime) -> Event:
    """A bounce that is ours, as the relay leaves it."""
    return Event(
        source="sendgrid",
        fingerprint=str(number),
        body=REFUSED,
        received_at=at,
        state="done",
        note=rejection_note(receiver_reason(REFUSED)),
    )


def stored(data_dir: Path, *rows: Event | Alert | HandOffRow) -> None:
    """Keep these, beside Ada."""

    async def keep() -> None:
        database = Database(load_settings(data_dir=data_dir).database_url)
        await store(database, ada(), enrolment(), *rows)
        await database.close()

    asyncio.run(keep())


def test_rejections_of_our_mail_are_listed_beside_what_journeys_ask(data_dir: Path) -> None:
    """With what to look after, and without the address that was refused; a rejection of long ago is over."""
    now = datetime.now(UTC)
    alert = Alert(enrolment_id="new-lead/l1/1", lead_id="l1", step_key="alert:call", text="call Ada", at=now)
    stored(data_dir, alert, rejected(1, now - timedelta(days=40)), rejected(2, now))

    told = invoke("alerts", data_dir=data_dir).stdout

    assert "call Ada" in told
    assert told.count("rejected because of our sender reputation: 550 5.7.1 your IP is listed") == 1
    assert "sender's reputation" in told
    answers = json.loads(invoke("alerts", "--json", data_dir=data_dir).stdout)
    assert [each["lead_id"] for each in answers] == ["l1", None]


def test_alerts_of_every_kind_are_in_order_and_say_in_which_zone(data_dir: Path) -> None:
    """The latest stands last, whoever raised it."""
    now = datetime.now(UTC)
    alert = Alert(enrolment_id="new-lead/l1/1", lead_id="l1", step_key="alert:call", text="call Ada", at=now)
    stored(data_dir, alert, rejected(1, now - timedelta(hours=2)))
    zone, first, second, *_ = invoke("alerts", data_dir=data_dir).stdout.splitlines()
    assert (zone, "reputation" in first, "call Ada" in second) == ("times in UTC", True, True)


def test_when_nothing_is_wrong_that_is_said(data_dir: Path) -> None:
    """And no reputation is called into question."""
    assert invoke("alerts", data_dir=data_dir).stdout.strip() == "Nothing calls for attention."


def test_a_stuck_journey_is_told_wherever_people_look(data_dir: Path) -> None:
    """Since when, because of what, and what to do; a journey whose next step is long due is called overdue."""
    now = datetime.now(UTC)
    said = "the step send keeps failing: no piece 'welcome'"
    stuck = enrolment(status="active", stuck_since=now - timedelta(hours=3), stuck=said, step="send:welcome")
    late = enrolment("lost-deal", status="active", step="start/wait", next_at=now - timedelta(2))

    async def keep() -> None:
        database = Database(load_settings(data_dir=data_dir).database_url)
        alert = Alert(enrolment_id=stuck.id, lead_id="l1", step_key="stuck", text=f"stuck: {said}", at=now)
        await store(database, ada(), stuck, late, alert)
        await database.close()

    asyncio.run(keep())
    shown = " ".join(invoke("show", "ada@example.com", data_dir=data_dir).stdout.split())
    assert f"stuck since {now - timedelta(hours=3):%a %d %b %Y}" in shown
    assert said in shown
    assert "starter.py refresh --lead l1" in shown
    assert shown.count("overdue: no worker has taken it up") == 1
    assert f"stuck: {said}" in invoke("alerts", data_dir=data_dir).stdout
    assert "stuck at send welcome" in invoke("tracks", data_dir=data_dir).stdout


def test_events_that_could_not_be_passed_on_are_told_until_they_are(data_dir: Path) -> None:
    """Two alike are one line; `retell` gives them to the relay again, and names them without a change in a dry run."""
    at = datetime.now(UTC) - timedelta(hours=1)
    note = "a journey refused it"
    events = [
        Event(source="crm", fingerprint=str(n), body={}, received_at=at, state="failed", note=note) for n in (1, 2)
    ]
    stored(data_dir, *events)
    line = f"2 of crm's events could not be passed on: {note}"
    assert line in invoke("alerts", data_dir=data_dir).stdout
    for words in (["retell", "--dry-run"], ["retell", "--source", "sendgrid"], ["retell"]):
        assert invoke(*words, data_dir=data_dir).exit_code == 0
        found = json.loads(invoke("alerts", "--json", data_dir=data_dir).stdout)
        assert ([each["text"] for each in found] == [line]) is (words != ["retell"])


def test_what_the_measures_say_is_told_too(data_dir: Path) -> None:
    """An offer that sales has left unanswered, in words and as JSON."""
    at = datetime.now(UTC) - timedelta(days=5)
    stay = "new-lead/l1/1"
    offer = HandOffRow(
        id="h1", enrolment_id=stay, lead_id="l1", step_key="hand_off", to="sales", reason="", score=80, at=at
    )
    stored(data_dir, offer)
    line = "sales: 1 offer without an answer for over 3 days"
    assert line in invoke("alerts", data_dir=data_dir).stdout
    (told,) = json.loads(invoke("alerts", "--json", data_dir=data_dir).stdout)
    assert told["text"].startswith(line)
