"""send: the gate, the ledger and the provider, in this order.

A touch, unique for its enrolment and step, is committed as `sending` in the transaction of the gate's judgement, before
the provider is asked. A worker killed anywhere leaves a touch that tells the next try what is known. What nobody knows
is the track's to decide (`delivery`): at most once, or at least once. docs/sending.md tells what each gives up.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.journeys import FactRow
from models.messages import StepOrder, StepOutcome
from nurture.content.catalogue import Catalogue
from nurture.gate import Allow, Defer, Refuse, SendRequest, judge
from nurture.journey.decision import Send
from nurture.journey.facts import Done
from nurture.journey.track import Registry
from perennial.channels.envelope import From, envelope_of
from perennial.channels.ports import (
    Envelope,
    NotSentError,
    Provider,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.journeys import ledger
from perennial.journeys.enrolled_lead import lock_enrolled_lead
from perennial.journeys.ledger import TouchEntry
from perennial.journeys.read_model import FACT, write_decision, write_facts, write_head
from perennial.journeys.standing import Addressee, Place, place_of, standing_of
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from perennial.platform.tokens import Tokens

NEW = ""
"""State of a touch that is not in the ledger yet."""

OPEN = ("sending", "deferred")
"""States of a touch that is not settled. `deferred`: begun by an earlier try, and it surely never left us.

`unknown` is settled on a track that sends at most once. On one that sends at least once it stays until the provider
says that it took the mail: whatever becomes of a second request says nothing about the first.
"""

SETTLES_WITHIN = timedelta(minutes=10)
"""How long the provider's webhook may take to tell of a send of unknown fate, before it is sent at least once more."""

SETTLES_NO_SOONER = timedelta(seconds=5)
"""The same in real time under a fast clock: webhooks keep their own."""

MOST_DOUBLINGS = 3
"""The wait doubles with each try, so often at most: slow answers and late webhooks come together."""

MOST_TRIES = 8
"""After so many tries of a send at least once, what was sent a second time and is unknown still is left so: no lead
gets a mail an hour for ever because neither the provider's answers nor its webhooks come through."""

UNKNOWN = "whether it was sent is not known"

STOPPED_FOR = timedelta(minutes=10)
"""How long a send waits that the provider refused for our sake; it goes on by itself once that is mended."""


@dataclass(frozen=True)
class SendActivity:
    """The activity `send` over this provider."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    provider: Provider
    sender: From
    time: LiveClock
    tokens: Tokens

    @activity.defn(name="send")
    async def send(self, order: StepOrder) -> StepOutcome:
        """Send a piece once. Put off (`until`) or refused by the gate's rules; anything passing is retried."""
        step = order.step
        if not isinstance(step, Send):
            raise TypeError(f"send got a {step.kind}")
        now = self.time.on_time(order.now)
        opened = await self._open(order, step, now)
        if isinstance(opened, TouchEntry):
            opened = await self._resume(order, step, opened, now)
        if isinstance(opened, StepOutcome):
            return opened
        touch, lead = opened
        try:
            envelope = self._envelope(order, step, touch, lead)
        except ApplicationError as error:
            await self._put_off(touch.id, error.message, "")
            raise
        try:
            provider_id = await self.provider.send(envelope)
        except NotSentError as error:
            return await self._close(order, touch.id, "refused", error.said("the provider refused it"), str(error))
        except UnknownFateError as error:
            return await self._lose_sight(order, touch.id, error.said("the provider never answered"), str(error))
        except TryLaterError as error:
            await self._put_off(touch.id, said := error.said("the provider asks to try again later"), str(error))
            raise ApplicationError(said, type="TryLater", next_retry_delay=error.after) from None
        except SendingStoppedError as error:
            await self._put_off(touch.id, said := error.said("the provider refuses us, not the lead"), str(error))
            raise ApplicationError(said, type="SendingStopped", next_retry_delay=STOPPED_FOR) from None
        return await self._close(order, touch.id, "accepted", provider_id=provider_id)

    async def _open(
        self, order: StepOrder, step: Send, now: datetime
    ) -> StepOutcome | tuple[TouchEntry, Addressee] | TouchEntry:
        """Judge, and commit a new touch as `sending`; or the touch that an earlier try left, or what became of it."""
        async with self.database.transaction() as connection:
            place = await self._place(connection, order)
            touch = place.touch
            if touch is not None:
                return touch if self._is_open(touch, order) else await _told(connection, order, touch)
            return await self._judge(
                connection, order, step, place, TouchEntry(f"tc{token_hex(12)}", NEW, "", now), now
            )

    async def _resume(
        self, order: StepOrder, step: Send, touch: TouchEntry, now: datetime
    ) -> StepOutcome | tuple[TouchEntry, Addressee]:
        """Settle what an earlier try left; if it is to be sent again, judge anew: the lead may have opted out."""
        if touch.state != "deferred":
            match await self.provider.fate(touch.id):
                case "accepted":
                    return await self._close(order, touch.id, "accepted")
                case "unknown" if touch.state == "sending":
                    return await self._lose_sight(order, touch.id, UNKNOWN)
                case "unknown" if (left := self._settles_in(touch)) > timedelta(0):
                    raise _ask_again(touch.reason, left)
                case _:
                    pass
        async with self.database.transaction() as connection:
            place = await self._place(connection, order)
            touch = await ledger.lock(connection, touch.id)
            if not self._is_open(touch, order):
                return await _told(connection, order, touch)
            return await self._judge(connection, order, step, place, touch, now)

    async def _place(self, connection: AsyncConnection, order: StepOrder) -> Place:
        return await place_of(connection, order.enrolment_id, order.step.key, self.tracks[order.track].exits)

    def _is_open(self, touch: TouchEntry, order: StepOrder) -> bool:
        return touch.state in OPEN or (touch.state == "unknown" and self._insists(order))

    def _insists(self, order: StepOrder) -> bool:
        return self.tracks[order.track].delivery == "at_least_once"

    def _settles_in(self, touch: TouchEntry) -> timedelta:
        """How much longer, in real time, a webhook may take to tell of a touch of unknown fate."""
        return self.time.clock.real_at(touch.at) + self._patience - self.time.wall()

    @property
    def _patience(self) -> timedelta:
        return max(self.time.clock.real_duration(SETTLES_WITHIN), SETTLES_NO_SOONER)

    async def _judge(  # noqa: PLR0917 - of whom, what, and when
        self, connection: AsyncConnection, order: StepOrder, step: Send, place: Place, touch: TouchEntry, now: datetime
    ) -> StepOutcome | tuple[TouchEntry, Addressee]:
        track, piece, lead = self.tracks[order.track], self.catalogue.get(step.piece), place.lead
        standing = await standing_of(connection, place, now, but=touch.id)
        ask = SendRequest(now, lead.id, track.name, track.priority, lead.time_zone, lead.country, piece.topic)
        lost = touch.state == "unknown"
        match verdict := judge(ask, standing, track.gate_rules):
            case Defer():
                if touch.state not in {NEW, "unknown"}:
                    await ledger.change(connection, replace(touch, state="deferred", reason=verdict.reason))
                return StepOutcome(at=now, result="deferred", reason=verdict.reason, until=verdict.until)
            case Allow():
                judged = replace(touch, at=now) if lost else TouchEntry(touch.id, "sending", "", now)
            case Refuse() if lost:
                judged = replace(touch, reason=f"{UNKNOWN}, and it is not sent again: {verdict.reason}")
            case Refuse():
                judged = TouchEntry(touch.id, "refused", verdict.reason, now)
            case _:
                assert_never(verdict)
        if touch.state == NEW:
            await ledger.begin(
                connection,
                judged,
                enrolment_id=order.enrolment_id,
                lead_id=lead.id,
                track=order.track,
                step_key=step.key,
                piece=piece.id,
                content_hash=piece.hash,
            )
        else:
            await ledger.change(connection, judged)
        if isinstance(verdict, Allow):
            return judged, lead
        outcome = _outcome_of(judged)
        await _record(connection, order, outcome)
        return outcome

    def _envelope(self, order: StepOrder, step: Send, touch: TouchEntry, lead: Addressee) -> Envelope:
        piece = self.catalogue.get(step.piece)
        return envelope_of(touch, order.track, lead, piece, step.variant, sender=self.sender, tokens=self.tokens)

    async def _put_off(self, touch_id: str, said: str, told: str) -> None:
        """Note that a touch surely did not leave: the next try need not ask, and judges it anew."""
        async with self.database.transaction() as connection:
            touch = await ledger.lock(connection, touch_id)
            if touch.state == "sending":
                await ledger.change(connection, replace(touch, state="deferred", reason=_lines(said, told)))

    async def _lose_sight(self, order: StepOrder, touch_id: str, said: str, told: str = "") -> StepOutcome:
        """Nobody knows whether a touch was sent. Settled, if once at most; else the webhook has its time to tell."""
        attempt = activity.info().attempt
        if not self._insists(order):
            return await self._close(order, touch_id, "unknown", said, told)
        async with self.database.transaction() as connection:
            touch = await ledger.lock(connection, touch_id)
            enough = touch.state == "unknown" and attempt >= MOST_TRIES
            if touch.state == "sending":
                touch = replace(touch, state="unknown", reason=_lines(said, told))
                await ledger.change(connection, touch)
            known = not self._is_open(touch, order)
        if known or enough:  # known by the webhook, which was quicker
            return await self._close(order, touch_id, "unknown")
        raise _ask_again(said, self._patience * 2 ** min(attempt - 1, MOST_DOUBLINGS))

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
        async with self.database.transaction() as connection:
            await lock_enrolled_lead(connection, order.enrolment_id)
            touch = await ledger.lock(connection, touch_id)
            if touch.state in OPEN or (touch.state == "unknown" and state == "accepted"):
                touch = replace(touch, state=state, reason=_lines(said, told))
                await ledger.change(connection, touch, provider_id=provider_id)
            outcome = _outcome_of(touch)
            await _record(connection, order, outcome)
        return outcome


def _lines(said: str, told: str) -> str:
    """A touch's reason: what we say of it, and below that what the provider told us, which stays in the database."""
    return f"{said}\n{told}" if told else said


def _first_line(reason: str) -> str:
    return reason.partition("\n")[0]


def _ask_again(said: str, after: timedelta) -> ApplicationError:
    """The send is tried again then: by that time the webhook has told of it, or it is sent again."""
    return ApplicationError(_first_line(said), type="FateUnknown", next_retry_delay=after)


def _outcome_of(touch: TouchEntry) -> StepOutcome:
    result = touch.state if touch.state in ("refused", "unknown") else "sent"
    return StepOutcome(at=touch.at, result=result, reason=_first_line(touch.reason))


async def _told(connection: AsyncConnection, order: StepOrder, touch: TouchEntry) -> StepOutcome:
    """What became of a settled touch; as an earlier try recorded it, if one did, whatever webhooks said since."""
    recorded = await connection.scalar(
        select(FactRow.fact).where(
            FactRow.enrolment_id == order.enrolment_id, FactRow.seq == order.seq, FactRow.key == order.step.key
        )
    )
    fact = FACT.validate_python(recorded) if recorded else None
    if isinstance(fact, Done):
        return StepOutcome(at=fact.at, result=fact.result, reason=fact.reason)
    outcome = _outcome_of(touch)
    await _record(connection, order, outcome)
    return outcome


async def _record(connection: AsyncConnection, order: StepOrder, outcome: StepOutcome) -> None:
    """Write the step's fact at once, and where the lead rests now, if that was foreseen."""
    fact = Done(max(outcome.at, order.now), order.step.key, outcome.result, outcome.reason)
    await write_facts(connection, order.enrolment_id, order.seq, [fact])
    if order.then is not None and outcome.result == "sent" and outcome.at == order.now:
        because = [f"{order.step.key.partition(':')[2]} was sent"]
        await write_head(connection, order.enrolment_id, outcome.at, order.then, because)
        await write_decision(connection, order.enrolment_id, order.seq + 1, outcome.at, order.then, because)
