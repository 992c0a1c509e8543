"""Confirm an address that came in through a browser, by double opt-in: until then nobody is a lead by it.

A key that stands in a page is public, so whoever reads it could sign up anybody. What it claims is kept as an event
that waits; a mail with a link goes to the address; the link gives the event to the relay, which makes the lead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import structlog
from fastapi import APIRouter, Response
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from nurture.errors import InputError
from nurture.people.addresses import is_role, try_normalise
from perennial.channels.envelope import From
from perennial.channels.ports import Envelope, Provider, SendError
from perennial.intake.fields import identifier_of, mapping_of, moment_of
from perennial.intake.meaning import IGNORED, Meaning
from perennial.intake.visitors import attach_earlier
from perennial.leads import consent
from perennial.leads.identity import Identities
from perennial.leads.lookup import find_lead
from perennial.leads.suppressed_addresses import address_hash, suppressed_addresses
from perennial.leads.suppression import suppressions
from perennial.platform.database import Database, upsert_ignore
from perennial.platform.secrets import Secrets
from perennial.platform.tokens import Tokens
from perennial.web.confirmation import A_DAY, ASK_AGAIN_AFTER, MOST_A_DAY
from perennial.web.errors import OUTAGES
from perennial.web.links import no_such_page
from perennial.web.pages import PageError, Pages

SOURCE = "signup"
WAITING = "waiting"
"""The state of an event whose address nobody has confirmed."""

CONFIRM_WITHIN = timedelta(days=3)
"""How long the link works. An event that is older starts no journey, so a later confirmation would lead nowhere."""

AGREED = "I would like to get e-mail from you, and know that I can end it with one click at any time."
MOST_AN_HOUR = 200
"""How many such mails an installation sends: a public key must not make it mail the world."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Signups:
    """The double opt-in of addresses from browsers, over this database."""

    database: Database
    secrets: Secrets
    provider: Provider
    sender: From
    now: Callable[[], datetime]

    def router(self) -> APIRouter:
        """The routes of `/signup/{token}`: a GET asks, because scanners follow links; a POST answers."""
        pages = Pages(self.sender)
        router = APIRouter(tags=["pages"], route_class=pages.route())

        @router.api_route("/signup/{token}", methods=["GET", "HEAD"], include_in_schema=False)
        async def question(token: str) -> Response:
            self._number_in(token)
            return pages.page("signup.html", "Shall we write to you?", wording=AGREED)

        @router.post("/signup/{token}", include_in_schema=False)
        async def answer(token: str) -> Response:
            await self._confirm(self._number_in(token))
            return pages.page("said.html", "Welcome", words="Thank you. We will write to you.")

        return router

    async def ask(self, claims: Sequence[Mapping[str, Any]]) -> None:
        """Keep each claim, and ask its address to confirm it. Never raises: the sender has had its answer."""
        for claim in claims:
            try:
                await self._ask(claim)
            except SendError as error:
                log.warning("a confirmation was not sent", kind=type(error).__name__, code=error.code)
            except OUTAGES as error:
                log.warning("a confirmation was not sent", kind=type(error).__name__)

    async def _ask(self, claim: Mapping[str, Any]) -> None:
        address, at = str(claim["email"]).strip(), self.now()
        key = try_normalise(address)
        if key is None or is_role(key):
            return
        async with self.database.writing() as session:
            if not await self._may_be_asked(session, key, at):
                return
            named = address_hash(self.secrets.newest, key)
            row = {
                "source": SOURCE,
                # One in each ten minutes, also when two calls come at once.
                "fingerprint": f"{named[:48]}{int(at.timestamp() // ASK_AGAIN_AFTER.total_seconds()):x}",
                "anonymous_id": named,
                "received_at": at,
                "body": dict(claim),
                "state": WAITING,
                "note": "",
            }
            number = await session.scalar(upsert_ignore(Event, row).returning(Event.id))
        if number is not None:
            await self.provider.send(self._mail(address, number, at))

    async def _may_be_asked(self, session: AsyncSession, key: str, at: datetime) -> bool:
        """Whether a mail may go to this address: nobody who left, refused, or was asked enough gets one."""
        lead = await find_lead(session, key, ["address"])
        if lead is not None and (
            await suppressions(session, lead.id) or await consent.current(session, lead.id) != "none"
        ):
            return False
        if await suppressed_addresses(session, self.secrets, [key]):
            return False
        names = [address_hash(secret, key) for secret in self.secrets.every]
        asked = select(func.count()).where(Event.source == SOURCE)
        if (await session.scalar(asked.where(Event.anonymous_id.in_(names), Event.received_at > at - A_DAY)) or 0) >= (
            MOST_A_DAY
        ):
            return False
        if (await session.scalar(asked.where(Event.received_at > at - timedelta(hours=1))) or 0) >= MOST_AN_HOUR:
            log.warning("too many addresses sign up: no more are asked to confirm this hour", most=MOST_AN_HOUR)
            return False
        return True

    async def _confirm(self, number: int) -> None:
        at = self.now()
        async with self.database.writing() as session:
            event = await session.get(Event, number, with_for_update=True)
            if event is None or event.source != SOURCE or not event.body:
                raise no_such_page()
            if event.state != WAITING:
                return
            if at > event.received_at + CONFIRM_WITHIN:
                raise PageError(
                    410,
                    "This link is too old",
                    f"It was good for {CONFIRM_WITHIN.days} days. Please fill in the form again.",
                )
            confirmed = {**event.body, "confirmedAt": at.isoformat()}
            await session.execute(update(Event).where(Event.id == number).values(state="new", body=confirmed))

    def _mail(self, address: str, number: int, at: datetime) -> Envelope:
        pages = Pages(self.sender)
        token = Tokens(self.secrets.newest, self.secrets.earlier).sign("signup", str(number))
        values = {
            "subject": "Please confirm: shall we write to you?",
            "url": f"{self.sender.public_url.rstrip('/')}/signup/{token}",
            "days": CONFIRM_WITHIN.days,
        }
        return Envelope(
            touch_id=f"su{token_hex(12)}",
            lead_id="",
            to=address,
            sender_name=self.sender.name,
            sender_address=self.sender.address,
            reply_to=self.sender.reply_to,
            subject=str(values["subject"]),
            text=pages.text("signup_mail.txt", **values),
            html=pages.text("signup_mail.html", **values),
            categories=("confirm",),
            at=at,
        )

    def _number_in(self, token: str) -> int:
        try:
            (number,) = Tokens(self.secrets.newest, self.secrets.earlier).read("signup", token)
            return int(number)
        except (InputError, ValueError):
            raise no_such_page() from None


@dataclass(frozen=True, slots=True)
class SignupReader:
    """Reads a confirmed sign-up: makes the lead, with the consent that was confirmed, and gives it what came before."""

    identities: Identities

    async def __call__(self, session: AsyncSession, event: Event, /) -> Meaning:
        """Nothing to report: the events that waited for the lead tell what it did."""
        body = event.body
        at = moment_of(body.get("confirmedAt"))
        if at is None:
            return IGNORED
        user_id, anonymous_id = identifier_of(body.get("userId")), identifier_of(body.get("anonymousId"))
        if user_id is not None and await find_lead(session, user_id, ["user"]) is not None:
            user_id = None  # another's: whoever confirmed owns the address, not that name
        lead_id = await self.identities.resolve(
            session,
            user_id=user_id,
            anonymous_id=anonymous_id,
            email=str(body["email"]),
            traits=mapping_of(body.get("traits")),
            at=at,
        )
        if lead_id is None:
            return IGNORED
        attached = await attach_earlier(session, lead_id, user_id=user_id, anonymous_id=anonymous_id)
        return Meaning("done", attached=attached)
