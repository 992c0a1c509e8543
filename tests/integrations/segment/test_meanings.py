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


@pytest.mark.parametrize(
    ("name", "properties", "subjects"),
    [
        ("content.downloaded", {"piece": ["guide", "Prices"]}, ["guide", "Prices"]),
        ("form.submitted", {"form": ["guide", "guide", None, 7, True]}, ["guide", "7"]),
        ("form.submitted", {"form": {"id": "f-1", "name": "Контакт"}}, ["Контакт"]),
        ("event.attended", {"event": [], "title": "Open day"}, ["Open day"]),
        ("form.submitted", {"form": {}}, [""]),
        ("demo.requested", {"products": ["a", "b"]}, [""]),
    ],
    ids=["two pieces", "odd ones", "an object", "an empty list", "nothing", "no subject"],
)
async def test_a_list_is_a_list_and_never_a_programs_text(
    database: Database, name: str, properties: dict[str, Any], subjects: list[str]
) -> None:
    """Each of its words counts once; read twice, the same ids."""
    await settle(database, person("bo"))
    told = {"type": "track", "event": name, "properties": properties, "context": {"traits": {"email": OTHER}}}

    async def reading(session: AsyncSession) -> list[tuple[str, str]]:
        await accept(session, [Incoming("segment", None, ("m",), told | {"userId": "u-1"}, NOON)])
        event = (await session.scalars(select(Event))).one()
        return [(report.id, report.subject) for report in (await READER(session, event)).reports]

    first = await does(database, reading)
    assert [subject for _, subject in first] == subjects
    assert len({id_ for id_, _ in first}) == len(subjects)
    assert await does(database, reading) == first


@pytest.mark.parametrize(
    ("said", "page"),
    [
        ({"properties": {"path": "https://a.example/Pricing/?x=1#top"}}, "/pricing"),
        ({"properties": {"url": "https://a.example/Pricing"}}, "/pricing"),
        ({"context": {"page": {"url": "https://a.example/Pricing#faq"}}}, "/pricing"),
        ({"properties": {"path": None, "url": ["https://a.example/Pricing"]}}, "/pricing"),
        ({"properties": {"path": {}, "url": "https://a.example/"}}, "/"),
    ],
)
async def test_a_page_call_names_its_page_in_any_of_the_usual_fields(
    database: Database, said: dict[str, Any], page: str
) -> None:
    """`path` first, then `url`, then what the library knows of the page."""
    await settle(database, person("bo"))
    told = {"type": "page", **said}
    told["context"] = {**told.get("context", {}), "traits": {"email": OTHER}}

    async def reading(session: AsyncSession) -> list[str]:
        await accept(session, [Incoming("segment", None, ("m",), told | {"userId": "u-1"}, NOON)])
        event = (await session.scalars(select(Event))).one()
        return [report.subject for report in (await READER(session, event)).reports]

    assert await does(database, reading) == [page]


@pytest.mark.parametrize(("told", "kept"), [(75, 75), ("80", 80), (101, None), ("far", None), (None, None)])
async def test_how_deep_a_visitor_read_is_kept(database: Database, told: object, kept: float | None) -> None:
    """From 0 to 100; another property is not, for anything may stand in it."""

    async def reading(session: AsyncSession) -> list[dict[str, Any]]:
        properties = {"path": "/guide", "percent": told, "email": OTHER}
        body = {"type": "track", "userId": "u-1", "event": "page.scrolled", "properties": properties}
        await accept(session, [Incoming("segment", None, (str(body),), body, NOON)])
        event = (await session.scalars(select(Event).order_by(Event.id.desc()).limit(1))).one()
        return [report.props for report in (await READER(session, event)).reports]

    await settle(database, person("ada"))
    async with database.writing() as session:
        session.add(Identity(kind="user", value="u-1", lead_id="ada", at=NOON))
    assert await does(database, reading) == [{"path": "/guide"} | ({} if kept is None else {"percent": kept})]
