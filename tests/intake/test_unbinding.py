"""A user id that was taken for the wrong lead: what moves, what stays, and what a dry run says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import BehaviourRow, Identity, ScoreEntry
from nurture.errors import NotFoundError, RefusedError
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.intake.outbox import accept
from perennial.intake.recording import Recorder
from perennial.intake.unbinding import Binding, binding_of, unbind
from perennial.integrations.segment.calls import incoming
from perennial.integrations.segment.meanings import SegmentReader
from perennial.leads.identity import Identities
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, does, one, person, rows, settle

READER = SegmentReader(Identities(SECRETS))
RECORDER = Recorder(DEFAULT_MODEL, Registry(()))
WRONG = {"type": "identify", "userId": "7", "traits": {"email": "bo@example.com"}}
DEMO = {"type": "track", "event": "Demo Requested", "anonymousId": "a-1"}
VIEW = {"type": "page", "properties": {"path": "/pricing"}}


async def read(session: AsyncSession) -> None:
    """Read and record what is new, one at a time, as the relay does."""
    new = select(Event).where(Event.state == "new").order_by(Event.id).limit(1)
    while (event := await session.scalar(new)) is not None:
        meaning = await READER(session, event)
        await RECORDER.record(session, meaning.reports, NOON)
        ends = update(Event).where(Event.id == event.id).values(state=meaning.state)
        await session.execute(ends, execution_options={"synchronize_session": False})
        session.expire_all()


@pytest.fixture
async def wrong(database: Database) -> Database:
    """User 7, who is Ada, is taken for Bo: a demo request and two views score him. Bo's own user id is 8."""
    await settle(database, person("bo"), person("ada"))
    own = {"type": "identify", "userId": "8", "traits": {"email": "bo@example.com"}}
    calls: list[dict[str, Any]] = [
        own,
        {**VIEW, "userId": "8", "anonymousId": "b-1"},
        WRONG,
        {**DEMO, "userId": 7},
        {**VIEW, "anonymousId": "a-1"},
        {**VIEW, "userId": "7", "anonymousId": "b-1"},
    ]

    async def take(session: AsyncSession) -> None:
        told = [incoming(call | {"messageId": f"m{n}"}, Clock.production(), NOON) for n, call in enumerate(calls)]
        await accept(session, told)
        await read(session)

    await does(database, take)
    return database


async def undone(database: Database, to: str | None = None) -> Binding:
    """What was bound, once it is undone and what is new was read."""

    async def work(session: AsyncSession) -> Binding:
        binding = await binding_of(session, "7")
        await unbind(session, binding, to=to, at=NOON + timedelta(minutes=1), model=DEFAULT_MODEL)
        await read(session)
        return binding

    return await does(database, work)


async def whose(database: Database) -> tuple[list[str], set[tuple[str, str]]]:
    """Whose behaviours there are, and whose names."""
    behaviours = sorted(f"{row.lead_id} {row.name}" for row in await rows(database, BehaviourRow))
    return behaviours, {(each.value, each.lead_id) for each in await rows(database, Identity)}


async def test_what_the_user_did_is_nobodys_until_it_says_who_it_is(wrong: Database) -> None:
    """Bo keeps what he did under his own user id, also in the browser that both used."""
    assert (await one(wrong, "bo")).score > 20
    binding = await undone(wrong)
    assert (binding.lead_id, binding.browsers, len(binding.events), len(binding.behaviours)) == ("bo", ("a-1",), 4, 3)
    assert await whose(wrong) == (["bo page.viewed"], {("8", "bo"), ("b-1", "bo")})
    assert (await one(wrong, "bo")).score == 15
    assert {entry.lead_id for entry in await rows(wrong, ScoreEntry)} == {"bo"}

    async def says(session: AsyncSession) -> None:
        told = {"type": "identify", "userId": "7", "anonymousId": "a-1", "traits": {"email": "ada@example.com"}}
        await accept(session, [incoming(told, Clock.production(), NOON)])
        await read(session)

    await does(wrong, says)
    behaviours, names = await whose(wrong)
    assert behaviours == ["ada demo.requested", "ada page.viewed", "ada page.viewed", "bo page.viewed"]
    assert {("7", "ada"), ("a-1", "ada")} <= names


async def test_what_the_user_did_is_the_right_leads_at_once(wrong: Database) -> None:
    """A person knows who it is; the relay reads the calls again."""
    await undone(wrong, to="ada")
    behaviours, names = await whose(wrong)
    assert behaviours == ["ada demo.requested", "ada page.viewed", "ada page.viewed", "bo page.viewed"]
    assert names == {("7", "ada"), ("a-1", "ada"), ("8", "bo"), ("b-1", "bo")}
    assert (await one(wrong, "ada")).score > 20


async def test_an_unknown_user_and_the_same_lead_are_refused(wrong: Database) -> None:
    """Nothing is changed."""
    with pytest.raises(RefusedError, match="already"):
        await undone(wrong, to="bo")
    with pytest.raises(NotFoundError, match="no lead has the user id"):
        await does(wrong, lambda session: binding_of(session, "70"))
    assert len(await rows(wrong, BehaviourRow)) == 4
