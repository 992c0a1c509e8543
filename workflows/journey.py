"""The one workflow that runs every track. Its type is the track's name, its id `{track}/{lead_id}`.

It decides nothing: each wake is one local activity, `advance`, so each decision is recorded and a replay never runs a
track's code. What it keeps is the journal, the timer and the inbox.

A replay does run this file, its neighbours in this folder and `models.visibility.updates`: a change of which commands
they give for the same history strands the journeys in flight. tests/golden holds histories that must still replay. No
command may depend on `workflow.now()`, or on how long the history is, once a local activity has ended: if a query was
answered meanwhile, a replay sees others (docs/decisions/0010). `advance` records both.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from models import visibility
    from models.messages import Advanced, Advancing, Control, StepOutcome
    from nurture.journey.compaction import compact
    from nurture.journey.decision import AnyNext, AnyStep, Do, Finish, Park
    from nurture.journey.facts import AnyFact, Deferred, Done
    from nurture.journey.wording import say_park
    from workflows.handlers import JourneyHandlers
    from workflows.inbox import fact_of, wakes
    from workflows.steps import PATIENTLY, begin, kind_of

MOST_EVENTS = 100
"""A cold wake replays the whole history: this many events keep it within 100 ms (docs/decisions/0008)."""

MOST_SIGNALS = 1_000
"""`is_continue_as_new_suggested()` does not count signals; the server refuses more than 10,000 a run."""

LOCAL_PATIENCE = timedelta(seconds=5)
"""A wake to be tried again later than that waits at the server, and leaves the worker to healthy journeys."""

INSTANT = timedelta(milliseconds=1)
"""The shortest timer: a rest always starts one, so that no command depends on what time it is."""


@workflow.defn(dynamic=True)
class JourneyWorkflow(JourneyHandlers):
    """One lead's journey on one track."""

    @workflow.init  # signals can come before `run`: the inbox must know by then what was heard
    def __init__(self, args: Sequence[RawValue]) -> None:
        super().__init__(args)
        self.long = False
        self.expects = "begin"
        self.acted = False

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:  # noqa: ARG002 - read in __init__
        """Run the journey to its end; the outcome."""
        self.now = self._on_time()
        try:
            return await self._live()
        except asyncio.CancelledError:
            # Cancelled from Temporal: the read model, and so the gate and the next enrolment, must know of it.
            self.inbox.put(Control(verb="exit", reason="cancelled in Temporal"))
            await self._advance()
            raise

    async def _live(self) -> str:
        due: Park | None = None
        while True:
            advanced = await self._advance(due)
            due = None
            if isinstance(advanced.next, Finish):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return advanced.next.outcome
            if advanced.long and workflow.all_handlers_finished():
                self._continue_as_new()
            rest = advanced.next if isinstance(advanced.next, Park) else await self._perform(advanced.next, advanced)
            if rest is not None:
                due = await self._rest(rest)

    async def _advance(self, due: Park | None = None) -> Advanced:
        """One wake: take the news, or that the timer of `due` has fired, and go on as far as can be at once."""
        if self.acted:  # at most one act in a task: should the server reject it, there is only one to adopt
            await workflow.sleep(INSTANT, summary="one thing after the other")
        news = self.inbox.take_all()
        looked_at = self.inbox.taken
        advanced: Advanced = await workflow.execute_local_activity(
            "advance",
            Advancing.model_construct(
                enrolment_id=self.journey.enrolment_id,
                lead_id=self.journey.lead_id,
                track=workflow.info().workflow_type,
                facts=self.journal.facts,
                decided=self.journal.decided,
                total=self.total,
                saved=self.saved,
                digest=self.digest,
                compacted=len(self.journey.facts),
                news=news,
                due=due.until if due is not None else None,
                now=self.now,
                woken_at=workflow.now(),
                rescore=due is not None or bool(news),
                long=self._is_long(),
            ),
            result_type=Advanced,
            start_to_close_timeout=timedelta(seconds=30),
            local_retry_threshold=LOCAL_PATIENCE,
            retry_policy=PATIENTLY,
            summary=self.expects if not news else "hear news",
        )
        self._append(*advanced.all_facts)
        for fact in advanced.heard:
            if id_ := getattr(fact, "id", ""):
                self.inbox.skip(id_)
        self.now, self.saved, self.digest = advanced.now, self.total, advanced.digest
        self.expects, self.acted = advanced.expects, advanced.acted is not None
        self.outcome = advanced.acted.outcome if advanced.acted is not None else None
        self.journal = self.journal.after()
        self._stand(advanced.next, advanced.because, advanced.shown)
        self.heard = looked_at
        return advanced

    async def _perform(self, step: AnyStep, advanced: Advanced) -> Park | None:
        """Have the step's own activity carry it out; where the lead rests next, if that was foreseen and came true."""
        if self.inbox:
            return None
        outcome = await self._carry_out(step, advanced)
        if outcome is None:
            return None
        asked_at, self.now = self.now, max(outcome.at, self.now)
        if outcome.until is not None:
            self._append(Deferred(self.now, step.key, outcome.until, outcome.reason))
            return None
        self._append(Done(self.now, step.key, outcome.result, outcome.reason, outcome.value))
        then = advanced.then
        as_foreseen = outcome.result == step.expected and self.now == asked_at
        if then is None or not isinstance(then.next, Park) or isinstance(step, Do) or not as_foreseen:
            return None
        self._append(*then.facts)
        self.journal = self.journal.after()
        self._stand(then.next, then.because, advanced.shown)
        return then.next

    async def _carry_out(self, step: AnyStep, advanced: Advanced) -> StepOutcome | None:
        """Run a step's activity; None if a pause or an exit came while it was still being tried, and called it off."""
        running = begin(step, self.journey, advanced, now=self.now, seq=self.total)
        self.acted = False
        await workflow.wait_condition(lambda: running.done() or self.inbox.halts(advanced.exits))
        halted = not running.done()
        if halted:
            running.cancel()
        try:
            found = await running
        except ActivityError as error:
            if halted:
                return None
            return StepOutcome(at=self._on_time(), result="refused", reason=f"failed: {kind_of(error)}")
        return found if isinstance(found, StepOutcome) else StepOutcome(at=self._on_time(), value=found)

    async def _rest(self, park: Park) -> Park | None:
        """Wait at a park until its moment (the park), or until something in the inbox ends the rest (None)."""
        timer: asyncio.Task[None] | None = None
        if park.until is not None and not self._stirred(park):
            left = self.journey.clock.real_at(park.until) - workflow.now()
            timer = asyncio.create_task(workflow.sleep(max(left, INSTANT), summary=say_park(park)))
        try:
            while not self._stirred(park):
                await workflow.wait_condition(partial(self._called, timer))
                self.acted = False
                if timer is not None and timer.done():
                    return park
                if self._is_long():  # safe to ask: no local activity has run since the wait began
                    return None
        finally:
            if timer is not None:
                timer.cancel()
        return None

    def _called(self, timer: asyncio.Task[None] | None) -> bool:
        # Repeated signals leave nothing in the inbox, and still make the history long.
        return bool(self.inbox) or (timer is not None and timer.done()) or self.inbox.arrived >= MOST_SIGNALS

    def _stirred(self, park: Park) -> bool:
        """Whether something that ends the rest is in the inbox; what ends none is taken into the journal."""
        while self.inbox:
            message = self.inbox.first
            if isinstance(message, Control) or wakes(message, park):
                return True
            self._append(fact_of(message))
            self.inbox.take()
            self.journal = self.journal.after()
        return False

    def _append(self, *facts: AnyFact) -> None:
        if facts:
            self.journal = self.journal.extended(facts)
            self.total += len(facts)

    def _on_time(self) -> datetime:
        """The journey's time if that is about now, else the time it is; never before what was already recorded."""
        return max(self.journey.clock.on_time(self.now, workflow.now()), self.now)

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
        return (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() >= MOST_EVENTS
            or self.inbox.arrived >= MOST_SIGNALS
        )

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
                    "digest": self.digest,
                    "now": self.now,
                    "inbox": self.inbox.waiting,
                    "heard": self.inbox.heard,
                    "shown": self.shown,
                }
            )
        )
