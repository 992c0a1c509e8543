"""The canonical journey written by hand on the bare SDK, twice: as it comes, and with care.

Both follow the timetable, and both send through the project's own `send` activity, so that gate, ledger and mailbox
cost the same. Neither has what a track has: no decisions kept, no journal, no edits, no controls, no details in the UI.
"""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from benchmarks.canonical import Leg, timetable
    from models.messages import Behaviour, StepOrder, StepOutcome
    from nurture.journey.decision import Park, Send
    from nurture.journey.patterns import hears
    from nurture.people.scoring import DEFAULT_MODEL, ScoreLine
    from nurture.timing.clock import Clock

RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))


class HandJourney(BaseModel):
    """Input of both: whose journey, since when, on which clock."""

    enrolment_id: str
    lead_id: str
    at: datetime
    clock: Clock


class Recording(BaseModel):
    """Input of `record` and `rescore`."""

    enrolment_id: str
    lead_id: str
    at: datetime
    seq: int = 0
    then: Park | None = None


@workflow.defn(name="naive")
class Naive:
    """Every step an activity, a rescore activity for each signal, and the timer armed again after each signal."""

    def __init__(self) -> None:
        self.inbox: deque[Behaviour] = deque()
        self.seq = 1

    @workflow.run
    async def run(self, journey: HandJourney) -> str:
        """Run to the end."""
        now = journey.at
        legs = timetable()
        for number, leg in enumerate(legs):
            now = await self._wait(journey, leg, now + leg.length)
            if leg.piece is None:
                break
            then = _park(legs[number + 1], now)
            order = _order(journey, leg, now, self.seq, None)
            outcome = await _act("send", order, StepOutcome)
            recording = Recording(
                enrolment_id=journey.enrolment_id, lead_id=journey.lead_id, at=outcome.at, seq=self.seq + 1, then=then
            )
            await _act("record", recording)
            self.seq += 2
        return "nurtured"

    async def _wait(self, journey: HandJourney, leg: Leg, until: datetime) -> datetime:
        while True:
            left = journey.clock.real_at(until) - workflow.now()
            if left <= timedelta(0):
                return until
            try:
                await workflow.wait_condition(lambda: bool(self.inbox), timeout=left)
            except TimeoutError:
                return until
            while self.inbox:
                behaviour = self.inbox.popleft()
                recording = Recording(
                    enrolment_id=journey.enrolment_id, lead_id=journey.lead_id, at=behaviour.at, seq=self.seq
                )
                await _act("rescore", recording)
                if hears(leg.listens, behaviour.name, behaviour.subject):
                    return behaviour.at

    @workflow.signal
    def behaviour(self, behaviour: Behaviour) -> None:
        """The lead did something."""
        self.inbox.append(behaviour)


@workflow.defn(name="optimised")
class Optimised:
    """The score kept in the workflow, one activity that sends and records, one timer a wait."""

    def __init__(self) -> None:
        self.inbox: deque[Behaviour] = deque()
        self.heard: set[str] = set()
        self.entries: list[ScoreLine] = []
        self.score = 0
        self.seq = 1

    @workflow.run
    async def run(self, journey: HandJourney) -> str:
        """Run to the end."""
        now = journey.at
        legs = timetable()
        for number, leg in enumerate(legs):
            now = await self._wait(journey, leg, now + leg.length)
            if leg.piece is None:
                break
            then = _park(legs[number + 1], now)
            outcome = await _act("send", _order(journey, leg, now, self.seq, then), StepOutcome)
            now = max(now, outcome.at)
            self.seq += 1
        return "nurtured"

    async def _wait(self, journey: HandJourney, leg: Leg, until: datetime) -> datetime:
        left = journey.clock.real_at(until) - workflow.now()
        if left <= timedelta(0):
            return until
        timer = asyncio.create_task(workflow.sleep(left))
        try:
            while not timer.done():
                await workflow.wait_condition(lambda: bool(self.inbox) or timer.done())
                while self.inbox:
                    behaviour = self.inbox.popleft()
                    if hears(leg.listens, behaviour.name, behaviour.subject):
                        return behaviour.at
            return until
        finally:
            timer.cancel()

    @workflow.signal
    def behaviour(self, behaviour: Behaviour) -> None:
        """The lead did something: scored at once, here."""
        if behaviour.id in self.heard:
            return
        self.heard.add(behaviour.id)
        self.entries += DEFAULT_MODEL.engagement_entries(behaviour.id, behaviour.name, behaviour.subject, behaviour.at)
        self.score = DEFAULT_MODEL.score(self.entries, behaviour.at).total
        self.inbox.append(behaviour)


@workflow.defn(name="tuned")
class Tuned(Optimised):
    """The optimised version, whose worker is tuned as ours is: uvloop, and no unset fields in payloads."""

    @workflow.init
    def __init__(self, journey: HandJourney) -> None:  # noqa: ARG002 - the SDK's signature
        super().__init__()

    @workflow.run
    async def run(self, journey: HandJourney) -> str:
        """Run to the end."""
        return await super().run(journey)


def _order(journey: HandJourney, leg: Leg, now: datetime, seq: int, then: Park | None) -> StepOrder:
    assert leg.key is not None
    assert leg.piece is not None
    return StepOrder(
        enrolment_id=journey.enrolment_id,
        lead_id=journey.lead_id,
        track="canonical",
        step=Send(leg.key, leg.piece),
        now=now,
        seq=seq,
        then=then,
    )


def _park(leg: Leg, now: datetime) -> Park:
    return Park(f"wait-{leg.start.days}", now + leg.length)


async def _act(name: str, argument: BaseModel, answer: type[Any] | None = None) -> Any:
    return await workflow.execute_activity(
        name, argument, result_type=answer, start_to_close_timeout=timedelta(minutes=1), retry_policy=RETRIES
    )
