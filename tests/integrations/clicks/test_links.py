"""Our own tracked links and pixels: what counts, and what never does."""

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from re import findall

import httpx2
import pytest
from fastapi import FastAPI

from perennial.channels.tracking import track_links
from perennial.integrations.clicks.links import TrackedLinks
from perennial.platform.database import Database
from tests.builders import NOON
from tests.web.pages_rig import PUBLIC, SENDER, TOKENS, Site, site_over

URL = "https://www.northwind.example/library?a=1&b=2#top"
LINK = f"/c/{TOKENS.sign('click', 't1', URL)}"
PIXEL = f"/o/{TOKENS.sign('open', 't1')}.gif"


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with site_over(database) as site:
        yield site


async def test_a_click_is_stored_and_leads_on(site: Site) -> None:
    """To the exact address, query and all."""
    answer = await site.get(LINK)
    assert (answer.status_code, answer.headers["location"]) == (302, URL)
    (event,) = await site.events()
    assert (event.source, event.state) == ("click", "new")
    assert {name: event.body[name] for name in ("event", "touch_id", "url")} == {
        "event": "click",
        "touch_id": "t1",
        "url": URL,
    }


async def test_an_open_is_stored_and_shows_a_pixel(site: Site) -> None:
    """A picture that no cache keeps."""
    answer = await site.get(PIXEL)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.content.startswith(b"GIF89a")
    assert "no-store" in answer.headers["cache-control"]
    assert [event.body["event"] for event in await site.events()] == ["open"]


async def test_the_links_that_a_mail_carries_are_the_ones_that_are_served(site: Site) -> None:
    """From the rewritten HTML to the stored event."""
    html = track_links(
        f'<body><a href="{URL.replace("&", "&amp;")}">Read</a></body>', touch_id="t1", tokens=TOKENS, public_url=PUBLIC
    )
    for address in findall(r'(?:href|src)="([^"]+)"', html):
        assert (await site.get(unescape(address).removeprefix(PUBLIC))).status_code in (200, 302)
    assert [event.body["event"] for event in await site.events()] == ["click", "open"]


@pytest.mark.parametrize("name", ["t2", "nobody", "x" * 33, "%00", "t1%00", "t%C3%A9", "' OR 1=1"])
async def test_a_hidden_link_that_no_mail_carried_writes_nothing(site: Site, name: str) -> None:
    """Its name is not signed, so anybody can make one up."""
    assert (await site.get(f"/h/{name}")).status_code == 204
    assert await site.events() == []


async def test_a_hidden_link_of_a_mail_is_stored(site: Site) -> None:
    """Only machines follow it: that gives away what they clicked besides."""
    assert (await site.get("/h/t1")).status_code == 204
    assert [event.body["url"] for event in await site.events()] == ["/h/"]


@pytest.mark.parametrize("path", [LINK, PIXEL])
async def test_a_head_never_counts(site: Site, path: str) -> None:
    """Link checkers ask so; the answer is the same."""
    answer = await site.client.head(path)
    assert answer.status_code in (200, 302)
    assert await site.events() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Sec-Purpose": "prefetch;anonymous-client-ip"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
async def test_a_prefetch_never_counts(site: Site, headers: dict[str, str]) -> None:
    """A browser that guesses is no person who clicks."""
    assert (await site.client.get(LINK, headers=headers)).status_code == 302
    assert await site.events() == []


@pytest.mark.parametrize(
    "path",
    [
        "/c/nonsense",
        LINK[:-3],
        f"/c/{TOKENS.sign('open', 't1')}",
        f"/c/{TOKENS.sign('click', 't1', 'javascript:alert(1)')}",
        "/o/nonsense.gif",
        f"/o/{TOKENS.sign('click', 't1', URL)}.gif",
    ],
)
async def test_a_broken_token_leads_nowhere_and_never_counts(site: Site, path: str) -> None:
    """So nobody makes our address redirect to theirs."""
    answer = await site.get(path)
    assert answer.status_code == 404
    assert "location" not in answer.headers
    assert await site.events() == []


async def test_one_click_of_many_requests_counts_once(site: Site) -> None:
    """A double click, a browser that asks twice; a minute later it is another click."""
    await asyncio.gather(*(site.get(LINK) for _ in range(5)))
    assert len(await site.events()) == 1
    site.passes(minutes=1)
    await site.get(LINK)
    assert len(await site.events()) == 2


async def test_a_scanner_and_a_person_in_one_second_are_two(site: Site) -> None:
    """Else the person's click would be taken for a repeat of the scanner's."""
    for agent in ("Barracuda Sentinel (EE)", "Mozilla/5.0 (iPhone)", "Mozilla/5.0 (iPhone)"):
        await site.client.get(LINK, headers={"User-Agent": agent})
    agents = [event.body["useragent"] for event in await site.events()]
    assert agents == ["Barracuda Sentinel (EE)", "Mozilla/5.0 (iPhone)"]


async def test_a_person_gets_to_the_page_when_the_database_is_away() -> None:
    """The click is lost, the reader is not."""
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    app = FastAPI()
    app.include_router(TrackedLinks(gone, TOKENS, SENDER, lambda: NOON).router())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC) as client:
        answer = await client.get(LINK)
    assert (answer.status_code, answer.headers["location"]) == (302, URL)
    await gone.close()
