"""One lead's life on a track, in memory: decide, carry out, rest, hear, with the world plugged in.

The loop of `workflows.journey` and the activities, under a clock that jumps: a decision's facts are recorded with it, a
behaviour that ends no rest is recorded without one, and the score is taken again whenever a rest ends. Whatever plays a
track stands on it: rehearsal, try-out, simulation, what-if, benchmarks, tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from nurture.content.catalogue import Catalogue
from nurture.journey.decision import AnyNext, AnyStep, Decision, Finish, Park
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Belongs,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Overridden,
    Paused,
    Released,
    Resumed,
    Scored,
)
from nurture.journey.journal import Journal
from nurture.journey.patterns import hears
from nurture.journey.plan import NO_CONTENT, plan
from nurture.journey.track import Track

Event = Behaved | Scored | Paused | Resumed | Overridden | Released | Exited
"""What the world, or a person at the controls, adds to a journal."""

Decide = Callable[[Track, Journal, datetime, Catalogue], Decision]
"""What takes a decision: `plan`, or something that watches it."""


class World(Protocol):
    """What the journal cannot know: what becomes of a step, what happens next, and the score."""

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred | Event:
        """Carry out a step: done, refused or put off; or the event that came first, after which it is asked again."""

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:
        """Take the next event of a rest at `park`, from `now` up to `by` (None: however late), or None.

        Each event is given once, in order. One that is heard late may have happened before `now`.
        """

    def score(self, now: datetime) -> Scored | None:
        """The score as of a moment; None if there is nothing to score by."""


class QuietWorld:
    """A world in which every step succeeds at once and nothing else happens. A base for worlds that differ in part."""

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred | Event:
        """Success."""
        return succeeded(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:  # noqa: ARG002 - the protocol's
        """Silence."""
        return None

    def score(self, now: datetime) -> Scored | None:  # noqa: ARG002 - the protocol's
        """The score stays."""
        return None


def succeeded(step: AnyStep, at: datetime, value: object = None) -> Done:
    """The step had its effect; `value` is what an engineer's own activity returned."""
    return Done(at, step.key, step.expected, value=value)


def refused(step: AnyStep, at: datetime, reason: str = "") -> Done:
    """The step was refused for good."""
    return Done(at, step.key, "refused", reason)


def failed(step: AnyStep, at: datetime, error: str) -> Done:
    """The step's activity gave up with this kind of error."""
    return refused(step, at, f"failed: {error}")


def put_off(step: AnyStep, at: datetime, until: datetime, reason: str) -> Deferred:
    """The step is to be done later."""
    return Deferred(at, step.key, until, reason)


class Turn(NamedTuple):
    """One decision of a life: the journal and the moment that it was taken over, and what it was."""

    journal: Journal
    at: datetime
    decision: Decision


class Life:
    """One lead on one track: its journal and the time it is for it, lived on by `turns()` or step by step.

    Between two turns its driver may `record` or `note` what else happens. The journal given may be of any length: a new
    journey's holds `Enrolled` alone. `now` is the moment to go on from, by default the journal's last; `decide` takes
    the decisions, `plan` by default; `belonging` finds out before each which segments the lead is in.
    """

    def __init__(
        self,
        track: Track,
        journal: Journal,
        world: World | None = None,
        now: datetime | None = None,
        catalogue: Catalogue = NO_CONTENT,
        *,
        decide: Decide = plan,
        belonging: Callable[[Journal, datetime], Belongs | None] = lambda _journal, _now: None,
    ) -> None:
        self.track = track
        self.journal = journal
        self.world: World = world or QuietWorld()
        self.now = now or journal.last_at
        self.catalogue = catalogue
        self.decision: Decision | None = None
        self._decide = decide
        self._belonging = belonging
        self._due = True  # a decision is due: something was recorded since the last

    @property
    def next(self) -> AnyNext | None:
        """What the last decision said comes next; None before the first."""
        return self.decision.next if self.decision is not None else None

    def turns(self, until: datetime | None = None) -> Iterator[Turn]:
        """Live on, decision by decision, to the journey's end or until this moment.

        Without `until`, on to a rest that nothing ends. A step is carried out when the next turn is asked for. Raises
        TrackError if the track's code breaks.
        """
        while self._due or self._rest(until):
            yield self.decide()
            if not isinstance(self.next, Park | Finish | None):
                self.carry_out(self.next)

    def live(self, until: datetime | None = None) -> None:
        """Live on as `turns()` does, and let time pass up to `until`."""
        for _ in self.turns(until):
            pass
        if until is not None:
            self.advance(until)

    def advance(self, to: datetime) -> None:
        """Let time pass up to a moment, in which nothing happens."""
        if to > self.now:  # noqa: PLR1730 - a call to max costs more, and every fact comes through here
            self.now = to

    def decide(self) -> Turn:
        """Take one decision and record what it derived."""
        if (told := self._belonging(self.journal, self.now)) is not None:
            self.journal = self.journal.extended([told])
        turn = Turn(self.journal, self.now, self._decide(self.track, self.journal, self.now, self.catalogue))
        self.decision = turn.decision
        self.journal = self.journal.after(turn.decision.facts)
        self._due = not isinstance(turn.decision.next, Park | Finish)
        return turn

    def carry_out(self, step: AnyStep) -> None:
        """Have the world answer a step, and record that."""
        self.record(self.world.answer(step, self.now))

    def record(self, *facts: AnyFact) -> None:
        """Append facts that call for a decision; time goes on to the latest of them."""
        if facts:
            self.journal = self.journal.extended(facts)
        for fact in facts:
            self.advance(fact.at)
        self._due = True

    def note(self, *facts: AnyFact) -> None:
        """Append facts that end no rest: no rule that interrupts looks at them again."""
        if facts:
            self.journal = self.journal.after(facts)
            for fact in facts:
                self.advance(fact.at)

    def hear(self, event: Event) -> None:
        """Take in an event: recorded if it ends the present rest, else noted; ignored after the journey's end."""
        match self.next:
            case Finish() if not self._due:
                pass
            case Park() as park if not self._due and not self._ends_rest(event, park):
                self.note(event)
            case _:
                self._record_news(event)

    def _rest(self, until: datetime | None) -> bool:
        """Let time pass where the lead rests; whether something ended the rest by `until`."""
        park = self.next
        if not isinstance(park, Park):
            return False
        end = until if park.until is None else park.until if until is None else min(park.until, until)
        unheard: list[Event] = []
        while (event := self.world.next_event(park, self.now, end)) is not None:
            if self._ends_rest(event, park):
                self.note(*unheard)
                self._record_news(event)
                return True
            unheard.append(event)
        self.note(*unheard)
        if park.until is None or end != park.until:
            return False
        self.advance(park.until)
        self._record_news()
        return True

    def _ends_rest(self, event: Event, park: Park) -> bool:
        if not isinstance(event, Behaved) or hears(park.listens, event.name, event.subject):
            return True
        if park.wakes_at_score is None:
            return False
        score = self.world.score(max(self.now, event.at))
        return score is not None and score.score >= park.wakes_at_score

    def _record_news(self, *events: Event) -> None:
        """Record what ended a rest, and the score if it has changed: it is taken again before such a decision."""
        for event in events:
            self.advance(event.at)
        score = self.world.score(self.now)
        if score is None:
            self.record(*events)
            return
        last = self.journal.facts[self.journal.scores[-1]]
        assert isinstance(last, Scored | Enrolled)
        changed = (score.score, score.stage) != (last.score, last.stage)
        self.record(*events, *((score,) if changed else ()))
