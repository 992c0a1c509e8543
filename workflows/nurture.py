"""The one workflow that runs every track. Its type is the track's name, its id `{track}/{lead_id}`.

It decides nothing: it asks `decide` in a local activity, so each decision is recorded and a replay never runs a
track's code. What it keeps is the journal, the timer and the inbox.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages import (
        Behaviour,
        Control,
        Decided,
        Deciding,
        DoOrder,
        JournalView,
        Journey,
        Request,
        StepOrder,
        StepOutcome,
    )
    from nurture.decision import AnyNext, AnyStep, Decision, Do, Finish, Park
    from nurture.explain import say_next, say_park
    from nurture.facts import AnyFact, Behaved, Deferred, Done, Exited, Overridden, Paused, Resumed
    from nurture.journal import Journal, compact
    from nurture.matchers import hears
    from workflows import visibility

MOST_EVENTS = 200
"""A cold wake replays the whole history, at some 3,500 events a second: so many keep it under 100 ms."""

MOST_SIGNALS = 1_000
"""`is_continue_as_new_suggested()` does not count signals; the server refuses more than 10,000 a run."""

REMEMBERED = 256
"""How many event ids the inbox remembers, to hear each event once."""

GRACE = timedelta(seconds=10)
"""A wake, or a step, that is at most so late in real time counts as on time."""

PATIENTLY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))


@workflow.defn(dynamic=True)
class Nurture:
    """One lead's journey on one track."""

    def __init__(self) -> None:
        self.inbox: deque[Behaviour | Control] = deque()
        self.heard: deque[str] = deque(maxlen=REMEMBERED)
        self.signals = 0
        self.journal = Journal()
        self.journey: Journey | None = None
        self.total = 0
        self.saved = 0
        self.now: datetime | None = None
        self.next: AnyNext | None = None
        self.because: tuple[str, ...] = ()
        self.decisions = 0
        self.rescore = False
        self.shown: dict[str, str | bool] = {}

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        """Run the journey to its end; the outcome."""
        self._open(workflow.payload_converter().from_payload(args[0].payload, Journey))
        while True:
            decided = await self._decide()
            self._stand(decided.next, decided.because)
            if isinstance(decided.next, Finish):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return decided.next.outcome
            if self._is_long():
                self._continue_as_new()
            if isinstance(decided.next, Park):
                await self._rest(decided.next)
                continue
            foreseen = await self._perform(decided.next, decided.then)
            if foreseen is not None:
                await self._rest(foreseen)

    # Signals, the query, and the update: handlers only append

    @workflow.signal
    def behaviour(self, behaviour: Behaviour) -> None:
        """The lead, or sales about it, did something. An id heard before is not heard again."""
        self._hear(behaviour, behaviour.id)

    @workflow.signal
    def pause(self, request: Request) -> None:
        """Send nothing, and let time stand still, until resumed. Exits still work."""
        self._hear(Control(verb="pause", id=request.id, reason=request.reason), request.id)

    @workflow.signal
    def resume(self, request: Request) -> None:
        """Go on."""
        self._hear(Control(verb="resume", id=request.id, reason=request.reason), request.id)

    @workflow.signal
    def refresh(self, request: Request) -> None:
        """Decide again now, with the track's code as it is."""
        self._hear(Control(verb="refresh", id=request.id, reason=request.reason), request.id)

    @workflow.signal
    def exit(self, request: Request) -> None:
        """End the journey; the reason is recorded."""
        self._hear(Control(verb="exit", id=request.id, reason=request.reason), request.id)

    @workflow.query(name="journal")
    def view(self) -> JournalView:
        """The journal, and where the journey stands."""
        journey = self._journey
        return JournalView(
            enrolment_id=journey.enrolment_id,
            lead_id=journey.lead_id,
            track=workflow.info().workflow_type,
            facts=self.journal.facts,
            decided=self.journal.decided,
            total=self.total,
            now=self._now(),
            next=self.next,
            because=self.because,
        )

    @workflow.update
    async def override(self, request: Request) -> str:
        """End the present wait and move on; answers what comes next."""
        before = self.decisions
        control = Control(verb="override", id=request.id, reason=request.reason)
        self._hear(control, request.id)
        await workflow.wait_condition(
            lambda: isinstance(self.next, Finish) or (self.decisions > before and control not in self.inbox)
        )
        return say_next(self.next) if self.next is not None else "deciding"

    @override.validator
    def _may_override(self, request: Request) -> None:
        if isinstance(self.next, Park) and self.next.why == "wait":
            return
        standing = say_next(self.next) if self.next is not None else "deciding"
        raise ApplicationError(
            f"there is no wait to end: the journey stands at {standing}", type="NotWaiting", non_retryable=True
        )

    def _hear(self, message: Behaviour | Control, id_: str) -> None:
        self.signals += 1
        if id_:
            if id_ in self.heard:
                return
            self.heard.append(id_)
        self.inbox.append(message)

    # The loop's parts

    async def _decide(self) -> Decided:
        journey = self._journey
        now = self.now if self.now is not None else self._on_time(self.journal.enrolled.at)
        decided: Decided = await workflow.execute_local_activity(
            "decide",
            Deciding(
                enrolment_id=journey.enrolment_id,
                lead_id=journey.lead_id,
                track=workflow.info().workflow_type,
                facts=self.journal.facts,
                decided=self.journal.decided,
                total=self.total,
                saved=self.saved,
                now=now,
                rescore=self.rescore,
            ),
            result_type=Decided,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=PATIENTLY,
            summary="decide",
        )
        self.now = now
        self.rescore = False
        self._append(*decided.facts)
        self.saved = self.total
        self._decided()
        return decided

    def _decided(self) -> None:
        self.journal.decided = len(self.journal)
        self.decisions += 1

    async def _perform(self, step: AnyStep, then: Decision | None) -> Park | None:
        """Carry out a step; where the lead rests next, if that was foreseen and came true."""
        if self._absorb_before():
            return None
        asked_at = self.now
        assert asked_at is not None
        foreseen = then.next if then is not None and isinstance(then.next, Park) else None
        outcome = await self._carry_out(step, foreseen, asked_at)
        self.now = max(outcome.at, asked_at)
        if outcome.until is not None:
            self._append(Deferred(self.now, step.key, outcome.until, outcome.reason))
            return None
        self._append(Done(self.now, step.key, outcome.result, outcome.reason, outcome.value))
        as_expected = outcome.result == step.expected and self.now == asked_at and outcome.value is None
        if then is None or foreseen is None or not as_expected:
            return None
        self._append(*then.facts)
        self._decided()
        self._stand(foreseen, then.because)
        return foreseen

    async def _carry_out(self, step: AnyStep, then: Park | None, now: datetime) -> StepOutcome:
        journey = self._journey
        if isinstance(step, Do):
            value = await workflow.execute_activity(
                step.activity,
                DoOrder(lead_id=journey.lead_id, enrolment_id=journey.enrolment_id, key=step.key, arg=step.arg),
                start_to_close_timeout=timedelta(minutes=5),
                retry_policy=PATIENTLY,
                summary=say_next(step),
            )
            return StepOutcome(at=self._on_time(now), value=value)
        outcome: StepOutcome = await workflow.execute_activity(
            step.kind,
            StepOrder(
                enrolment_id=journey.enrolment_id,
                lead_id=journey.lead_id,
                track=workflow.info().workflow_type,
                step=step,
                now=now,
                seq=self.total,
                then=then,
                because=self.because,
            ),
            result_type=StepOutcome,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=PATIENTLY,
            summary=say_next(step),
        )
        return outcome

    async def _rest(self, park: Park) -> None:
        """Wait at a park until its moment, or until something in the inbox ends the rest."""
        timer: asyncio.Task[None] | None = None
        try:
            while not self._stirred(park):
                if park.until is not None:
                    left = self._journey.clock.real_at(park.until) - workflow.now()
                    if left <= timedelta(0):
                        self.now = self._on_time(park.until)
                        self.rescore = True
                        return
                    if timer is None or timer.done():
                        timer = asyncio.create_task(workflow.sleep(left, summary=say_park(park)))
                if self._is_long():
                    return
                rung = timer
                await workflow.wait_condition(lambda: bool(self.inbox) or (rung is not None and rung.done()))
        finally:
            if timer is not None:
                timer.cancel()

    def _stirred(self, park: Park) -> bool:
        """Take from the inbox up to the first thing that ends the rest; whether there was one."""
        while self.inbox:
            message = self.inbox.popleft()
            if isinstance(message, Control):
                self.now = self._now()
                self._take_control(message)
                return True
            self._append(_fact_of(message))
            if _wakes(message, park):
                self.now = self._on_time(message.at)
                self.rescore = True
                return True
            self.journal.decided = len(self.journal)
        return False

    def _absorb_before(self) -> bool:
        """Take all of the inbox before a step is carried out; whether there was anything to decide again about."""
        absorbed = bool(self.inbox)
        while self.inbox:
            message = self.inbox.popleft()
            if isinstance(message, Control):
                self._take_control(message)
            else:
                self._append(_fact_of(message))
                self.rescore = True
        return absorbed

    def _take_control(self, control: Control) -> None:
        now = self._now()
        match control.verb:
            case "pause":
                self._append(Paused(now))
            case "resume":
                self._append(Resumed(now))
            case "exit":
                self._append(Exited(now, control.reason or "a person ended it"))
            case "override":
                self._append(Overridden(now))
            case "refresh":
                pass

    def _append(self, *facts: AnyFact) -> None:
        if facts:
            self.journal = self.journal.extended(facts)
            self.total += len(facts)

    # Time

    def _now(self) -> datetime:
        """The journey's time: the clock's, and never before what was already recorded."""
        now = self._journey.clock.virtual_at(workflow.now())
        return now if self.now is None else max(now, self.now)

    def _on_time(self, due: datetime) -> datetime:
        """`due` if it is only just over, else the time it is; never before what was already recorded."""
        clock = self._journey.clock
        late = workflow.now() - clock.real_at(due)
        now = due if timedelta(0) <= late <= GRACE else clock.virtual_at(workflow.now())
        return now if self.now is None else max(now, self.now)

    # What a person sees, and the bounds of a history

    def _stand(self, following: AnyNext, because: tuple[str, ...]) -> None:
        self.next = following
        self.because = because
        assert self.now is not None
        workflow.set_current_details(visibility.details(self.journal, following, because, self.now))
        if isinstance(following, Park | Finish):
            shown = visibility.attributes(self.journal, following)
            changed = visibility.updates(shown, self.shown)
            if changed:
                workflow.upsert_search_attributes(changed)
                self.shown = shown

    @property
    def _journey(self) -> Journey:
        assert self.journey is not None
        return self.journey

    def _open(self, journey: Journey) -> None:
        self.journey = journey
        self.journal = Journal(journey.facts, journey.decided)
        self.total = journey.total
        self.saved = journey.saved
        self.shown = dict(journey.shown)
        self.inbox.extendleft(reversed(journey.inbox))
        self.heard = deque([*journey.heard, *self.heard], maxlen=REMEMBERED)
        if journey.decided:
            self.now = self._on_time(self.journal.last_at)

    def _is_long(self) -> bool:
        info = workflow.info()
        long = (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() >= MOST_EVENTS
            or self.signals >= MOST_SIGNALS
        )
        return long and workflow.all_handlers_finished()

    def _continue_as_new(self) -> NoReturn:
        """Go on in a new run with the compacted journal. Only right after a decision: all facts are saved then."""
        kept = compact(self.journal)
        workflow.continue_as_new(
            self._journey.model_copy(
                update={
                    "facts": kept.facts,
                    "decided": kept.decided,
                    "total": self.total,
                    "saved": self.saved,
                    "inbox": tuple(self.inbox),
                    "heard": tuple(self.heard),
                    "shown": self.shown,
                }
            )
        )


def _fact_of(behaviour: Behaviour) -> Behaved:
    return Behaved(behaviour.at, behaviour.id, behaviour.name, behaviour.subject)


def _wakes(behaviour: Behaviour, park: Park) -> bool:
    if hears(park.listens, behaviour.name, behaviour.subject):
        return True
    return park.wakes_at_score is not None and behaviour.score is not None and behaviour.score >= park.wakes_at_score
