"""The audit finds each rule that was broken, and reports it once."""

from datetime import UTC, datetime, timedelta

import pytest

from models.base import Base
from models.leads import Suppression
from models.touches import Message
from nurture.gate import GateRules
from perennial.platform.database import Database
from perennial.reports.audit import audit_ledger
from tests.builders import ada, enrolment, store, touch

TUESDAY = datetime(2026, 3, 3, 10, tzinfo=UTC)
RULES = {"new-lead": GateRules()}


def sent(number: int, at: datetime) -> list[Base]:
    message = {"lead_id": "l1", "to": "a@x.example", "sender": "b@x.example", "subject": "s", "text": "t", "html": "h"}
    return [
        touch(f"t{number}", at=at, state="accepted", step_key=f"send:piece-{number}"),
        Message(touch_id=f"t{number}", at=at, headers={}, categories=[], **message),
    ]


async def violations(database: Database, *rows: Base) -> tuple[str, ...]:
    await store(database, ada(time_zone="Europe/Berlin", country="DE"), enrolment(), *rows)
    async with database.reading() as session:
        return (await audit_ledger(session, RULES)).violations


async def test_a_ledger_that_keeps_every_rule_has_no_violations(database: Database) -> None:
    """Touches a day apart, in office hours, and one at the very moment before an opt-out, are all right."""
    left = Suppression(lead_id="l1", reason="opt-out", source="lead.opted_out", at=TUESDAY + timedelta(days=1, hours=1))
    assert await violations(database, *sent(1, TUESDAY), *sent(2, TUESDAY + timedelta(days=1)), left) == ()


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ((TUESDAY, TUESDAY + timedelta(hours=4)), "2 touches in the 1 days"),
        ([TUESDAY + timedelta(days=day) for day in (0, 1, 2, 3)], "4 touches in the 7 days"),
        ([TUESDAY.replace(hour=6)], "got a touch at Tue 2026-03-03 07:00"),
        ([TUESDAY.replace(day=7)], "got a touch at Sat 2026-03-07"),
        ([TUESDAY.replace(month=12, day=25)], "got a touch at Fri 2026-12-25"),
    ],
    ids=["day cap", "week cap", "quiet hours", "weekend", "holiday"],
)
async def test_a_broken_rule_is_reported_once(database: Database, moments: list[datetime], said: str) -> None:
    """Each by the words of the rule, and nothing besides."""
    rows = [row for number, at in enumerate(moments) for row in sent(number, at)]
    found = await violations(database, *rows)
    assert len(found) == 1
    assert said in found[0]


async def test_a_touch_after_an_opt_out_is_reported(database: Database) -> None:
    """Even one second after."""
    left = Suppression(lead_id="l1", reason="opt-out", source="lead.opted_out", at=TUESDAY - timedelta(seconds=1))
    (found,) = await violations(database, *sent(1, TUESDAY), left)
    assert "left at 2026-03-03 09:59" in found


async def test_a_touch_without_its_message_is_reported(database: Database) -> None:
    """What the ledger calls accepted is kept in the database."""
    touch, _ = sent(1, TUESDAY)
    (found,) = await violations(database, touch)
    assert found == "the ledger has 1 accepted touches, the database keeps 0 messages"
