"""What is kept no longer is removed, counted, and no figure of a report changes by it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.intake import Event
from models.journeys import DecisionRow, Enrolment, FactRow
from models.leads import BehaviourRow, Consent, LeadRow
from models.past import PastLead
from models.touches import Message, Touch
from nurture.gate import GateRules
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.journeys.story import story_of
from perennial.leads.lookup import require_lead
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import Settings
from perennial.privacy import retention
from perennial.privacy.retention import Keep, Pruned, count_prunable, prune
from perennial.reports.audit import audit_ledger
from perennial.reports.funnel import Funnel, count_funnel
from tests.builders import NOON, count, enrolment, person, rows, settle, store, touch

DAY = timedelta(days=1)
LONG_AGO, LATELY = NOON - 800 * DAY, NOON - 10 * DAY
KEEP = Keep.by(Settings())
QUALIFIED = 75
PUT_OFF = {"key": "send:a", "until": "2024-01-01T08:00:00Z"}


def fact(journey: str, seq: int, kind: str, **said: Any) -> FactRow:
    return FactRow(
        enrolment_id=journey,
        seq=seq,
        kind=kind,
        at=LONG_AGO,
        fact={"kind": kind, "at": f"{LONG_AGO:%Y-%m-%dT%H:%M:%SZ}", **said},
    )


def message(touch_id: str, lead_id: str, at: Any) -> Message:
    return Message(touch_id=touch_id, lead_id=lead_id, sender="m", to="a", subject="s", text="Zeb", html="h", at=at)


def event(number: int, at: Any, state: str) -> Event:
    return Event(source="segment", fingerprint=f"f{number}", received_at=at, body={"x": "Zeb"}, state=state)


@pytest.fixture
async def past(database: Database) -> Database:
    """Two leads: one whose journey ended long ago and who is on another, one whose journey ended lately."""
    await settle(database, person("l1", at=LONG_AGO), person("l2", at=LONG_AGO))
    over = {"status": "finished", "outcome": "rested", "because": ["Zeb"]}
    await store(
        database,
        enrolment(at=LONG_AGO, ended_at=LONG_AGO + DAY, **over),
        enrolment("lost-deal", at=LONG_AGO),
        enrolment("new-lead", "l2", at=LONG_AGO, ended_at=LATELY, **over),
    )
    await store(
        database,
        touch("t1", at=LONG_AGO, state="accepted"),
        touch("t2", at=LONG_AGO, state="refused", step_key="send:b", reason="cap: 3 in 7 days"),
        touch("t3", at=LONG_AGO, state="refused", step_key="send:c", reason="quiet hours: 22:10 in Oslo"),
        touch("t4", "lost-deal", at=LONG_AGO, state="accepted"),
        touch("t5", "new-lead", "l2", at=LONG_AGO, state="accepted"),
        *(message(name, lead, LONG_AGO) for name, lead in (("t1", "l1"), ("t4", "l1"), ("t5", "l2"))),
        fact("new-lead/l1/1", 0, "scored", score=80),
        fact("new-lead/l1/1", 1, "deferred", **PUT_OFF, reason="quiet hours: until 8:00 in Oslo"),
        fact("lost-deal/l1/1", 0, "deferred", **PUT_OFF, reason="quiet hours: until 9:00 in Rome"),
        fact("new-lead/l2/1", 0, "graduated", score=76),
        DecisionRow(enrolment_id="new-lead/l1/1", seq=1, at=LONG_AGO, next="send:a", because=["Zeb"]),
        *(event(n, LONG_AGO, state) for n, state in enumerate(("done", "anonymous", "ignored", "waiting", "failed"))),
        event(8, LONG_AGO, "new"),
        event(9, LATELY, "done"),
        BehaviourRow(id="b1", lead_id="l1", name="page.viewed", at=LONG_AGO, received_at=LONG_AGO),
    )
    return database


async def funnel(database: Database) -> Funnel:
    async with database.reading() as session:
        return await count_funnel(session, QUALIFIED)


async def test_what_is_over_for_long_goes_and_no_figure_changes(past: Database) -> None:
    """Events by their age, the rest by the end of its journey; what waits or runs stays, and so does the lead."""
    before = await funnel(past)
    assert (before.sent, before.touched, before.mqls) == (3, 2, 2)
    async with past.reading() as session:
        expected = await count_prunable(session, KEEP, NOON)

    gone = await prune(past, KEEP, NOON)

    assert gone == expected == Pruned(events=5, journals=1, touches=3, messages=1)
    assert await funnel(past) == before
    assert [each.fingerprint for each in await rows(past, Event)] == ["f8", "f9"]
    assert [each.id for each in await rows(past, Touch)] == ["t4", "t5"]
    assert [each.touch_id for each in await rows(past, Message)] == ["t4", "t5"]
    assert {each.enrolment_id for each in await rows(past, FactRow)} == {"lost-deal/l1/1", "new-lead/l2/1"}
    assert await count(past, DecisionRow) == 0
    assert [each.because for each in await rows(past, Enrolment, id="new-lead/l1/1")] == [[]]
    assert (await count(past, LeadRow), await count(past, BehaviourRow), await count(past, Consent)) == (2, 1, 2)


async def test_removing_again_removes_nothing_and_later_the_rest(past: Database) -> None:
    """Counts add up: a lead of whom all is gone is still one lead, once."""
    before = await funnel(past)
    await prune(past, KEEP, NOON)
    assert await prune(past, KEEP, NOON) == Pruned()
    later = await prune(past, KEEP, NOON + 800 * DAY)
    assert (later.journals, later.touches, later.messages) == (1, 1, 1)
    assert await funnel(past) == before
    assert {(each.lead_id, each.touched, each.top_score) for each in await rows(past, PastLead)} == {
        ("l1", True, 80),
        ("l2", True, 76),
    }


async def test_in_many_parts_it_is_the_same(past: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is a transaction of its own, so it may stop anywhere."""
    before = await funnel(past)
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    assert (await prune(past, KEEP, NOON)).events == 5
    assert await funnel(past) == before


async def test_a_lead_whose_journal_is_gone_is_still_shown(past: Database) -> None:
    """With how its journey ended."""
    await prune(past, KEEP, NOON)
    async with past.reading() as session:
        lead = await require_lead(session, "l1")
        story = await story_of(session, lead, DEFAULT_MODEL, NOON, Clock.production())
    assert "rested" in [standing.outcome for standing in story.standings]


async def test_the_audit_still_agrees(past: Database) -> None:
    """Messages and touches are removed at different times, and the ledger is held against both."""
    for keep in (Keep(KEEP.events, KEEP.journals, 10_000 * DAY, 30 * DAY), KEEP):
        await prune(past, keep, NOON)
        async with past.reading() as session:
            violations = (await audit_ledger(session, {"new-lead": GateRules(), "lost-deal": GateRules()})).violations
        assert not [each for each in violations if "the ledger has" in each]


async def test_what_was_removed_is_in_no_file(tmp_path: Path) -> None:
    """SQLite only frees the space of deleted rows unless told otherwise."""
    path = tmp_path / "perennial.db"
    await upgrade(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    await store(database, event(1, LONG_AGO, "done"))
    await prune(database, KEEP, NOON)
    left = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    await database.close()
    assert b"Zeb" not in left


@pytest.mark.parametrize(
    ("field", "days"), [("keep_touches", 365), ("keep_events", 29), ("keep_journals", 59), ("keep_messages", 29)]
)
def test_what_still_serves_cannot_be_removed(field: str, days: int) -> None:
    """An unsubscribe link works for a year at least, because its touch is kept."""
    with pytest.raises(ValidationError):
        Settings(**{field: timedelta(days=days)})
