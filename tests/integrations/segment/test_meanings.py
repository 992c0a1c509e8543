"""Whom a Segment call is about: only what a person says of itself makes a lead of its user."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Identity
from perennial.intake.outbox import Incoming, accept
from perennial.integrations.segment.meanings import SegmentReader
from perennial.leads.identity import Identities
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, does, person, rows, settle

READER = SegmentReader(Identities(SECRETS))
OTHER = "bo@example.com"


async def read(database: Database, body: dict[str, Any]) -> str | None:
    """Read a call of user u-1; the lead it is about."""

    async def reading(session: AsyncSession) -> str | None:
        told = {"userId": "u-1"} | body
        await accept(session, [Incoming("segment", None, (str(told),), told, NOON)])
        event = (await session.scalars(select(Event).order_by(Event.id.desc()).limit(1))).one()
        meaning = await READER(session, event)
        return meaning.reports[0].lead_id if meaning.reports else await session.scalar(select(Identity.lead_id))

    return await does(database, reading)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "group", "groupId": "acme", "traits": {"email": OTHER}},
        {"type": "track", "event": "Invited", "properties": {"email": OTHER}},
        {"type": "track", "event": "Webinar Attended", "properties": {"email": OTHER, "event": "w1"}},
        {"type": "page", "properties": {"path": "/invite", "email": OTHER}},
        {"type": "identify", "traits": {"email": "info@example.com"}},
    ],
    ids=["a company's", "an invitee's", "at an event", "on a page", "a shared one"],
)
async def test_an_address_that_is_not_the_persons_own_binds_nobody(database: Database, body: dict[str, Any]) -> None:
    """The user stays who it was; its later demo request scores nobody else."""
    await settle(database, person("bo"), person("info"))
    assert await read(database, body) is None
    assert await read(database, {"type": "track", "event": "Demo Requested"}) is None
    assert await rows(database, Identity) == []


@pytest.mark.parametrize(
    "body",
    [
        {"type": "identify", "traits": {"email": OTHER}},
        {"type": "track", "event": "Form Submitted", "properties": {"email": OTHER, "form": "guide"}},
        {"type": "track", "event": "Anything", "context": {"traits": {"email": OTHER}}},
    ],
    ids=["identify", "its own form", "the user's own traits"],
)
async def test_what_a_person_says_of_itself_binds_its_user(database: Database, body: dict[str, Any]) -> None:
    """And what the user does from then on is the lead's."""
    await settle(database, person("bo"))
    assert await read(database, body) == "bo"
    assert await read(database, {"type": "track", "event": "Demo Requested"}) == "bo"
