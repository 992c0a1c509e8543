"""The sending pace: after an outage mail leaves no faster than it may, and nobody waits much longer than that takes."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from models.journeys import Enrolment
from nurture.errors import InputError
from nurture.journey.matchers import Matcher
from perennial.journeys.pace import Pace, read_pace, room_for, set_pace
from perennial.journeys.send_request import lead_state_of, lock_subject
from perennial.platform.database import Database
from tests.builders import NOON, enrolment, granted, person, store, touch
from tests.cli.conftest import invoke

LEADS = 60
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("pace", "takes"),
    [(Pace(per_minute=10), timedelta(minutes=6)), (Pace(per_minute=30, per_hour=20), timedelta(hours=3))],
    ids=["a minute", "an hour"],
)
async def test_what_is_due_at_once_leaves_at_the_pace_and_no_slower_than_a_third_of_it(
    database: Database, pace: Pace, takes: timedelta
) -> None:
    """Sixty leads whose mail waited for the provider."""
    names = [f"l{number}" for number in range(LEADS)]
    await store(database, *map(person, names), *(enrolment(lead_id=name) for name in names))
    due = dict.fromkeys(names, NOON)
    sent: list[datetime] = []
    while due:
        name = min(due, key=lambda lead: (due[lead], lead))
        now = due.pop(name)
        async with database.transaction() as connection:
            later = await room_for(connection, pace, name, now, exclude="")
        async with database.writing() as session:
            head = await session.get_one(Enrolment, f"new-lead/{name}/1")
            head.next_at = later
            if later is None:
                sent.append(now)
                session.add(touch(f"t-{name}", lead_id=name, at=now, state="accepted"))
            else:
                assert later > now
                due[name] = later
    for most, span in ((pace.per_minute, MINUTE), (pace.per_hour, timedelta(hours=1))):
        assert max(sum(at - span < other <= at for other in sent) for at in sent) <= (most or LEADS)
    assert max(sent) - NOON <= 3 * takes


async def test_without_a_pace_nobody_waits_and_with_one_the_gate_is_told(database: Database) -> None:
    """It holds from the next send on, and can be taken away again."""
    await store(database, person("l1"), granted("l1"), enrolment(), person("l2"), granted("l2"))
    await store(database, enrolment(lead_id="l2"), touch("t2", lead_id="l2", state="accepted"))

    async def room() -> datetime | None:
        async with database.transaction() as connection:
            subject = await lock_subject(connection, "new-lead/l1/1", "send:welcome", Matcher(()))
            return (await lead_state_of(connection, subject, NOON + timedelta(seconds=1))).room_at

    assert await room() is None
    async with database.writing() as session:
        await set_pace(session, Pace(per_minute=1))
    later = await room()
    assert later is not None
    assert later > NOON + MINUTE
    async with database.writing() as session:
        await set_pace(session, Pace())
        assert await read_pace(session) == Pace()
    assert await room() is None


def test_a_pace_of_nothing_is_refused() -> None:
    """To send nothing there is `pause`."""
    with pytest.raises(InputError, match="at least 1"):
        Pace(per_hour=0)


def test_the_pace_is_set_and_told_by_command(data_dir: Path) -> None:
    """And holds until it is taken off."""
    assert "as it is due" in invoke("pace", data_dir=data_dir).output
    said = invoke("pace", "--per-minute", "600", "--per-hour", "20000", data_dir=data_dir).output
    assert "600 a minute and 20,000 an hour" in " ".join(said.split())
    assert json.loads(invoke("pace", "--json", data_dir=data_dir).stdout) == {"per_minute": 600, "per_hour": 20000}
    assert invoke("pace", "--off", "--per-minute", "5", data_dir=data_dir).exit_code == 2
    assert "as it is due" in invoke("pace", "--off", data_dir=data_dir).output
