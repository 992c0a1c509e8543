"""Come back after an opt-out, by double opt-in: a request on the page, then the link in a mail.

Whoever was forwarded a mail can open the page too; only the owner of the address gets the second mail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex

import structlog
from fastapi import APIRouter, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent, LeadRow
from nurture.errors import InputError, RefusedError
from perennial.channels.envelope import From
from perennial.channels.inert import inert
from perennial.channels.ports import Envelope, Provider, SendError
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.leads.suppression import may_ask, resubscribe, suppressions
from perennial.platform.database import Database
from perennial.platform.tokens import Tokens
from perennial.web.links import lead_of_link, no_such_page
from perennial.web.pages import Notice, PageError, Pages

WORDING = "page-2026-11"
"""The version of `AGREED`, stored with each consent. A new wording is a new version."""

AGREED = "I would like to get e-mail from you again, and know that I can end it with one click at any time."
ASK_AGAIN_AFTER = timedelta(minutes=10)
"""How long a second press of the button sends no second mail."""

MOST_A_DAY, A_DAY = 3, timedelta(days=1)
"""How many such mails an address gets: whoever was forwarded a mail can press the button too."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Confirmation:
    """The double opt-in, over this database."""

    database: Database
    tokens: Tokens
    provider: Provider
    sender: From
    now: Callable[[], datetime]

    def add_routes(self, router: APIRouter, pages: Pages) -> None:
        """Add `/confirm/{token}`: a GET shows the question, because scanners follow links; a POST answers it."""

        @router.api_route("/confirm/{token}", methods=["GET", "HEAD"], include_in_schema=False)
        async def ask(token: str) -> Response:
            self._request_of(token)
            return pages.page("confirm.html", "Shall we write to you again?", wording=AGREED)

        @router.post("/confirm/{token}", include_in_schema=False)
        async def confirm(token: str) -> Response:
            touch_id, number = self._request_of(token)
            return await self._confirm(pages, touch_id, number)

    async def ask(self, pages: Pages, touch_id: str) -> Notice:
        """Record the lead's request, then send it the mail with the link; what the page says of it."""
        at = self.now()
        async with self.database.writing() as session:
            lead = await lead_of_link(session, touch_id)
            await lock_lead(session, lead.id)
            reasons = await suppressions(session, lead.id)
            if not may_ask(reasons):
                return Notice("We cannot do this by a button. Please write to us.", bad=True)
            if not reasons and await consent.current(session, lead.id) == "granted":
                return Notice("You are not unsubscribed: we may write to you already.")
            if await _mails_since(session, lead.id, at - A_DAY) >= MOST_A_DAY:
                return Notice(
                    "We have sent you several such mails today. Please look for them, also among spam, or write to us.",
                    bad=True,
                )
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
            lead = await lead_of_link(session, touch_id)
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
            "greeting": f"Hello {name}" if (name := inert(lead.first_name)) else "Hello",
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

    def _request_of(self, token: str) -> tuple[str, int]:
        try:
            touch_id, number = self.tokens.read("confirm", token)
            return touch_id, int(number)
        except (InputError, ValueError):
            raise no_such_page() from None


async def _mails_since(session: AsyncSession, lead_id: str, since: datetime) -> int:
    asked = select(func.count()).where(Consent.lead_id == lead_id, Consent.action == "requested", Consent.at > since)
    return await session.scalar(asked) or 0


async def _asked_since(session: AsyncSession, lead_id: str, since: datetime) -> bool:
    asked = select(Consent.id).where(Consent.lead_id == lead_id, Consent.action == "requested", Consent.at > since)
    later = asked.where(Consent.id > await consent.last_decision(session, lead_id))
    return await session.scalar(later.limit(1)) is not None
