"""What SendGrid's events mean for a lead, read one after the other as the relay does, in any order of telling."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import BehaviourRow, ScoreEntry
from models.touches import Touch
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL
from perennial.intake.recording import Recorder
from perennial.integrations.sendgrid.events import TOUCH_ARGUMENT
from perennial.integrations.sendgrid.meanings import read_sendgrid
from perennial.platform.database import Database
from tests.builders import NOON, does, enrolment, only, person, rows, settle, store, touch

RECORDER = Recorder(DEFAULT_MODEL, Registry(()))
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"
DELIVERED = {"event": "delivered", "after": 60}


def clicked(after: float) -> dict[str, Any]:
    """A click by what says that it is a browser, so many seconds after the mail was handed over."""
    return {"event": "click", "after": after, "url": "https://example.com/a", "useragent": BROWSER, "ip": "192.0.2.1"}


async def told(database: Database, *events: dict[str, Any]) -> None:
    """Ada's welcome was handed over at noon, and SendGrid tells of it, in this order."""
    await settle(database, person("l1"))
    await store(database, enrolment())
    await store(database, touch(at=NOON, state="accepted", reason="", provider_id="m1"))

    async def read(session: AsyncSession) -> None:
        for number, event in enumerate(events):
            at = NOON + timedelta(seconds=event["after"])
            body = {**event, TOUCH_ARGUMENT: "t1", "timestamp": at.timestamp(), "sg_message_id": "m1.x"}
            row = Event(source="sendgrid", event_id=f"e{number}", fingerprint=f"f{number}", received_at=at, body=body)
            session.add(row)
            await session.flush()
            meaning = await read_sendgrid(session, row)
            await RECORDER.record(session, meaning.reports, at)
            done = update(Event).where(Event.id == row.id).values(state="done")
            await session.execute(done, execution_options={"synchronize_session": False})
            session.expire_all()

    await does(database, read)


async def by_machines(database: Database) -> list[bool]:
    """Of each click, whether a machine did it."""

    async def asked(session: AsyncSession) -> list[bool]:
        query = select(BehaviourRow.bot).where(BehaviourRow.name == "email.clicked").order_by(BehaviourRow.at)
        return list(await session.scalars(query))

    return await does(database, asked)


@pytest.mark.parametrize("order", list(permutations([clicked(58), clicked(600), DELIVERED])))
async def test_a_click_before_delivery_is_a_machines_in_any_order_of_telling(
    database: Database, order: tuple[dict[str, Any], ...]
) -> None:
    """A gateway clicks while the mail is handed over; the person clicks ten minutes later, and stays one."""
    await told(database, *order)
    assert await by_machines(database) == [True, False]


async def test_a_late_word_of_delivery_takes_the_gateways_points_back(database: Database) -> None:
    """The click counted while nobody knew; the touch knows when it was delivered."""
    await told(database, clicked(58), DELIVERED)
    found = await only(database, Touch)
    assert found.delivered_at == NOON + timedelta(seconds=60)
    (click,) = await rows(database, BehaviourRow, name="email.clicked")
    assert click.bot
    (entry,) = await rows(database, ScoreEntry, behaviour_id=click.id)
    assert (entry.points, entry.reason) == (0, "taken back: a machine's click (before the mail was delivered)")
