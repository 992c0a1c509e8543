"""Unsubscribe, topics, breaks and coming back: the page behind the link in every mail.

The token of `/u/{token}` names a touch. A GET shows the page and changes nothing, because scanners follow links. A POST
with `List-Unsubscribe=One-Click` is a mail client's button (RFC 8058: no cookie, no redirect, repeatable); any other
POST is one of the page's forms. Coming back takes a mail and its link (double opt-in), because whoever was forwarded a
mail can open this page too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData

from models.leads import Consent, LeadRow
from models.touches import Touch
from nurture.errors import InputError, RefusedError
from perennial.channels.envelope import From
from perennial.channels.ports import Envelope, Provider, SendError
from perennial.intake import own
from perennial.intake.outbox import accept
from perennial.intake.reports import Report
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.leads.lookup import current_lead
from perennial.leads.preferences import preferences_of, set_break, set_topics
from perennial.leads.suppression import may_ask, resubscribe, suppress, suppressions
from perennial.platform.database import Database
from perennial.platform.tokens import Tokens
from perennial.web.pages import PageError, Pages, add_stylesheet, form_of

BREAKS = (30, 60, 90)
ONE_CLICK = ("List-Unsubscribe", "One-Click")
WORDING = "page-2026-11"
"""The version of `AGREED`, stored with each consent. A new wording is a new version."""
AGREED = "I would like to get e-mail from you again, and know that I can end it with one click at any time."
ASK_AGAIN_AFTER = timedelta(minutes=10)
"""How long a second press of the button sends no second mail."""

TITLE = "Your e-mail preferences"
log = structlog.get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class Notice:
    """A line above the page: what has just been done, or was refused."""

    words: str
    bad: bool = False


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
            if form.get(ONE_CLICK[0]) == ONE_CLICK[1]:
                await self.opt_out(touch_id, source="one-click")
                return PlainTextResponse("unsubscribed\n")
            return await self._page(pages, touch_id, await self._act(pages, touch_id, form))

        @router.api_route("/confirm/{token}", methods=["GET", "HEAD"], include_in_schema=False)
        async def ask(token: str) -> Response:
            self._request_of(token)
            return pages.page("confirm.html", "Shall we write to you again?", wording=AGREED)

        @router.post("/confirm/{token}", include_in_schema=False)
        async def confirm(token: str) -> Response:
            touch_id, number = self._request_of(token)
            return await self._confirm(pages, touch_id, number)

        return router

    # Forms

    async def opt_out(self, touch_id: str, *, source: str) -> None:
        """Suppress the lead of this touch; the relay then tells its journeys."""
        at = self.now()
        async with self.database.writing() as session:
            lead = await self._lead(session, touch_id)
            if lead is None or lead.erased_at is not None:
                return
            await lock_lead(session, lead.id)
            number = await consent.last_decision(session, lead.id)
            if not await suppress(session, lead.id, "opt-out", at, source=source):
                return
            # Named by the consent that it ends: pressed twice it is one opt-out, after a return another.
            event_id = f"opt-out-{touch_id}-{number}"
            report = Report(event_id, lead.id, "lead.opted_out", {}, at, touch_id)
            await accept(session, [own.event_of(report)])

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
                return await self._return(pages, touch_id)
            case _:
                raise PageError(400, "Nothing was chosen", "Please go back, choose something, and try again.")

    async def _pause(self, touch_id: str, days: int | None) -> Notice:
        until = None if days is None else self.now() + timedelta(days=days)
        async with self.database.writing() as session:
            lead = await self._lead_or_error(session, touch_id)
            await set_break(session, lead.id, until)
        return Notice("Your break is over." if days is None else f"Done: nothing from us for {days} days.")

    async def _topics(self, touch_id: str, wanted: set[str]) -> Notice:
        async with self.database.writing() as session:
            lead = await self._lead_or_error(session, touch_id)
            await set_topics(session, lead.id, {topic: topic in wanted for topic in self.topics}, self.now())
        return Notice("Your subjects are saved.")

    async def _return(self, pages: Pages, touch_id: str) -> Notice:
        """The first half of the double opt-in: record the request, then send the mail with its link."""
        at = self.now()
        async with self.database.writing() as session:
            lead = await self._lead_or_error(session, touch_id)
            await lock_lead(session, lead.id)
            reasons = await suppressions(session, lead.id)
            if not may_ask(reasons):
                return Notice("We cannot do this by a button. Please write to us.", bad=True)
            if not reasons and await consent.current(session, lead.id) == "granted":
                return Notice("You are not unsubscribed: we may write to you already.")
            if await _asked_since(session, lead.id, at - ASK_AGAIN_AFTER):
                return Notice("We have just sent you a mail. Follow the link in it, and we will write to you again.")
            number = await consent.request(session, lead.id, at, source="page", wording=WORDING)
        try:
            await self.provider.send(self._mail(pages, lead, touch_id, number, at))
        except SendError as error:
            log.warning("a confirmation was not sent", kind=type(error).__name__, code=error.code)
            return Notice("We could not send you the mail just now. Please try again in a while.", bad=True)
        return Notice("We have sent you a mail. Follow the link in it, and we will write to you again.")

    async def _confirm(self, pages: Pages, touch_id: str, number: int) -> Response:
        async with self.database.writing() as session:
            lead = await self._lead_or_error(session, touch_id)
            try:
                await resubscribe(session, lead.id, number, self.now(), source="page")
            except RefusedError as error:
                reason = str(error)
                raise PageError(409, "That did not work", f"{reason[:1].upper()}{reason[1:]}.") from None
        return pages.page("said.html", "Welcome back", words="Thank you. We will write to you again.")

    def _mail(self, pages: Pages, lead: LeadRow, touch_id: str, number: int, at: datetime) -> Envelope:
        url = f"{self.sender.public_url.rstrip('/')}/confirm/{self.tokens.sign('confirm', touch_id, str(number))}"
        values = {
            "subject": "Please confirm: shall we write to you again?",
            "greeting": f"Hello {lead.first_name}" if lead.first_name else "Hello",
            "url": url,
            "days": consent.CONFIRM_WITHIN.days,
        }
        return Envelope(
            touch_id=f"cf{token_hex(12)}",
            lead_id=lead.id,
            to=lead.email,
            sender_name=self.sender.name,
            sender_address=self.sender.address,
            reply_to=self.sender.reply_to,
            subject=str(values["subject"]),
            text=pages.text("confirm_mail.txt", **values),
            html=pages.text("confirm_mail.html", **values),
            categories=("confirm",),
            at=at,
        )

    # Look-ups

    async def _page(self, pages: Pages, touch_id: str, notice: Notice | None = None) -> Response:
        now = self.now()
        async with self.database.reading() as session:
            lead = await self._lead_or_error(session, touch_id)
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
            raise _no_such_page() from None
        return touch_id

    def _request_of(self, token: str) -> tuple[str, int]:
        try:
            touch_id, number = self.tokens.read("confirm", token)
            return touch_id, int(number)
        except (InputError, ValueError):
            raise _no_such_page() from None

    async def _lead(self, session: AsyncSession, touch_id: str) -> LeadRow | None:
        lead_id = await session.scalar(select(Touch.lead_id).where(Touch.id == touch_id))
        return None if lead_id is None else await current_lead(session, lead_id)

    async def _lead_or_error(self, session: AsyncSession, touch_id: str) -> LeadRow:
        lead = await self._lead(session, touch_id)
        if lead is None:
            raise _no_such_page()
        if lead.erased_at is not None:
            raise PageError(
                410,
                "We no longer know you",
                "As you asked, we have deleted what we held about you, and we will not write to you again.",
            )
        return lead


def masked(email: str) -> str:
    """An address that its owner recognises and nobody else learns: `a…@example.com`."""
    local, at, domain = email.rpartition("@")
    return f"{local[:1]}…{at}{domain}"


def _no_such_page() -> PageError:
    return PageError(
        404,
        "This link does not work",
        "It may have been cut off: please copy it whole from the mail. Or write to us, and a person will see to it.",
    )


async def _asked_since(session: AsyncSession, lead_id: str, since: datetime) -> bool:
    asked = select(Consent.id).where(Consent.lead_id == lead_id, Consent.action == "requested", Consent.at > since)
    later = asked.where(Consent.id > await consent.last_decision(session, lead_id))
    return await session.scalar(later.limit(1)) is not None
