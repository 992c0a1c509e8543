"""What a visitor did before it said who it is: told once, in order, and before all that it does afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from models.intake import Event
from models.leads import BehaviourRow
from nurture.timing.clock import Clock
from perennial.intake.meaning import Meaning, Translator
from perennial.intake.outbox import Incoming, store
from perennial.integrations.segment.calls import incoming
from perennial.integrations.segment.meanings import SegmentReader
from perennial.leads.identity import Identities
from perennial.platform.database import Database
from tests.builders import SECRETS, enrolment, person
from tests.builders import store as keep
from tests.intake.test_relay import Journeys, relay_over

BO = {"email": "bo@example.com"}
IDENTIFY = {"type": "identify", "userId": "u-1", "anonymousId": "a-1", "traits": BO}
FORM = {"type": "track", "event": "form.submitted", "anonymousId": "a-1", "properties": {"form": "guide", **BO}}
ALIAS = {"type": "alias", "userId": "u-1", "previousId": "a-1"}
DEMO = {"type": "track", "event": "demo.requested", "userId": "u-1", "anonymousId": "a-1"}


def view(path: str, **who: str) -> dict[str, Any]:
    """A page view."""
    return {"type": "page", "properties": {"path": path}, **(who or {"anonymousId": "a-1"})}


async def heard(database: Database, *batches: list[dict[str, Any]], batch: int = 500) -> list[str]:
    """What the lead Bo's journey is told, in order, when these calls come in, a batch at a time."""
    now = datetime.now(UTC)  # what is attached is as old as it is now
    await keep(database, person("bo"), enrolment("new-lead", "bo", at=now))
    journeys = Journeys()
    relay = relay_over(database, journeys)
    relay.batch = batch
    number = 0
    for calls in batches:
        events: list[Incoming] = []
        for call in calls:
            number += 1
            events.append(incoming(call | {"messageId": f"m{number}"}, Clock.production(), now))
        await store(database, events)
        while await relay.drain():
            pass
    async with database.reading() as session:
        said = {row.id: row.subject or row.name for row in await session.scalars(select(BehaviourRow))}
        assert not (await session.scalars(select(Event).where(Event.state == "new"))).all()
    return [said[id_] for id_ in journeys.told["new-lead/bo"]]


@pytest.mark.parametrize("batch", [1, 2, 500])
@pytest.mark.parametrize(
    ("names", "says"),
    [([IDENTIFY, DEMO], ["demo.requested"]), ([FORM], ["guide"]), ([FORM, DEMO], ["guide"])],
    ids=["identify", "a form", "a form, then an unknown user"],
)
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two"])
async def test_what_came_before_is_told_first(
    database: Database, names: list[dict[str, Any]], says: list[str], *, together: bool, batch: int
) -> None:
    """Whether the views were put aside long ago or lie in the same batch, whatever a batch holds."""
    before, after = [view("/a"), view("/b")], [*names, view("/c"), names[0]]
    batches = [[*before, *after]] if together else [before, after]
    told = await heard(database, *batches, batch=batch)
    assert told[:3] == ["/a", "/b", says[0]]
    assert "/c" in told[3:]
    assert told.count("/a") == told.count("/b") == 1


async def test_an_alias_tells_what_its_previous_id_did_first(database: Database) -> None:
    """The user is known; what it did in the browser before is not."""
    known = {"type": "identify", "userId": "u-1", "traits": BO}
    told = await heard(database, [known], [view("/a"), view("/b"), ALIAS, view("/c"), DEMO])
    assert told == ["/a", "/b", "/c", "demo.requested"]


async def test_other_leads_of_the_batch_do_not_wait(database: Database) -> None:
    """Only what the lead itself did is read again; another visitor stays nobody."""
    other = view("/x", anonymousId="a-2")
    assert await heard(database, [view("/a"), other, IDENTIFY, other, view("/b")]) == ["/a", "/b"]


async def test_what_another_user_did_in_the_same_browser_is_not_the_leads(database: Database) -> None:
    """It waits for its own user, and is that one's once it says who it is."""
    await keep(database, person("ada"))
    others = view("/others", userId="u-2", anonymousId="a-1")
    ada = {"type": "identify", "userId": "u-2", "anonymousId": "a-1", "traits": {"email": "ada@example.com"}}
    assert await heard(database, [view("/a"), others, IDENTIFY, view("/b")], [ada]) == ["/a", "/b"]
    async with database.reading() as session:
        theirs = select(BehaviourRow.lead_id).where(BehaviourRow.subject == "/others")
        assert (await session.scalars(theirs)).all() == ["ada"]


async def test_an_earlier_event_that_cannot_be_read_holds_nothing_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put aside alone; those around it are told in order."""
    reader = SegmentReader(Identities(SECRETS))

    async def read(session: Any, event: Event) -> Meaning:
        if event.event_id == "m2":
            raise KeyError("a bug of ours")
        return await reader(session, event)

    monkeypatch.setattr("tests.intake.test_relay.translator", lambda *_: Translator({"segment": read}))
    assert await heard(database, [view("/a"), view("/bad"), IDENTIFY, view("/b")]) == ["/a", "/b"]
