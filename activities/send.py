"""send: the gate, the ledger and the provider, in this order.

A touch, unique for its enrolment and step, is committed as `sending` in the transaction of the gate's judgement, before
the provider is asked. A worker killed anywhere leaves a touch that tells the next try what is known.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.identity import hold, lead_on
from activities.moment import Moment
from activities.provider import (
    Envelope,
    NotSentError,
    Provider,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from activities.read_model import write_decision, write_facts, write_head
from activities.render import Reader, render
from activities.standing import standing_of
from activities.tokens import Tokens
from models.messages import StepOrder, StepOutcome
from models.tables import Enrolment, Lead, Touch
from nurture.bots import HIDDEN_LINK
from nurture.content import Catalogue
from nurture.decision import Send
from nurture.errors import ContentError
from nurture.facts import Done
from nurture.gate import Allow, Ask, Defer, Refuse, judge
from nurture.track import Registry
from wiring.database import Database

OPEN = ("sending", "deferred")
"""States of a touch that is not settled. `deferred`: begun by an earlier try, and it surely never left us."""

STOPPED_FOR = timedelta(minutes=10)
"""How long a send waits that the provider refused for our sake; it goes on by itself once that is mended."""


@dataclass(frozen=True)
class From:
    """Who a message is from, and what every message must carry."""

    name: str
    address: str
    reply_to: str
    postal_address: str
    public_url: str


@dataclass(frozen=True)
class SendActivity:
    """The activity `send` over this provider."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    provider: Provider
    sender: From
    moment: Moment
    tokens: Tokens

    @activity.defn(name="send")
    async def send(self, order: StepOrder) -> StepOutcome:
        """Send a piece once. Put off (`until`) or refused by the gate's rules; anything passing is retried."""
        step = order.step
        if not isinstance(step, Send):
            raise TypeError(f"send got a {step.kind}")
        now = self.moment.of(order.now)
        opened = await self._open(order, step, now)
        if isinstance(opened, Touch):
            opened = await self._resume(order, opened, now)
        if isinstance(opened, StepOutcome):
            return opened
        touch, lead = opened
        try:
            provider_id = await self.provider.send(self._envelope(step, touch, lead))
        except NotSentError as error:
            return await self._close(order, touch.id, "refused", error.said("the provider refused it"), str(error))
        except UnknownFateError as error:
            return await self._close(order, touch.id, "unknown", error.said("the provider never answered"), str(error))
        except TryLaterError as error:
            await self._put_off(touch.id, said := error.said("the provider asks to try again later"), str(error))
            raise ApplicationError(said, type="TryLater", next_retry_delay=error.after) from None
        except SendingStoppedError as error:
            await self._put_off(touch.id, said := error.said("the provider refuses us, not the lead"), str(error))
            raise ApplicationError(said, type="SendingStopped", next_retry_delay=STOPPED_FOR) from None
        return await self._close(order, touch.id, "accepted", provider_id=provider_id)

    async def _open(self, order: StepOrder, step: Send, now: datetime) -> StepOutcome | tuple[Touch, Lead] | Touch:
        """Judge, and commit a new touch as `sending`; or the touch that an earlier try left, or what became of it."""
        async with self.database.writing() as session:
            lead = await lead_on(session, order.enrolment_id)
            touch = await session.scalar(
                select(Touch).where(Touch.enrolment_id == order.enrolment_id, Touch.step_key == step.key)
            )
            if touch is not None:
                return touch if touch.state in OPEN else _outcome_of(touch)
            touch = Touch(
                id=f"tc{token_hex(12)}",
                enrolment_id=order.enrolment_id,
                lead_id=lead.id,
                track=order.track,
                step_key=step.key,
                piece=step.piece,
                content_hash=self.catalogue.get(step.piece).hash,
                state="sending",
                at=now,
            )
            return await self._judge(session, order, lead, touch, now)

    async def _resume(self, order: StepOrder, touch: Touch, now: datetime) -> StepOutcome | tuple[Touch, Lead]:
        """Settle what an earlier try left; if surely nothing was sent, judge anew: the lead may have opted out."""
        if touch.state == "sending":
            fate = await self.provider.fate(touch.id)
            if fate != "absent":
                said = "whether it was sent is not known" if fate == "unknown" else ""
                return await self._close(order, touch.id, fate, said)
        async with self.database.writing() as session:
            lead = await lead_on(session, order.enrolment_id)
            touch = await session.get_one(Touch, touch.id)
            return await self._judge(session, order, lead, touch, now) if touch.state in OPEN else _outcome_of(touch)

    async def _judge(
        self, session: AsyncSession, order: StepOrder, lead: Lead, touch: Touch, now: datetime
    ) -> StepOutcome | tuple[Touch, Lead]:
        track = self.tracks[order.track]
        enrolment = await session.get_one(Enrolment, order.enrolment_id)
        standing = await standing_of(session, lead, enrolment, track.exits, now, but=touch.id)
        ask = Ask(
            now,
            lead.id,
            track.name,
            track.priority,
            lead.time_zone,
            lead.country,
            self.catalogue.get(touch.piece).topic,
        )
        match verdict := judge(ask, standing, track.gate_rules):
            case Defer():
                if touch in session:
                    touch.state, touch.reason = "deferred", verdict.reason
                return StepOutcome(at=now, result="deferred", reason=verdict.reason, until=verdict.until)
            case Allow():
                touch.state, touch.reason, touch.at = "sending", "", now
                session.add(touch)
                return touch, lead
            case Refuse():
                touch.state, touch.reason, touch.at = "refused", verdict.reason, now
                session.add(touch)
                outcome = _outcome_of(touch)
                await _record(session, order, outcome)
                return outcome
            case _:
                assert_never(verdict)

    async def _put_off(self, touch_id: str, said: str, told: str) -> None:
        """Note that a touch surely did not leave: the next try need not ask, and judges it anew."""
        async with self.database.writing() as session:
            touch = await session.get_one(Touch, touch_id, with_for_update=True)
            if touch.state == "sending":
                touch.state, touch.reason = "deferred", _lines(said, told)

    async def _close(
        self,
        order: StepOrder,
        touch_id: str,
        state: str,
        said: str = "",
        told: str = "",
        *,
        provider_id: str | None = None,
    ) -> StepOutcome:
        """Settle a touch, unless a webhook was quicker."""
        async with self.database.writing() as session:
            await hold(session, order.enrolment_id)
            touch = await session.get_one(Touch, touch_id, with_for_update=True)
            if touch.state in OPEN:
                touch.state, touch.reason, touch.provider_id = state, _lines(said, told), provider_id
            outcome = _outcome_of(touch)
            await _record(session, order, outcome)
        return outcome

    def _envelope(self, step: Send, touch: Touch, lead: Lead) -> Envelope:
        piece = self.catalogue.get(step.piece)
        traits = lead.traits
        reader = Reader(lead.first_name, lead.company, traits.get("topic"), traits.get("industry"))
        unsubscribe = f"{self.sender.public_url.rstrip('/')}/u/{self.tokens.sign('preferences', touch.id)}"
        try:
            mail = render(
                piece,
                reader,
                postal_address=self.sender.postal_address,
                unsubscribe_url=unsubscribe,
                variant=step.variant,
                hidden_url=f"{self.sender.public_url.rstrip('/')}{HIDDEN_LINK}{touch.id}",
            )
        except ContentError:
            # Its text may quote what the template made of the profile.
            raise ApplicationError(f"{piece.id} does not render for this lead", type="ContentError") from None
        return Envelope(
            touch_id=touch.id,
            lead_id=lead.id,
            to=lead.email,
            sender_name=self.sender.name,
            sender_address=self.sender.address,
            reply_to=self.sender.reply_to,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            categories=(touch.track, touch.piece),
            at=touch.at,
            headers={
                "List-Unsubscribe": f"<{unsubscribe}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )


def _lines(said: str, told: str) -> str:
    """A touch's reason: what we say of it, and below that what the provider told us, which stays in the database."""
    return f"{said}\n{told}" if told else said


def _outcome_of(touch: Touch) -> StepOutcome:
    result = touch.state if touch.state in ("refused", "unknown") else "sent"
    return StepOutcome(at=touch.at, result=result, reason=touch.reason.partition("\n")[0])


async def _record(session: AsyncSession, order: StepOrder, outcome: StepOutcome) -> None:
    """Write the step's fact at once, and where the lead rests now, if that was foreseen."""
    fact = Done(max(outcome.at, order.now), order.step.key, outcome.result, outcome.reason)
    await write_facts(session, order.enrolment_id, order.seq, [fact])
    if order.then is not None and outcome.result == "sent" and outcome.at == order.now:
        because = [f"{order.step.key.partition(':')[2]} was sent"]
        await write_head(session, order.enrolment_id, outcome.at, order.then, because)
        await write_decision(session, order.enrolment_id, order.seq + 1, outcome.at, order.then, because)
