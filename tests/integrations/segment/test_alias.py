"""An alias: one person under two ids, and what it did under the earlier one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Identity
from nurture.timing.clock import Clock
from perennial.intake.outbox import accept
from perennial.integrations.segment.calls import incoming
from perennial.integrations.segment.meanings import SegmentReader
from perennial.leads.identity import Identities
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, does, person, rows, settle

READER = SegmentReader(Identities(SECRETS))
ALIAS = {"type": "alias", "userId": "u-1", "previousId": "a-1"}
IDENTIFY = {"type": "identify", "userId": "u-1", "traits": {"email": "bo@example.com"}}


async def told(database: Database, *calls: dict[str, Any]) -> None:
    """Take calls, and read what is new until nothing is, one at a time, as the relay does."""

    async def reading(session: AsyncSession) -> None:
        for number, call in enumerate(calls):
            await accept(session, [incoming(call | {"messageId": f"m{number}"}, Clock.production(), NOON)])
        new = select(Event).where(Event.state == "new").order_by(Event.id).limit(1)
        while (event := await session.scalar(new)) is not None:
            meaning = await READER(session, event)
            ends = update(Event).where(Event.id == event.id).values(state=meaning.state)
            await session.execute(ends, execution_options={"synchronize_session": False})
            session.expire_all()

    await does(database, reading)


def view(path: str, **who: str) -> dict[str, Any]:
    """A page view."""
    return {"type": "page", "properties": {"path": path}, **who}


@pytest.mark.parametrize("calls", [(ALIAS, IDENTIFY), (IDENTIFY, ALIAS)], ids=["before it is known", "after"])
@pytest.mark.parametrize("who", [{"anonymousId": "a-1"}, {"userId": "a-1"}], ids=["a browser", "a user"])
async def test_an_alias_joins_what_its_previous_id_did(
    database: Database, calls: tuple[dict[str, Any], ...], who: dict[str, str]
) -> None:
    """Whichever of the two calls comes first, and whatever the previous id was; others' views stay."""
    await settle(database, person("bo"))
    await told(database, view("/pricing", **who), view("/guide", **who), view("/", anonymousId="a-2"), *calls)
    pages = [event for event in await rows(database, Event) if event.body["type"] == "page"]
    assert {(event.body["properties"]["path"], event.lead_id, event.state) for event in pages} == {
        ("/pricing", "bo", "done"),
        ("/guide", "bo", "done"),
        ("/", None, "anonymous"),
    }


async def test_an_alias_of_a_known_user_gives_its_lead_the_new_id(database: Database) -> None:
    """The product gave the person another user id."""
    await settle(database, person("bo"))
    await told(database, IDENTIFY, {"type": "alias", "userId": "u-2", "previousId": "u-1"})
    assert {(each.kind, each.value, each.lead_id) for each in await rows(database, Identity)} >= {
        ("user", "u-1", "bo"),
        ("user", "u-2", "bo"),
    }


async def test_an_alias_takes_no_name_from_another_lead(database: Database) -> None:
    """Two leads are made one by a person, with `merge`."""
    await settle(database, person("bo"), person("ada"))
    ada = {"type": "identify", "userId": "u-2", "anonymousId": "a-1", "traits": {"email": "ada@example.com"}}
    await told(database, IDENTIFY, ada, ALIAS)
    assert {(each.value, each.lead_id) for each in await rows(database, Identity)} == {
        ("u-1", "bo"),
        ("u-2", "ada"),
        ("a-1", "ada"),
    }
