"""The activity `send`: the gate, the ledger and the provider, in this order.

A touch, unique for its enrolment and step, is committed as `sending` in the transaction of the gate's judgement, before
the provider is called. A worker killed anywhere leaves a touch that tells the next try what is known. For a send of
unknown fate the track decides by its `delivery`: at most once, or at least once. docs/sending.md says what each costs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.messages import StepOrder, StepOutcome
from nurture.content.catalogue import Catalogue, Piece
from nurture.gate import Allow, Defer, Refuse, judge
from nurture.journey.decision import Send
from nurture.journey.track import Registry
from perennial.channels.envelope import From, envelope_of
from perennial.channels.ports import (
    Bounce,
    Envelope,
    NotSentError,
    Provider,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.intake.answered_bounces import hear_bounce
from perennial.intake.engagement import mark_scanners
from perennial.journeys import ledger
from perennial.journeys.enrolled_lead import lock_enrolled_lead
from perennial.journeys.ledger import LedgerEntry
from perennial.journeys.outcomes import our_reason, outcome_of, reason_lines, record_outcome, recorded_outcome
from perennial.journeys.read_model import write_open_touch
from perennial.journeys.send_request import Recipient, SendSubject, lead_state_of, lock_subject, request_of, subject_of
from perennial.journeys.words import plain_order
from perennial.leads.suppression import reset_soft_bounces
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from perennial.platform.paths import CONTENT
from perennial.platform.tokens import Tokens

NEW = ""
"""The state of a touch that is not in the ledger yet."""

OPEN = ("sending", "deferred")
"""States of a touch that is not settled. `deferred`: an earlier try began it, and surely nothing was sent.

`unknown` settles a touch on a track that sends at most once. On a track that sends at least once the touch stays
unknown until the provider says that it took the mail: the answer to a second request says nothing about the first.
"""

SETTLES_WITHIN = timedelta(minutes=10)
"""How long to wait for the provider's webhook about a send of unknown fate, before sending it again."""

SETTLES_NO_SOONER = timedelta(seconds=5)
"""The least wait in real time under a fast clock: webhooks do not hurry with it."""

MOST_DOUBLINGS = 3
"""How often the wait doubles, once a try: slow answers and late webhooks come together."""

MOST_TRIES = 8
"""After this many tries on a track that sends at least once, a touch of unknown fate is left unknown.

Otherwise a lead would get a mail an hour for ever while neither the provider's answers nor its webhooks come through.
"""

UNKNOWN = "whether it was sent is not known"

SOFT_TRIES = 4
SOFT_PAUSE = timedelta(hours=1)
"""A mailbox that is away is tried again after an hour, and after the fourth time is a soft bounce."""

STOPPED_FOR = timedelta(minutes=10)
"""How long a send waits after the provider refused us, the sender; it goes on by itself once that is mended."""


Opened = tuple[LedgerEntry, Recipient]
"""A touch that the gate has allowed, and whom it is for."""

Record = Callable[[AsyncConnection, StepOrder, StepOutcome], Awaitable[StepOutcome]]
"""Records the outcome of a send in the transaction that settles its touch."""


@dataclass(frozen=True)
class SendActivity:
    """The activity `send` over this provider; `layouts` is the folder of the two layouts around every piece."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    provider: Provider
    sender: From
    time: LiveClock
    tokens: Tokens
    layouts: Path = CONTENT
    _late: dict[str, asyncio.Task[StepOutcome]] = field(default_factory=dict)

    @activity.defn(name="send")
    async def send(self, order: StepOrder) -> StepOutcome:
        """Send a piece once. The gate may put it off (`until`) or refuse it; Temporal retries what may pass."""
        step = order.step
        if not isinstance(step, Send):
            raise TypeError(f"send got a {step.kind}")
        now = self.time.on_time(order.now)
        if order.then_facts:
            async with self.database.reading() as session:
                order = await plain_order(session, order)
        opened = await self._open(order, step, now)
        if isinstance(opened, LedgerEntry):
            opened = await self._resume(order, step, opened, now)
        if isinstance(opened, StepOutcome):
            return opened
        touch, lead = opened
        try:
            envelope = self.envelope(order, step, touch, lead)
        except ApplicationError as error:
            await self.put_off(order, touch.id, error.message)
            raise
        return await self.settled(order, touch, self.provider.send(envelope))

    async def judge(
        self, connection: AsyncConnection, order: StepOrder, step: Send, now: datetime
    ) -> StepOutcome | Opened | None:
        """Ask the gate in a transaction that has locked the lead; a new touch is `sending` once that is committed.

        None if an earlier try left a touch whose fate takes the activity's patience. Raises ContentError for a piece
        that is gone.
        """
        subject = await subject_of(connection, order.enrolment_id, step.key, self.tracks[order.track].exits)
        touch = subject.touch
        if touch is None:
            return await self._judge(connection, order, step, subject, _new_touch(now), now)
        if not self._is_open(touch, order):
            return await recorded_outcome(connection, order, touch)
        if touch.state != "deferred":
            return None
        return await self._judge(connection, order, step, subject, touch, now)

    async def settle(self, order: StepOrder, touch_id: str) -> None:
        """Settle a send that was begun and never recorded: whatever the lead does next, this comes first."""
        if (late := self._late.get(touch_id)) is not None:
            with suppress(ApplicationError):  # surely not sent: it is put off
                await late
            return
        match await self.provider.fate(touch_id):
            case "absent":
                await self.put_off(order, touch_id, "the worker stopped before it was sent")
            case "accepted":
                await self._close(order, touch_id, "accepted")
            case "unknown":
                await self._close(order, touch_id, "unknown", UNKNOWN)

    def finish_late(self, order: StepOrder, touch: LedgerEntry, answer: Awaitable[str]) -> None:
        """Leave a slow request under way in this worker; whoever asks for the touch's outcome waits for it."""

        async def finish() -> StepOutcome:
            try:
                return await self.settled(order, touch, answer)
            finally:
                self._late.pop(touch.id, None)

        task = asyncio.create_task(finish())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # asked for or not, it is no crash
        self._late[touch.id] = task

    async def settled(
        self, order: StepOrder, touch: LedgerEntry, answer: Awaitable[str], record: Record = record_outcome
    ) -> StepOutcome:
        """Record what the provider answers. Raises ApplicationError if the send is to be tried again."""
        try:
            provider_id = await answer
        except NotSentError as error:
            said = error.said("the provider refused it")
            return await self._close(order, touch.id, "refused", said, str(error), record=record, bounce=error.bounce)
        except UnknownFateError as error:
            said = error.said("the provider never answered")
            return await self._lose_sight(order, touch.id, said, str(error), record)
        except TryLaterError as error:
            if error.soft and activity.info().attempt >= SOFT_TRIES:
                said = error.said("the mailbox was away each time")
                return await self._close(order, touch.id, "refused", said, str(error), record=record, bounce="soft")
            await self.put_off(order, touch.id, said := error.said("the provider asks to try again later"), str(error))
            after = error.after or (SOFT_PAUSE if error.soft else None)
            raise ApplicationError(said, type="TryLater", next_retry_delay=after) from None
        except SendingStoppedError as error:
            said = error.said("the provider refuses the sender, not the lead")
            await self.put_off(order, touch.id, said, str(error))
            raise ApplicationError(said, type="SendingStopped", next_retry_delay=STOPPED_FOR) from None
        return await self._close(order, touch.id, "accepted", provider_id=provider_id, record=record)

    async def _open(self, order: StepOrder, step: Send, now: datetime) -> StepOutcome | Opened | LedgerEntry:
        """Judge, and commit a new touch as `sending`. If an earlier try left a touch: that touch, or its outcome."""
        async with self.database.transaction() as connection:
            subject = await self._lock(connection, order)
            touch = subject.touch
            if touch is not None:
                return touch if self._is_open(touch, order) else await recorded_outcome(connection, order, touch)
            return await self._begun(
                order, connection, await self._judge(connection, order, step, subject, _new_touch(now), now)
            )

    async def _resume(self, order: StepOrder, step: Send, touch: LedgerEntry, now: datetime) -> StepOutcome | Opened:
        """Settle the touch that an earlier try left. Judge again before sending again: the lead may have opted out."""
        if (late := self._late.get(touch.id)) is not None:
            return await asyncio.shield(late)
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
            subject = await self._lock(connection, order)
            touch = await ledger.lock(connection, touch.id)
            if not self._is_open(touch, order):
                return await recorded_outcome(connection, order, touch)
            return await self._begun(order, connection, await self._judge(connection, order, step, subject, touch, now))

    async def _begun(
        self, order: StepOrder, connection: AsyncConnection, judged: StepOutcome | Opened
    ) -> StepOutcome | Opened:
        if not isinstance(judged, StepOutcome):
            await write_open_touch(connection, order.enrolment_id, judged[0].id)
        return judged

    async def _lock(self, connection: AsyncConnection, order: StepOrder) -> SendSubject:
        return await lock_subject(connection, order.enrolment_id, order.step.key, self.tracks[order.track].exits)

    def _is_open(self, touch: LedgerEntry, order: StepOrder) -> bool:
        return touch.state in OPEN or (touch.state == "unknown" and self._sends_again(order))

    def _piece(self, step: Send) -> Piece:
        """The piece to send, also if its file was renamed since the decision. Raises ContentError if there is none."""
        return self.catalogue.get(self.catalogue.current(step.piece))

    def _sends_again(self, order: StepOrder) -> bool:
        return self.tracks[order.track].delivery == "at_least_once"

    def _settles_in(self, touch: LedgerEntry) -> timedelta:
        """How much longer, in real time, to wait for a webhook about a touch of unknown fate."""
        return self.time.clock.real_at(touch.at) + self._patience - self.time.wall()

    @property
    def _patience(self) -> timedelta:
        return max(self.time.clock.real_duration(SETTLES_WITHIN), SETTLES_NO_SOONER)

    async def _judge(  # noqa: PLR0917 - the ledger's inputs, each once
        self,
        connection: AsyncConnection,
        order: StepOrder,
        step: Send,
        subject: SendSubject,
        touch: LedgerEntry,
        now: datetime,
    ) -> StepOutcome | Opened:
        track, piece, lead = self.tracks[order.track], self._piece(step), subject.recipient
        state = await lead_state_of(connection, subject, now, exclude=touch.id)
        lost = touch.state == "unknown"
        match verdict := judge(request_of(subject, track, piece.topic, now), state, track.gate_rules):
            case Defer():
                if touch.state not in {NEW, "unknown"}:
                    await ledger.change(connection, replace(touch, state="deferred", reason=verdict.reason))
                return StepOutcome(at=now, result="deferred", reason=verdict.reason, until=verdict.until)
            case Allow():
                judged = replace(touch, at=now) if lost else LedgerEntry(touch.id, "sending", "", now)
            case Refuse() if lost:
                judged = replace(touch, reason=f"{UNKNOWN}, and it is not sent again: {verdict.reason}")
            case Refuse():
                judged = LedgerEntry(touch.id, "refused", verdict.reason, now)
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
        return await record_outcome(connection, order, outcome_of(judged))

    def envelope(self, order: StepOrder, step: Send, touch: LedgerEntry, lead: Recipient) -> Envelope:
        """The mail of a touch. Raises ApplicationError if the piece does not render for this lead."""
        piece = self._piece(step)
        return envelope_of(
            touch, order.track, lead, piece, step.variant, sender=self.sender, tokens=self.tokens, layouts=self.layouts
        )

    async def put_off(self, order: StepOrder, touch_id: str, said: str, told: str = "") -> None:
        """Note that a touch was surely not sent: the next try judges it again without asking the provider."""
        async with self.database.transaction() as connection:
            touch = await ledger.lock(connection, touch_id)
            if touch.state == "sending":
                await ledger.change(connection, replace(touch, state="deferred", reason=reason_lines(said, told)))
            await write_open_touch(connection, order.enrolment_id, None)

    async def _lose_sight(
        self, order: StepOrder, touch_id: str, said: str, told: str = "", record: Record = record_outcome
    ) -> StepOutcome:
        """Record a touch of unknown fate: settle it if sent at most once, else give the webhook time to report."""
        attempt = activity.info().attempt
        if not self._sends_again(order):
            return await self._close(order, touch_id, "unknown", said, told, record=record)
        async with self.database.transaction() as connection:
            touch = await ledger.lock(connection, touch_id)
            enough = touch.state == "unknown" and attempt >= MOST_TRIES
            if touch.state == "sending":
                touch = replace(touch, state="unknown", reason=reason_lines(said, told))
                await ledger.change(connection, touch)
            known = not self._is_open(touch, order)
        if known or enough:  # the webhook was quicker
            return await self._close(order, touch_id, "unknown", record=record)
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
        record: Record = record_outcome,
        bounce: Bounce | None = None,
    ) -> StepOutcome:
        """Settle a touch, unless a webhook settled it first; `bounce` is what is known of its address by now."""
        async with self.database.transaction() as connection:
            lead_id = await lock_enrolled_lead(connection, order.enrolment_id)
            if bounce is not None:
                await hear_bounce(connection, lead_id, touch_id, order.step, bounce, self.time.now())
            touch = await ledger.lock(connection, touch_id)
            if touch.state in OPEN or (touch.state == "unknown" and state == "accepted"):
                touch = replace(touch, state=state, reason=reason_lines(said, told))
                await ledger.change(connection, touch, provider_id=provider_id)
                if state == "accepted" and getattr(self.provider, "acceptance_is_all", False):
                    now = self.time.now()
                    await ledger.count_as_delivered(connection, touch, now)
                    await mark_scanners(connection, touch_id, now)
                    await reset_soft_bounces(connection, lead_id)
            return await record(connection, order, outcome_of(touch))


def _new_touch(now: datetime) -> LedgerEntry:
    return LedgerEntry(f"tc{token_hex(12)}", NEW, "", now)


def _ask_again(said: str, after: timedelta) -> ApplicationError:
    """Have Temporal try again after a while: by then the webhook has reported, or the piece is sent again."""
    return ApplicationError(our_reason(said), type="FateUnknown", next_retry_delay=after)
