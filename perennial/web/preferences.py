"""Unsubscribe, topics, breaks and coming back: the page behind the link in every mail.

The token of `/u/{token}` names a touch. A GET shows the page and changes nothing, because scanners follow links. A POST
with `List-Unsubscribe=One-Click` is a mail client's button (RFC 8058: no cookie, no redirect, repeatable); any other
POST is one of the page's forms. Coming back takes a double opt-in: `perennial.web.confirmation`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.datastructures import FormData

from nurture.errors import InputError
from perennial.channels.envelope import From
from perennial.channels.ports import Provider
from perennial.intake import own
from perennial.intake.outbox import CHANNEL, accept
from perennial.intake.reports import Report
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.leads.preferences import preferences_of, set_break, set_topics
from perennial.leads.suppression import may_ask, suppress, suppressions
from perennial.platform.database import Database
from perennial.platform.patience import with_patience
from perennial.platform.tokens import Tokens
from perennial.web.confirmation import Confirmation
from perennial.web.links import find_lead_of_link, lead_of_link, no_such_page
from perennial.web.pages import Notice, PageError, Pages, add_stylesheet, form_of

BREAKS = (30, 60, 90)
ONE_CLICK = ("List-Unsubscribe", "One-Click")
TITLE = "Your e-mail preferences"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic on the page."""

    slug: str
    name: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class LeadView:
    """What the page shows of its lead."""

    address: str
    stopped: bool
    may_return: bool
    break_until: str | None
    topics: tuple[Topic, ...]


@dataclass(frozen=True)
class Preferences:
    """The pages, over this database. `topics` are the slugs of the topics that content covers."""

    database: Database
    tokens: Tokens
    provider: Provider
    sender: From
    topics: Sequence[str]
    now: Callable[[], datetime]

    def router(self) -> APIRouter:
        """The routes: `/u/{token}`, `/confirm/{token}` and the stylesheet."""
        pages = Pages(self.sender)
        router = APIRouter(tags=["pages"], route_class=pages.route())
        add_stylesheet(router)

        @router.api_route("/u/{token}", methods=["GET", "HEAD"], include_in_schema=False)
        async def show(token: str) -> Response:
            return await self._page(pages, self._touch_of(token))

        @router.post("/u/{token}", include_in_schema=False)
        async def change(token: str, request: Request) -> Response:
            touch_id = self._touch_of(token)
            form = await form_of(request)
            if str(form.get(ONE_CLICK[0])).strip().lower() == ONE_CLICK[1].lower():  # some end the body with a line end
                await self.opt_out(touch_id, source="one-click")
                return PlainTextResponse("unsubscribed\n")
            return await self._page(pages, touch_id, await self._act(pages, touch_id, form))

        self._confirmation.add_routes(router, pages)
        return router

    @property
    def _confirmation(self) -> Confirmation:
        return Confirmation(self.database, self.tokens, self.provider, self.sender, self.now)

    # Forms

    async def opt_out(self, touch_id: str, *, source: str) -> None:
        """Suppress the lead of this touch; the relay then tells its journeys.

        Whoever pressed the button may not come back: try again while the database is away for a moment. Raises
        PageError if the touch is gone.
        """
        await with_patience(partial(self._opt_out, touch_id, source=source))

    async def _opt_out(self, touch_id: str, *, source: str) -> None:
        at = self.now()
        async with self.database.writing() as session:
            lead = await find_lead_of_link(session, touch_id)
            if lead is None:
                raise no_such_page()  # what is not known to be done is not said to be
            if lead.erased_at is not None:
                return
            await lock_lead(session, lead.id)
            number = await consent.last_decision(session, lead.id)
            if not await suppress(session, lead.id, "opt-out", at, source=source):
                return
            # Named by the consent that it ends: pressed twice it is one opt-out, after a return another.
            event_id = f"opt-out-{touch_id}-{number}"
            report = Report(event_id, lead.id, "lead.opted_out", {}, at, touch_id)
            await accept(session, [own.event_of(report, at)])
        self.database.announce(CHANNEL)

    async def _act(self, pages: Pages, touch_id: str, form: FormData) -> Notice:
        days = form.get("days")
        match form.get("action"):
            case "unsubscribe":
                await self.opt_out(touch_id, source="page")
                return Notice("You are unsubscribed. We will not write to you again.")
            case "pause" if isinstance(days, str) and days in {str(each) for each in BREAKS}:
                return await self._pause(touch_id, int(days))
            case "resume":
                return await self._pause(touch_id, None)
            case "topics":
                return await self._topics(touch_id, {str(each) for each in form.getlist("topic")})
            case "return":
                return await self._confirmation.ask(pages, touch_id)
            case _:
                raise PageError(400, "Nothing was chosen", "Please go back, choose something, and try again.")

    async def _pause(self, touch_id: str, days: int | None) -> Notice:
        until = None if days is None else self.now() + timedelta(days=days)
        async with self.database.writing() as session:
            lead = await lead_of_link(session, touch_id)
            await set_break(session, lead.id, until)
        return Notice("Your break is over." if days is None else f"Done: nothing from us for {days} days.")

    async def _topics(self, touch_id: str, wanted: set[str]) -> Notice:
        async with self.database.writing() as session:
            lead = await lead_of_link(session, touch_id)
            await set_topics(session, lead.id, {topic: topic in wanted for topic in self.topics}, self.now())
        if wanted.isdisjoint(self.topics):
            return Notice(
                "Saved: nothing on any of these subjects. Mail that is about none of them goes on; "
                "to end that too, unsubscribe."
            )
        return Notice("Your subjects are saved.")

    # Look-ups

    async def _page(self, pages: Pages, touch_id: str, notice: Notice | None = None) -> Response:
        now = self.now()
        async with self.database.reading() as session:
            lead = await lead_of_link(session, touch_id)
            reasons = await suppressions(session, lead.id)
            chosen = await preferences_of(session, lead)
            stopped = bool(reasons) or await consent.current(session, lead.id) != "granted"
        on_break = chosen.break_until if chosen.break_until is not None and chosen.break_until > now else None
        view = LeadView(
            address=masked(lead.email),
            stopped=stopped,
            may_return=may_ask(reasons),
            break_until=f"{on_break.day} {on_break:%B %Y}" if on_break else None,
            topics=tuple(
                Topic(slug, slug.replace("-", " ").capitalize(), slug not in chosen.unwanted) for slug in self.topics
            ),
        )
        return pages.page("preferences.html", TITLE, view=view, notice=notice, breaks=BREAKS)

    def _touch_of(self, token: str) -> str:
        try:
            (touch_id,) = self.tokens.read("preferences", token)
        except (InputError, ValueError):
            raise no_such_page() from None
        return touch_id


def masked(email: str) -> str:
    """An address that its owner recognises and nobody else learns: `a…@example.com`."""
    local, at, domain = email.rpartition("@")
    return f"{local[:1]}…{at}{domain}"
