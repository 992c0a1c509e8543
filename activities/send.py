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
from models.messages import StepOrder, StepOutcome
from models.tables import Enrolment, Lead, Touch
from nurture.content import Catalogue
from nurture.decision import Send
from nurture.errors import ContentError
from nurture.facts import Done
from nurture.gate import Allow, Ask, Defer, Refuse, judge
from nurture.track import Registry, Track
from wiring.database import Database, lock_lead


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

    @activity.defn(name="send")
    async def send(self, order: StepOrder) -> StepOutcome:
        """Send a piece once. Put off (`until`) or refused by the gate's rules; anything passing is retried."""
        step = order.step
        if not isinstance(step, Send):
            raise TypeError(f"send got a {step.kind}")
        now = self.moment.of(order.now)
        opened = await self._open(order, step, self.tracks[order.track], now)
        if isinstance(opened, StepOutcome):
            return opened
        touch, lead, fresh = opened
        if not fresh:
            settled = await self._fate_of(touch)
            if settled is not None:
                return await self._close(order, touch, settled, touch.at)
        envelope = self._envelope(step, touch, lead)
        try:
            provider_id = await self.provider.send(envelope)
        except NotSentError as error:
            return await self._close(order, touch, "refused", touch.at, reason=str(error))
        except UnknownFateError as error:
            return await self._close(order, touch, "unknown", touch.at, reason=str(error))
        except TryLaterError as error:
            raise ApplicationError(str(error), type="TryLater", next_retry_delay=error.after) from None
        except SendingStoppedError as error:
            raise ApplicationError(str(error), type="SendingStopped", next_retry_delay=timedelta(minutes=10)) from None
        return await self._close(order, touch, "accepted", touch.at, provider_id=provider_id)

    async def _open(
        self, order: StepOrder, step: Send, track: Track, now: datetime
    ) -> StepOutcome | tuple[Touch, Lead, bool]:
        """Judge, and commit the touch as `sending` (fresh); or the touch, or the outcome, of an earlier try."""
        async with self.database.writing() as session:
            await lock_lead(session, order.lead_id)
            lead = await session.get_one(Lead, order.lead_id)
            touch = await session.scalar(
                select(Touch).where(Touch.enrolment_id == order.enrolment_id, Touch.step_key == step.key)
            )
            if touch is not None:
                return (touch, lead, False) if touch.state == "sending" else _outcome_of(touch)
            enrolment = await session.get_one(Enrolment, order.enrolment_id)
            standing = await standing_of(session, lead, enrolment, track.exits, now)
            verdict = judge(
                Ask(now, lead.id, track.name, track.priority, lead.time_zone, lead.country),
                standing,
                track.gate_rules,
            )
            match verdict:
                case Defer():
                    return StepOutcome(at=now, result="deferred", reason=verdict.reason, until=verdict.until)
                case Allow():
                    touch = self._touch(order, step, now, "sending", "")
                    session.add(touch)
                    return touch, lead, True
                case Refuse():
                    touch = self._touch(order, step, now, "refused", verdict.reason)
                    session.add(touch)
                    outcome = _outcome_of(touch)
                    await _record(session, order, outcome)
                    return outcome
                case _:
                    assert_never(verdict)

    def _touch(self, order: StepOrder, step: Send, now: datetime, state: str, reason: str) -> Touch:
        return Touch(
            id=f"tc{token_hex(12)}",
            enrolment_id=order.enrolment_id,
            lead_id=order.lead_id,
            track=order.track,
            step_key=step.key,
            piece=step.piece,
            content_hash=self.catalogue.get(step.piece).hash,
            state=state,
            reason=reason,
            at=now,
        )

    async def _fate_of(self, touch: Touch) -> str | None:
        """What became of a send that an earlier try began: None if it surely never left."""
        fate = await self.provider.fate(touch.id)
        return None if fate == "absent" else fate

    async def _close(
        self,
        order: StepOrder,
        touch: Touch,
        state: str,
        at: datetime,
        *,
        reason: str = "",
        provider_id: str | None = None,
    ) -> StepOutcome:
        async with self.database.writing() as session:
            touch = await session.merge(touch)
            if touch.state == "sending":
                touch.state, touch.reason, touch.provider_id = state, reason, provider_id
            outcome = _outcome_of(touch)
            await _record(session, order, outcome)
        return outcome

    def _envelope(self, step: Send, touch: Touch, lead: Lead) -> Envelope:
        piece = self.catalogue.get(step.piece)
        traits = lead.traits
        reader = Reader(lead.first_name, lead.company, traits.get("topic"), traits.get("industry"))
        unsubscribe = f"{self.sender.public_url.rstrip('/')}/u/{touch.id}"
        try:
            mail = render(
                piece,
                reader,
                postal_address=self.sender.postal_address,
                unsubscribe_url=unsubscribe,
                variant=step.variant,
            )
        except ContentError as error:
            raise ApplicationError(str(error), type="ContentError") from None
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


def _outcome_of(touch: Touch) -> StepOutcome:
    if touch.state == "refused":
        return StepOutcome(at=touch.at, result="refused", reason=touch.reason)
    if touch.state == "unknown":
        return StepOutcome(at=touch.at, result="unknown", reason=touch.reason)
    return StepOutcome(at=touch.at, result="sent")


async def _record(session: AsyncSession, order: StepOrder, outcome: StepOutcome) -> None:
    """Write the step's fact at once, and where the lead rests now, if that was foreseen."""
    fact = Done(outcome.at, order.step.key, outcome.result, outcome.reason)
    await write_facts(session, order.enrolment_id, order.seq, [fact])
    if order.then is not None and outcome.result == "sent" and outcome.at == order.now:
        because = [f"{order.step.key.partition(':')[2]} was sent"]
        await write_head(session, order.enrolment_id, outcome.at, order.then, because)
        await write_decision(session, order.enrolment_id, order.seq + 1, outcome.at, order.then, because)
