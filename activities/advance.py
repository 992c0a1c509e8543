"""The activity `advance`: one wake of a journey. It is local, so that the workflow's history holds each decision.

First transaction: adopt what an earlier try committed, hear the news, take the score, plan; for a send also ask the
gate, and write the touch as `sending` with the facts that led to it. Then the provider. Second transaction: the touch,
the facts, what comes next. What the provider does not settle within five seconds or wants later, and every other step,
goes to the step's own activity, with patience. docs/decisions/0010 says why.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.send import Opened, SendActivity
from models.messages import Acted, Advanced, Advancing, Control, StepOrder, StepOutcome
from models.visibility import attributes
from nurture.content.catalogue import Catalogue
from nurture.errors import ContentError, TrackError
from nurture.journey.decision import Decision, Finish, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.plan import look_ahead, plan
from nurture.journey.track import Registry, Track
from nurture.journey.wording import say_next
from nurture.people.scoring import ScoringModel
from nurture.segments.asked import is_stale, news_of, segments_asked
from nurture.segments.named import Segment
from perennial.journeys.adopting import Head, OpenTouch, adopt, lock_head, unsaved_of
from perennial.journeys.alerts import raise_for_edit
from perennial.journeys.asked import forget_asked
from perennial.journeys.hearing import Heard, hear
from perennial.journeys.read_model import Position, Trouble, write_decision, write_facts, write_head
from perennial.journeys.stuck import Retry, plan_or_stay, track_or_gone, write_trouble
from perennial.journeys.unheard import take_unheard
from perennial.journeys.words import Words, words_of_wake, words_with
from perennial.leads.scores import rescore
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Database
from perennial.segments.lead_facts import facts_of_id

AT_ONCE = timedelta(seconds=5)
"""How long `advance` waits for the provider, in real time; the workflow hears nothing meanwhile."""


@dataclass(frozen=True)
class Wake:
    """What a wake has come to: the facts heard, the step done at once, the decision after them over `journal`."""

    asked: Advancing
    track: Track
    now: datetime
    journal: Journal
    heard: tuple[AnyFact, ...]
    decision: Decision
    retry: Retry
    words: Words
    trouble: Trouble | None = None
    acted: Acted | None = None
    adopted: int = 0

    @property
    def repeats(self) -> bool:
        """Whether an earlier try took this decision: only what it committed was heard, and the lead rests there."""
        decision = self.decision
        only_adopted = 0 < self.adopted == len(self.heard) and self.acted is None
        return only_adopted and not decision.facts and isinstance(decision.next, Park | Finish)

    @property
    def number(self) -> int:
        """How many facts the journal had when the decision was taken."""
        acted = 0 if self.acted is None else len(self.acted.facts) + 1
        return self.asked.total + len(self.heard) + acted

    @property
    def standing(self) -> Journal:
        """The journal with the decision's facts."""
        return self.journal.after(self.decision.facts)


@dataclass(frozen=True)
class Begun:
    """A send that the first transaction has begun, and how far the read model is."""

    wake: Wake
    order: StepOrder
    opened: Opened
    position: Position


@dataclass(frozen=True)
class Unsettled:
    """A send that an earlier try began, whose outcome must be known before anything is decided."""

    order: StepOrder
    touch_id: str


@dataclass(frozen=True)
class AdvanceActivity:
    """The activity `advance` over this database, these tracks and this content."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel
    sender: SendActivity
    lean: bool = False
    """Whether only the search attributes of `models.visibility.LEAN` are shown."""
    segments: Mapping[str, Segment] = field(default_factory=dict)
    """What the names mean by which tracks ask for segments."""

    @activity.defn(name="advance")
    async def advance(self, asked: Advancing) -> Advanced:
        """Go on as far as can be at once. Raises TrackError if the track breaks its rules, NotFoundError for none."""
        while isinstance(found := await self._begin(asked), Unsettled):
            await self.sender.settle(found.order, found.touch_id)
        return found if isinstance(found, Advanced) else await self._send(found)

    async def _begin(self, asked: Advancing) -> Unsettled | Begun | Advanced:
        """The first transaction: up to the touch, or up to the rest if nothing is sent."""
        track = track_or_gone(self.tracks, asked.track)
        async with self.database.transaction() as connection:
            head = await lock_head(connection, asked.enrolment_id)
            words = await words_of_wake(connection, asked, head.words)
            asked = words.plain_wake(asked)
            adopted = await adopt(connection, asked, head)
            journal = Journal(asked.facts, asked.decided)
            if adopted:
                journal = journal.after(adopted)
            if head.asked is not None:
                asked = await _take_asked(connection, asked, head.asked, journal)
            open_touch = _without_outcome(head.open_touch, journal)
            if open_touch is not None and track.delivery == "at_most_once":
                return _unsettled(asked, len(adopted), open_touch)
            heard = await self._hear(connection, asked, head, journal, adopted, track.graduates_at)
            heard = await self._hear_segments(connection, asked, heard, journal, track)
            seen = journal.after(heard.unheard).extended(heard.facts)
            retry = Retry(self.sender.time.clock, asked.woken_at, head.stuck_since)
            decision, trouble = plan_or_stay(track, seen, heard.now, self.catalogue, retry)
            if open_touch is not None and not _leaves_open(decision, open_touch):
                return _unsettled(asked, len(adopted), open_touch)
            hears = (*adopted, *heard.unheard, *heard.facts)
            words = await words_with(connection, words, hears)
            wake = Wake(asked, track, heard.now, seen, hears, decision, retry, words, trouble, adopted=len(adopted))
            position = Position(asked.saved, asked.digest)
            facts = [*unsaved_of(asked), *wake.heard]
            step = decision.next
            if isinstance(step, Send):
                order = _order_of(wake, step)
                try:
                    judged = await self.sender.judge(connection, order, step, self.sender.time.on_time(wake.now))
                except ContentError:  # its own activity says so, and tries until the piece is back
                    judged = None
                if isinstance(judged, tuple):
                    position = await self._write(
                        connection, wake, asked.saved, position, facts, open_touch=judged[0].id
                    )
                    return Begun(wake, order, judged, position)
                if judged is not None:
                    await _write_decision(connection, wake)
                    wake = self._after(wake, step, judged)
                    assert wake.acted is not None
                    facts += [*wake.acted.facts, wake.acted.outcome]
            wake = self._looking_ahead(wake)
            still_open = open_touch.id if open_touch is not None else None
            position = await self._write(connection, wake, asked.saved, position, facts, open_touch=still_open)
        return self._answer(wake, position)

    async def _hear(  # noqa: PLR0917 - what a wake hears by
        self,
        connection: AsyncConnection,
        asked: Advancing,
        head: Head,
        journal: Journal,
        adopted: Sequence[AnyFact],
        graduates_at: int | None,
    ) -> Heard:
        """The news, what was unheard, and the score if it has changed, or has to be looked at once more."""
        ids = {getattr(fact, "id", "") for fact in adopted} - {""}
        heard = hear(asked, self.sender.time.clock, ids, held=journal.held is not None)
        if not asked.rescore:
            return heard
        known = {fact.id for fact in (*journal, *heard.facts) if isinstance(fact, Behaved)}
        unheard = await take_unheard(connection, asked.enrolment_id, asked.saved, known)
        facts = list(heard.facts)
        score = await rescore(connection, self.scoring, head.lead_id, heard.now)
        moved = _has_moved(graduates_at, head, journal) and score.total >= (graduates_at or 0)
        if moved or (score.total, score.stage) != _last_score(journal):
            facts.append(Scored(heard.now, score.total, score.stage))
        return Heard(heard.now, tuple(facts), tuple(unheard))

    async def _hear_segments(
        self, connection: AsyncConnection, asked: Advancing, heard: Heard, journal: Journal, track: Track
    ) -> Heard:
        """With which segments the lead is in now, of those that the track asks for, if that has changed."""
        segments = segments_asked(track, self.segments) if track.segments else ()
        if not segments or not (asked.rescore or is_stale(journal, segments)):
            return heard
        facts = await facts_of_id(connection, asked.lead_id, ScoresNow(self.scoring, heard.now))
        told = news_of(journal, segments, facts, heard.now)
        return heard if told is None else replace(heard, facts=(*heard.facts, told))

    def _after(self, wake: Wake, step: Send, outcome: StepOutcome) -> Wake:
        """The wake once its step has had this outcome, planned on."""
        now = max(wake.now, outcome.at)
        fact: AnyFact = Done(now, step.key, outcome.result, outcome.reason)
        if outcome.until is not None:
            fact = Deferred(now, step.key, outcome.until, outcome.reason)
        decision = wake.decision
        acted = Acted.model_construct(facts=decision.facts, step=step, because=decision.because, outcome=fact)
        journal = wake.standing.after([fact])
        following, trouble = plan_or_stay(wake.track, journal, now, self.catalogue, wake.retry)
        return replace(wake, now=now, journal=journal, acted=acted, decision=following, trouble=trouble)

    def _looking_ahead(self, wake: Wake) -> Wake:
        with suppress(TrackError):  # what raises after the step is told when it comes to it
            decision = look_ahead(wake.track, wake.journal, wake.decision, wake.now, self.catalogue)
            return replace(wake, decision=decision)
        return wake

    async def _send(self, begun: Begun) -> Advanced:
        """Post the mail and record what comes of it; what takes patience is left to the step's own activity."""
        wake, order, (touch, lead) = begun.wake, begun.order, begun.opened
        step, sender = order.step, self.sender
        assert isinstance(step, Send)
        left = self._answer(self._looking_ahead(wake), begun.position)
        try:
            envelope = sender.envelope(order, step, touch, lead)
        except ApplicationError as error:
            await sender.put_off(order, touch.id, error.message)
            return left
        answer = asyncio.create_task(sender.provider.send(envelope))
        late = False
        try:
            await asyncio.wait({answer}, timeout=AT_ONCE.total_seconds())
        finally:  # also if this wake is called off
            if late := not answer.done():
                sender.finish_late(order, touch, answer)
        if late:
            return left
        advanced = left

        async def record(connection: AsyncConnection, _: StepOrder, outcome: StepOutcome) -> StepOutcome:
            nonlocal advanced
            after = self._looking_ahead(self._after(wake, step, outcome))
            assert after.acted is not None
            facts = [after.acted.outcome]
            position = await self._write(connection, after, order.seq, begun.position, facts)
            advanced = self._answer(after, position)
            return outcome

        try:
            await sender.settled(order, touch, answer, record)
        except ApplicationError:  # to be tried again
            return left
        return advanced

    async def _write(
        self,
        connection: AsyncConnection,
        wake: Wake,
        first: int,
        position: Position,
        facts: Sequence[AnyFact],
        *,
        open_touch: str | None = None,
    ) -> Position:
        """Write facts from number `first` on, then the decision's, its row, and the head; how far the read model is."""
        asked, decision = wake.asked, wake.decision
        facts = [*facts, *decision.facts]
        reached = position.after(facts)
        await write_facts(connection, asked.enrolment_id, first, facts)
        if not wake.repeats:
            await _write_decision(connection, wake)
        await write_head(
            connection,
            asked.enrolment_id,
            wake.now,
            decision.next,
            decision.because,
            position=reached,
            open_touch=open_touch,
            trouble=wake.trouble,
        )
        if wake.trouble is not None:
            await write_trouble(connection, asked.enrolment_id, asked.lead_id, wake.trouble)
        await raise_for_edit(connection, asked.enrolment_id, asked.lead_id, wake.journal, decision, wake.now)
        return reached

    def _answer(self, wake: Wake, position: Position) -> Advanced:
        decision = wake.decision
        answer = Advanced.model_construct(
            now=wake.now,
            heard=wake.heard,
            acted=wake.acted,
            facts=decision.facts,
            next=decision.next,
            because=decision.because,
            then=decision.then,
            shown=self._shown(wake),
            expects=self._expects(wake),
            exits=() if isinstance(decision.next, Park | Finish) else wake.track.exits.patterns,
            digest=position.digest,
            long=wake.asked.long,
        )
        return wake.words.hidden_answer(answer)

    def _shown(self, wake: Wake) -> dict[str, str | bool]:
        """The search attributes of where the lead comes to rest, as far as that is foreseen."""
        decision = wake.decision
        if isinstance(decision.next, Park | Finish):
            return attributes(wake.standing, decision.next, self.scoring, lean=self.lean)
        if decision.then is None:
            return {}
        after = wake.standing.after(decision.then.facts)
        return attributes(after, decision.then.next, self.scoring, lean=self.lean)

    def _expects(self, wake: Wake) -> str:
        """What the journey will do when its timer fires, in words; "" without one, or if the track breaks."""
        rest = wake.decision.next
        if not isinstance(rest, Park) or rest.until is None:
            return ""
        if rest.why == "stuck":
            return "try the track's code again"
        try:
            return say_next(plan(wake.track, wake.standing, rest.until, self.catalogue).next)
        except TrackError:  # told when it comes to it
            return ""


async def _write_decision(connection: AsyncConnection, wake: Wake) -> None:
    decision = wake.decision
    await write_decision(connection, wake.asked.enrolment_id, wake.number, wake.now, decision.next, decision.because)


def _order_of(wake: Wake, step: Send) -> StepOrder:
    asked = wake.asked
    return StepOrder.model_construct(
        enrolment_id=asked.enrolment_id,
        lead_id=asked.lead_id,
        track=asked.track,
        step=step,
        now=wake.now,
        seq=wake.number + len(wake.decision.facts),
        because=wake.decision.because,
    )


async def _take_asked(connection: AsyncConnection, asked: Advancing, control: Control, journal: Journal) -> Advancing:
    """The wake with what a person asked of the journey among its news, unless the signal was quicker."""
    await forget_asked(connection, asked.enrolment_id, control.id)
    known = {message.id for message in asked.news} | {getattr(fact, "id", "") for fact in journal}
    return asked if control.id in known else asked.model_copy(update={"news": (*asked.news, control)})


def _without_outcome(touch: OpenTouch | None, journal: Journal) -> OpenTouch | None:
    return None if touch is None or touch.step_key in journal.steps else touch


def _leaves_open(decision: Decision, touch: OpenTouch) -> bool:
    """Whether a send of unknown fate may wait for its webhook: the lead still stands at it, or is paused there."""
    following = decision.next
    if isinstance(following, Park):
        return following.why in {"paused", "held", "stuck"}
    return isinstance(following, Send) and following.key == touch.step_key


def _unsettled(asked: Advancing, adopted: int, touch: OpenTouch) -> Unsettled:
    order = StepOrder(
        enrolment_id=asked.enrolment_id,
        lead_id=asked.lead_id,
        track=asked.track,
        step=Send(touch.step_key, ""),
        now=asked.now,
        seq=asked.total + adopted,
    )
    return Unsettled(order, touch.id)


def _has_moved(graduates_at: int | None, head: Head, journal: Journal) -> bool:
    """Whether the track graduates at another score than when the lead came to rest: a score known by then may do so."""
    return graduates_at is not None and graduates_at != head.wakes_at_score and not journal.graduations


def _last_score(journal: Journal) -> tuple[int, str]:
    fact = journal.facts[journal.scores[-1]]
    assert isinstance(fact, Scored | Enrolled)
    return fact.score, fact.stage
