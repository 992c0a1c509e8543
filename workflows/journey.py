"""The one workflow that runs every track. Its type is the track's name, its id `{track}/{lead_id}`.

It decides nothing: it asks `decide` in a local activity, so each decision is recorded and a replay never runs a
track's code. What it keeps is the journal, the timer and the inbox.

A replay does run this file, `workflows.inbox` and `models.visibility.updates`: a change of which commands they give
for the same history strands the journeys in flight. tests/golden holds histories that must still replay.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from models import visibility
    from models.messages import (
        Behaviour,
        Behaviours,
        Control,
        Decided,
        Deciding,
        DoOrder,
        JournalView,
        Journey,
        Release,
        Request,
        StepOrder,
        StepOutcome,
    )
    from nurture.journey.compaction import compact
    from nurture.journey.decision import AnyNext, AnyStep, Do, Finish, Park
    from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Exited, Overridden, Paused, Released, Resumed
    from nurture.journey.journal import Journal
    from nurture.journey.patterns import hears
    from nurture.journey.wording import say_next, say_park
    from workflows.inbox import Inbox

MOST_EVENTS = 100
"""A cold wake replays the whole history: this many events keep it within 100 ms (docs/decisions/0008)."""

MOST_SIGNALS = 1_000
"""`is_continue_as_new_suggested()` does not count signals; the server refuses more than 10,000 a run."""

PATIENTLY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))

LOCAL_PATIENCE = timedelta(seconds=5)
"""A decision to be tried again later than that waits at the server, and leaves the worker to healthy journeys."""


@workflow.defn(dynamic=True)
class JourneyWorkflow:
    """One lead's journey on one track."""

    @workflow.init  # signals can come before `run`: the inbox must know by then what was heard
    def __init__(self, args: Sequence[RawValue]) -> None:
        journey = workflow.payload_converter().from_payload(args[0].payload, Journey)
        self.journey = journey
        self.journal = Journal(journey.facts, journey.decided)
        self.inbox = Inbox(journey.inbox, journey.heard)
        self.total = journey.total
        self.saved = journey.saved
        self.shown = dict(journey.shown)
        self.now = journey.now or self.journal.enrolled.at
        self.next: AnyNext | None = None
        self.because: tuple[str, ...] = ()
        self.answered = 0
        self.rescore = False

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:  # noqa: ARG002 - read in __init__
        """Run the journey to its end; the outcome."""
        self.now = self._on_time(self.now)
        try:
            return await self._live()
        except asyncio.CancelledError:
            # Cancelled from Temporal: the read model, and so the gate and the next enrolment, must know of it.
            self.now = self._now()
            self._append(Exited(self.now, "cancelled in Temporal"))
            decided = await self._decide()
            self._stand(decided.next, decided.because, decided.shown)
            raise

    async def _live(self) -> str:
        while True:
            decided = await self._decide()
            self._stand(decided.next, decided.because, decided.shown)
            if isinstance(decided.next, Finish):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return decided.next.outcome
            if self._is_long():
                self._continue_as_new()
            rest = decided.next if isinstance(decided.next, Park) else await self._perform(decided.next, decided)
            if rest is not None:
                await self._rest(rest)

    # Signals, the query, and the update: handlers only append

    @workflow.signal
    def behaviour(self, behaviour: Behaviour) -> None:
        """The lead, or sales about it, did something. An id heard before is not heard again."""
        self.inbox.put(behaviour)

    @workflow.signal
    def behaviours(self, burst: Behaviours) -> None:
        """A burst of behaviours, in order, in one signal."""
        for behaviour in burst.items:
            self.inbox.put(behaviour)

    @workflow.signal
    def pause(self, request: Request) -> None:
        """Send nothing, and let time stand still, until resumed. Exits still work."""
        self.inbox.put(Control(verb="pause", id=request.id, reason=request.reason))

    @workflow.signal
    def resume(self, request: Request) -> None:
        """Go on."""
        self.inbox.put(Control(verb="resume", id=request.id, reason=request.reason))

    @workflow.signal
    def refresh(self, request: Request) -> None:
        """Decide again now, with the track's code as it is."""
        self.inbox.put(Control(verb="refresh", id=request.id, reason=request.reason))

    @workflow.signal
    def exit(self, request: Request) -> None:
        """End the journey; the reason is recorded."""
        self.inbox.put(Control(verb="exit", id=request.id, reason=request.reason))

    @workflow.query(name="journal")
    def view(self) -> JournalView:
        """The journal, and where the journey stands."""
        return JournalView(
            enrolment_id=self.journey.enrolment_id,
            lead_id=self.journey.lead_id,
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
        """End the present wait and move on; answers what comes next. An id heard before ends nothing again."""
        ticket = self.inbox.put(Control(verb="override", id=request.id, reason=request.reason))
        await workflow.wait_condition(lambda: self.answered >= ticket or isinstance(self.next, Finish))
        return self._standing()

    @override.validator
    def _may_override(self, request: Request) -> None:  # noqa: ARG002 - a validator takes what its update takes
        if not (isinstance(self.next, Park) and self.next.why == "wait"):
            raise ApplicationError(
                f"there is no wait to end: the journey stands at {self._standing()}",
                type="NotWaiting",
                non_retryable=True,
            )

    @workflow.update
    async def release(self, release: Release) -> str:
        """Put a held lead on its way; answers what comes next. An id heard before releases nothing again."""
        ticket = self.inbox.put(
            Control(verb="release", id=release.id, reason=release.reason, step=release.step, end=release.end)
        )
        await workflow.wait_condition(lambda: self.answered >= ticket or isinstance(self.next, Finish))
        return self._standing()

    @release.validator
    def _may_release(self, release: Release) -> None:
        if not self._is_held():
            raise ApplicationError(
                f"the lead is not held: it stands at {self._standing()}", type="NotHeld", non_retryable=True
            )
        if not release.end and not release.step:
            raise ApplicationError("a release names a step, or the end", type="NoPlace", non_retryable=True)

    def _is_held(self) -> bool:
        return isinstance(self.next, Park) and self.next.why == "held"

    def _standing(self) -> str:
        return say_next(self.next) if self.next is not None else "its first decision"

    # The loop's parts

    async def _decide(self) -> Decided:
        taken = self.inbox.taken
        decided: Decided = await workflow.execute_local_activity(
            "decide",
            Deciding(
                enrolment_id=self.journey.enrolment_id,
                lead_id=self.journey.lead_id,
                track=workflow.info().workflow_type,
                facts=self.journal.facts,
                decided=self.journal.decided,
                total=self.total,
                saved=self.saved,
                now=self.now,
                rescore=self.rescore,
            ),
            result_type=Decided,
            start_to_close_timeout=timedelta(seconds=30),
            local_retry_threshold=LOCAL_PATIENCE,
            retry_policy=PATIENTLY,
            summary="decide",
        )
        self.rescore = False
        self._append(*decided.facts)
        for fact in decided.facts:
            if isinstance(fact, Behaved):
                self.inbox.skip(fact.id)
        self.saved = self.total
        self.journal = self.journal.after()
        self.answered = taken
        return decided

    async def _perform(self, step: AnyStep, decided: Decided) -> Park | None:
        """Carry out a step; where the lead rests next, if that was foreseen and came true."""
        if self._absorb():
            return None
        then = decided.then
        foreseen = then.next if then is not None and isinstance(then.next, Park) else None
        asked_at = self.now
        outcome = await self._carry_out(step, foreseen, then.facts if then is not None else ())
        if outcome is None:
            self._absorb()
            return None
        self.now = max(outcome.at, asked_at)
        if outcome.until is not None:
            self._append(Deferred(self.now, step.key, outcome.until, outcome.reason))
            return None
        self._append(Done(self.now, step.key, outcome.result, outcome.reason, outcome.value))
        as_expected = outcome.result == step.expected and self.now == asked_at and outcome.value is None
        if then is None or foreseen is None or not as_expected:
            return None
        self._append(*then.facts)
        self.journal = self.journal.after()
        self._stand(foreseen, then.because, decided.shown)
        return foreseen

    async def _carry_out(self, step: AnyStep, then: Park | None, then_facts: tuple[AnyFact, ...]) -> StepOutcome | None:
        """Run a step's activity; None if a pause or an exit came while it was still being tried, and called it off."""
        running = self._begin(step, then, then_facts)
        await workflow.wait_condition(lambda: running.done() or self.inbox.halts())
        halted = not running.done()
        if halted:
            running.cancel()
        try:
            found = await running
        except ActivityError as error:
            if halted:
                return None
            return StepOutcome(at=self._on_time(self.now), result="refused", reason=f"failed: {_kind_of(error)}")
        return found if isinstance(found, StepOutcome) else StepOutcome(at=self._on_time(self.now), value=found)

    def _begin(self, step: AnyStep, then: Park | None, then_facts: tuple[AnyFact, ...]) -> workflow.ActivityHandle[Any]:
        journey = self.journey
        if isinstance(step, Do):
            return workflow.start_activity(
                step.activity,
                DoOrder(lead_id=journey.lead_id, enrolment_id=journey.enrolment_id, key=step.key, arg=step.arg),
                start_to_close_timeout=timedelta(minutes=5),
                retry_policy=PATIENTLY,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=say_next(step),
            )
        return workflow.start_activity(
            step.kind,
            StepOrder(
                enrolment_id=journey.enrolment_id,
                lead_id=journey.lead_id,
                track=workflow.info().workflow_type,
                step=step,
                now=self.now,
                seq=self.total,
                then=then,
                then_facts=then_facts,
                because=self.because,
            ),
            result_type=StepOutcome,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=PATIENTLY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=say_next(step),
        )

    async def _rest(self, park: Park) -> None:
        """Wait at a park until its moment, or until something in the inbox ends the rest."""
        timer: asyncio.Task[None] | None = None
        try:
            while not self._stirred(park):
                if park.until is not None:
                    left = self.journey.clock.real_at(park.until) - workflow.now()
                    if left <= timedelta(0):
                        self.now = self._on_time(park.until)
                        self.rescore = True
                        return
                    if timer is None or timer.done():
                        timer = asyncio.create_task(workflow.sleep(left, summary=say_park(park)))
                if self._is_long():
                    self.now = self._now()
                    return
                await workflow.wait_condition(partial(self._called, timer))
        finally:
            if timer is not None:
                timer.cancel()

    def _called(self, timer: asyncio.Task[None] | None) -> bool:
        # Repeated signals leave nothing in the inbox, and still make the history long.
        return bool(self.inbox) or (timer is not None and timer.done()) or self._is_long()

    def _stirred(self, park: Park) -> bool:
        """Take from the inbox up to the first thing that ends the rest; whether there was one."""
        while self.inbox:
            message = self.inbox.take()
            if isinstance(message, Control) or _wakes(message, park):
                self._heed(message)
                return True
            self._append(_fact_of(message))
            self.journal = self.journal.after()
        return False

    def _absorb(self) -> bool:
        """Take all of the inbox; whether there was anything to decide again about."""
        absorbed = bool(self.inbox)
        while self.inbox:
            self._heed(self.inbox.take())
        return absorbed

    def _heed(self, message: Behaviour | Control) -> None:
        """Record what calls for a decision, which is then taken as of this message's time."""
        self.rescore = True
        if isinstance(message, Behaviour):
            self.now = self._on_time(message.at)
            self._append(_fact_of(message))
            return
        self.now = self._now()
        match message.verb:
            case "pause":
                self._append(Paused(self.now))
            case "resume":
                self._append(Resumed(self.now))
            case "exit":
                self._append(Exited(self.now, message.reason or "a person ended it"))
            case "override":
                self._append(Overridden(self.now))
            case "release" if self._is_held():
                self._append(Released(self.now, message.step, message.end))
            case "refresh" | "release":  # a lead that an edit has released since needs no place
                pass

    def _append(self, *facts: AnyFact) -> None:
        if facts:
            self.journal = self.journal.extended(facts)
            self.total += len(facts)

    # Time

    def _now(self) -> datetime:
        """The journey's time: the clock's, and never before what was already recorded."""
        return max(self.journey.clock.virtual_at(workflow.now()), self.now)

    def _on_time(self, due: datetime) -> datetime:
        """`due` if that is about now, else the time it is; never before what was already recorded."""
        return max(self.journey.clock.on_time(due, workflow.now()), self.now)

    # What a person sees, and the bounds of a history

    def _stand(self, following: AnyNext, because: tuple[str, ...], shown: dict[str, str | bool]) -> None:
        self.next = following
        self.because = because
        workflow.set_current_details(visibility.details(self.journal, following, because, self.now))
        if isinstance(following, Park | Finish):
            # As recorded with the decision: a replay must upsert the same after bands or code have changed.
            changed = visibility.updates(shown, self.shown)
            if changed:
                workflow.upsert_search_attributes(changed)
                self.shown = dict(shown)

    def _is_long(self) -> bool:
        info = workflow.info()
        long = (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() >= MOST_EVENTS
            or self.inbox.arrived >= MOST_SIGNALS
        )
        return long and workflow.all_handlers_finished()

    def _continue_as_new(self) -> NoReturn:
        """Go on in a new run with the compacted journal. Only right after a decision: all facts are saved then."""
        kept = compact(self.journal)
        workflow.continue_as_new(
            self.journey.model_copy(
                update={
                    "facts": kept.facts,
                    "decided": kept.decided,
                    "total": self.total,
                    "saved": self.saved,
                    "now": self.now,
                    "inbox": self.inbox.waiting,
                    "heard": self.inbox.heard,
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


def _kind_of(error: ActivityError) -> str:
    """What kind of error an activity gave up with; never its text, which may quote anything."""
    return (isinstance(error.cause, ApplicationError) and error.cause.type) or type(error.cause).__name__
