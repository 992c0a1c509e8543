"""What comes through a browser makes nobody a lead before the owner of the address has confirmed it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from models.intake import Event
from models.leads import BehaviourRow, Consent, LeadRow, Suppression
from models.touches import Message
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.access.keys import create_key
from perennial.app.sources import translator
from perennial.app.web import create_app
from perennial.channels.database_mail import DatabaseProvider
from perennial.leads.suppressed_addresses import suppress_address
from perennial.platform.database import Database
from perennial.platform.settings import Settings
from perennial.web.edge import Edge
from perennial.web.limits import Limits
from perennial.web.signups import MOST_AN_HOUR, SOURCE, Signups
from tests.builders import SECRETS, count, does, granted, only, person, rows, store
from tests.web.pages_rig import PUBLIC, SENDER
from tests.web.serving import Switch

CONSENT = {"basis": "consent", "source": "guide-form", "wording": "v1"}
PAGE = "https://www.northwind.example"


@dataclass
class Site:
    """A web service with keys; `now` is the time it is for its sign-ups."""

    database: Database
    client: httpx2.AsyncClient
    keys: dict[str, str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def signs_up(self, email: str, *, anonymous: str = "a1") -> None:
        """Somebody types an address into a form of the website."""
        traits = {"email": email, "firstName": "Ada", "consent": CONSENT}
        await self.posts({"type": "identify", "anonymousId": anonymous, "traits": traits})

    async def posts(self, call: dict[str, Any], scope: str = "browser", **headers: str) -> None:
        """A call of Segment's library, alone in its batch."""
        auth = (self.keys[scope], "")
        answer = await self.client.post("/v1/batch", json={"batch": [call]}, auth=auth, headers=headers)
        assert answer.status_code == 200, answer.text

    async def relays(self) -> None:
        """Read what waits, as the relay does, until nothing does."""
        while new := [event.id for event in await rows(self.database, Event, state="new")]:
            async with self.database.writing() as session:
                for number in new:
                    event = await session.get_one(Event, number)
                    meaning = await translator(SECRETS, DEFAULT_MODEL).meaning(session, event)
                    event.state = meaning.state
                    session.add_all(
                        BehaviourRow(id=each.id, lead_id=each.lead_id, name=each.name, at=each.at, received_at=each.at)
                        for each in meaning.reports
                    )

    async def link(self) -> str:
        """The path in the last mail."""
        async with self.database.reading() as session:
            text = await session.scalar(select(Message.text).order_by(Message.at.desc()).limit(1))
        assert text is not None
        return next(word for word in text.split() if word.startswith(PUBLIC)).removeprefix(PUBLIC)


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    """The service, over each database."""
    async with database.writing() as session:
        made = [await create_key(session, scope, [scope], datetime.now(UTC)) for scope in ("browser", "ingest")]
    keys = {key.name: key.text for key in made}
    edge = Edge(Settings(), database, Clock.production(), Switch(), Limits(1e6))
    asked = Signups(database, SECRETS, DatabaseProvider(database), SENDER, lambda: site.now)
    transport = httpx2.ASGITransport(create_app(edge, signups=asked))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        site = Site(database, client, keys)
        yield site


async def test_an_address_from_a_browser_is_a_lead_once_its_owner_confirms(site: Site) -> None:
    """With the consent that was claimed, and with all that the visitor did before."""
    await site.posts({"type": "track", "anonymousId": "a1", "event": "Demo Requested", "properties": {}})
    await site.signs_up("ada@example.com")
    await site.relays()
    assert await rows(site.database, LeadRow) == []
    mail = await only(site.database, Message)
    assert (mail.to, "Ada" in mail.text) == ("ada@example.com", False)

    link = await site.link()
    assert "Yes, write to me" in (await site.client.get(link)).text
    await site.relays()
    assert await rows(site.database, LeadRow) == []

    assert (await site.client.post(link)).status_code == 200
    await site.relays()
    lead, given = await only(site.database, LeadRow), await only(site.database, Consent)
    assert (lead.email, lead.first_name) == ("ada@example.com", "Ada")
    assert (given.action, given.basis, given.source, given.wording) == ("granted", "consent", "guide-form", "v1")
    assert [row.name for row in await rows(site.database, BehaviourRow)] == ["demo.requested"]

    assert (await site.client.post(link)).status_code == 200
    await site.relays()
    assert await count(site.database, Consent) == 1


@pytest.mark.parametrize(
    ("scope", "headers"),
    [
        ("browser", {}),
        ("browser", {"origin": PAGE}),
        ("ingest", {"origin": PAGE}),
        ("ingest", {"sec-fetch-site": "none"}),
    ],
)
async def test_a_call_that_anybody_could_make_makes_no_lead(site: Site, scope: str, headers: dict[str, str]) -> None:
    """By a key for pages, or from a page, in which the key then stands; a mark in the body changes nothing."""
    traits = {"email": "ada@example.com", "consent": "legitimate-interest"}
    call = {"type": "identify", "anonymousId": "a1", "traits": traits, "perennialPublic": False}
    await site.posts(call, scope, **headers)
    await site.posts(
        {"type": "track", "event": "Form Submitted", "anonymousId": "a1", "properties": traits}, scope, **headers
    )
    await site.relays()
    assert await rows(site.database, LeadRow) == []
    assert await count(site.database, Message) == 1


async def test_a_servers_word_is_believed(site: Site) -> None:
    """Its key is secret, so the company itself says that there is consent; a stranger's mark is taken out."""
    traits = {"email": "ada@example.com", "consent": CONSENT}
    await site.posts({"type": "identify", "userId": "u1", "traits": traits, "perennialPublic": True}, "ingest")
    await site.relays()
    assert (await only(site.database, Consent)).action == "granted"
    assert await count(site.database, Message) == 0


async def test_a_browser_gives_a_known_lead_no_consent(site: Site) -> None:
    """Nobody ever asked this lead; its owner may still confirm."""
    await store(site.database, person("l1"))
    await site.signs_up("l1@example.com")
    await site.relays()
    assert await rows(site.database, Consent) == []
    await site.client.post(await site.link())
    await site.relays()
    assert (await only(site.database, Consent)).lead_id == "l1"


async def test_nobody_is_asked_who_agreed_left_or_must_not_be_known(site: Site) -> None:
    """Who left comes back by the page behind the link in a mail."""
    await store(site.database, person("agreed"), person("left"))
    await store(site.database, granted("agreed"))
    await store(site.database, Suppression(lead_id="left", reason="opt-out", source="page", at=site.now))
    await does(site.database, lambda s: suppress_address(s, SECRETS, "erased@example.com", "erased", site.now))
    for name in ("agreed@example.com", "left@example.com", "erased@example.com", "info@example.com", "no address"):
        await site.signs_up(name)
    assert await count(site.database, Message) == 0


@pytest.mark.parametrize(
    "call",
    [
        {"type": "group", "groupId": "g", "traits": {"email": "office@example.com", "consent": CONSENT}},
        {"type": "track", "event": "Invited", "properties": {"email": "friend@example.com", "consent": CONSENT}},
    ],
    ids=["a company's", "an invitee's"],
)
async def test_somebody_elses_address_is_not_asked(site: Site, call: dict[str, Any]) -> None:
    """Only what a person says of itself claims an address."""
    await site.posts(call | {"anonymousId": "a1"})
    assert await count(site.database, Message) == 0


async def test_an_address_is_asked_three_times_a_day_at_most_and_once_in_ten_minutes(site: Site) -> None:
    """Anybody can type it into the form."""
    asked = []
    for _ in range(5):
        await site.signs_up("ada@example.com", anonymous=f"a{len(asked)}")
        await site.signs_up("ADA@example.com")
        asked.append(await count(site.database, Message))
        site.now += timedelta(minutes=10)
    assert asked == [1, 2, 3, 3, 3]
    site.now += timedelta(days=1)
    await site.signs_up("ada@example.com")
    assert await count(site.database, Message) == 4


async def test_a_public_key_does_not_make_us_mail_the_world(site: Site) -> None:
    """A number an hour, whoever they go to."""
    waiting = {"source": SOURCE, "received_at": site.now, "body": {}, "state": "waiting"}
    await store(
        site.database,
        *(Event(fingerprint=f"f{n}", anonymous_id=f"n{n}", **waiting) for n in range(MOST_AN_HOUR)),
    )
    await site.signs_up("ada@example.com")
    assert await count(site.database, Message) == 0
    site.now += timedelta(hours=1)
    await site.signs_up("ada@example.com")
    assert await count(site.database, Message) == 1


async def test_a_link_is_good_for_three_days_and_a_made_up_one_never(site: Site) -> None:
    """An older event would start no journey."""
    await site.signs_up("ada@example.com")
    site.now += timedelta(days=3, seconds=1)
    answer = await site.client.post(await site.link())
    assert (answer.status_code, "fill in the form again" in answer.text) == (410, True)
    assert (await site.client.post("/signup/made-up")).status_code == 404
    await site.relays()
    assert await rows(site.database, LeadRow) == []


async def test_whoever_confirms_gets_no_other_leads_name(site: Site) -> None:
    """A browser may claim any user id."""
    traits = {"email": "bo@example.com", "consent": CONSENT}
    await site.posts({"type": "identify", "userId": "u1", "traits": traits}, "ingest")
    await site.relays()
    await site.posts({"type": "identify", "userId": "u1", "traits": traits | {"email": "ada@example.com"}})
    await site.client.post(await site.link())
    await site.relays()
    assert {lead.email for lead in await rows(site.database, LeadRow)} == {"ada@example.com", "bo@example.com"}
