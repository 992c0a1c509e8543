"""The pages of a lead over a database, called as a browser or a mail client calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx2
from fastapi import FastAPI
from sqlalchemy import select

from models.base import Base
from models.intake import Event
from models.leads import Consent, LeadRow, Suppression
from models.touches import Message
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.envelope import From
from perennial.channels.ports import Provider
from perennial.integrations.clicks.links import TrackedLinks
from perennial.platform.database import Database
from perennial.platform.tokens import Tokens
from perennial.web.preferences import Preferences
from tests.builders import NOON, ada, enrolment, granted, store, touch

PUBLIC = "https://nurture.example"
SENDER = From("Maya at Northwind", "maya@northwind.example", "hello@northwind.example", "1 Orchard Lane", PUBLIC)
TOKENS = Tokens("a secret of these tests, long enough")
TOPICS = ("dashboards", "data-quality")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Site:
    """The pages; `now` is the time it is there."""

    database: Database
    client: httpx2.AsyncClient
    now: datetime = NOON
    token: str = field(default_factory=lambda: TOKENS.sign("preferences", "t1"))

    def passes(self, **span: float) -> None:
        """Let time go by."""
        self.now += timedelta(**span)

    async def get(self, path: str | None = None) -> httpx2.Response:
        """Open a page; Ada's own unless another is named."""
        return await self.client.get(path or f"/u/{self.token}")

    async def post(self, fields: dict[str, str | list[str]], path: str | None = None) -> httpx2.Response:
        """Send a form; to Ada's own page unless another is named."""
        return await self.client.post(path or f"/u/{self.token}", data=fields)

    async def rows(self, table: type[Base]) -> list[Base]:
        """Everything in a table."""
        async with self.database.reading() as session:
            return list(await session.scalars(select(table).order_by(*table.__table__.primary_key)))

    async def ledger(self) -> list[str]:
        """What the consent ledger says, in order."""
        async with self.database.reading() as session:
            return list(await session.scalars(select(Consent.action).order_by(Consent.id)))

    async def suppressed(self) -> list[str]:
        """Why Ada is not mailed."""
        async with self.database.reading() as session:
            return list(await session.scalars(select(Suppression.reason).order_by(Suppression.reason)))

    async def events(self) -> list[Event]:
        """What waits for the relay."""
        async with self.database.reading() as session:
            return list(await session.scalars(select(Event).order_by(Event.id)))

    async def lead(self) -> LeadRow:
        """Ada."""
        async with self.database.reading() as session:
            return await session.get_one(LeadRow, "l1")

    async def link_of_last_mail(self) -> str:
        """The path in the last confirmation mail."""
        async with self.database.reading() as session:
            text = await session.scalar(select(Message.text).order_by(Message.at.desc()).limit(1))
        assert text is not None
        return next(word for word in text.split() if word.startswith(PUBLIC)).removeprefix(PUBLIC)


@asynccontextmanager
async def site_over(database: Database, provider: Provider | None = None) -> AsyncIterator[Site]:
    """Ada, who has consented and got touch t1, and the pages."""
    await store(database, ada(first_name="Ada", company="Northwind"), enrolment(), touch("t1"), granted())
    app = FastAPI()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC) as client:
        site = Site(database, client)
        pages = Preferences(database, TOKENS, provider or DatabaseProvider(database), SENDER, TOPICS, lambda: site.now)
        app.include_router(pages.router())
        app.include_router(TrackedLinks(database, TOKENS, SENDER, lambda: site.now).router())
        yield site
