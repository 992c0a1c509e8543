"""The frontier: the first step of a run that the journal has not settled, and how it is settled.

In this order, at such a step:

1. An exit rule that a new behaviour matches ends the journey.
2. A step that an edit put *behind* the lead is recorded as skipped: if the code, run on as though the step had been
   skipped, reaches a step that is in the journal, the lead is past it, and a lead never goes back.
3. A new score at the threshold starts the graduation in place of the step.
4. A pause parks the lead.
5. Otherwise a choice, and a wait that is over, are derived and recorded; a wait that is not over, and a send that the
   gate put off, are where the lead parks; any other step is what comes next.
"""

from __future__ import annotations

from typing import Any

from nurture.errors import PerennialError, TrackError
from nurture.journey.asks import Ask, Choice, Stop, Wait
from nurture.journey.decision import AnyNext, Decision, Finish
from nurture.journey.due import Due
from nurture.journey.facts import (
    AnyFact,
    Chosen,
    Done,
    Exited,
    Finished,
    Graduated,
    Skipped,
    Waited,
)
from nurture.journey.journal import INSIDE
from nurture.journey.lead import NEVER
from nurture.journey.outcomes import Outcome
from nurture.journey.wording import say_reason

MOST_STEPS = 1_000
"""A plan gives up after so many derived steps: such a track never comes to rest."""

MOST_SKIPS = 1_000
"""A look-ahead gives up after so many skipped steps: what is further on is not what the lead has been through."""


class Run(Due):
    """A run of a track over a journal."""

    __slots__ = ("_entered", "_inside")

    async def whole(self) -> None:
        """Run the track from its start; it stops, or raises, and never returns."""
        self._inside = 0  # how many of the settled steps reached were a graduation's
        self._entered = -1  # how many had been reached when the present graduation began
        outcome = await self._track.function(self)
        if not isinstance(outcome, Outcome):
            raise TrackError(f"{self._track.where}: returned {outcome!r}; a track returns an Outcome")
        await self._ended(outcome.name)

    def decided(self, following: AnyNext) -> Decision:
        """The decision of a run that has stopped with this."""
        reasons = (say_reason(self._reason), *[say_reason(note) for note in self._notes])
        return Decision(tuple(self._derived), following, reasons)

    async def _settle(self, ask: Ask) -> Any:
        index = self._steps.get(ask.key)
        while True:
            if index is None:
                found = self._frontier(ask)
            elif index < self._interrupt:
                return self._stand(ask.key, index)
            else:
                found = self._facts[self._interrupt]
            match found:
                case Stop():
                    await found
                case Graduated():
                    await self._graduate(found)
                case Skipped():
                    return found
                case _:
                    self._stand_on_derived(found)
                    return found

    def _stand(self, key: str, index: int) -> AnyFact:
        fact = self._facts[index]
        self._reached += 1
        self._position = max(self._position, index)
        if isinstance(fact, Chosen):
            self._notes.append(fact)
            return fact
        if isinstance(fact, Done):
            self._anchor = key.removeprefix(self._scope)
        self._because_of(fact)
        return fact

    def _stand_on_derived(self, fact: AnyFact) -> None:
        self._position = len(self._facts) + len(self._derived) - 1
        if isinstance(fact, Chosen):
            self._notes.append(fact)
        else:
            self._because_of(fact)

    def _frontier(self, ask: Ask) -> AnyFact | Stop:
        if len(self._derived) > MOST_STEPS:
            raise TrackError(f"{self._track.where}: {MOST_STEPS} steps without one that takes time")
        interrupted = self._exit()
        if interrupted is None:
            interrupted = self._skip_if_behind(ask)
        if interrupted is None:
            interrupted = self._graduation()
        if interrupted is not None:
            return interrupted
        if self._journal.paused:
            return self._stand_still(ask.key)
        match ask:
            case Wait():
                return self._over_or_park(ask)
            case Choice():
                choice = self._variant(ask) if ask.stage is None else self._picked(ask, ask.stage)
                return self._derive(Chosen(self._now, ask.key, choice))
            case _:
                return self._due_or_put_off(ask)

    def _because_of(self, fact: AnyFact) -> None:
        self._reason = fact
        self._notes.clear()

    # What interrupts a lead wherever it stands

    def _exit(self) -> AnyFact | Stop | None:
        journal = self._journal
        if not journal.behaviours or journal.behaviours[-1] < journal.decided:
            return None
        for fact in journal.behaved_from(journal.decided):
            if self._track.exits.matches(fact.name, fact.subject):
                exited = Exited(self._now, say_reason(fact))
                self._derived.append(exited)
                self._because_of(fact)
                return Stop(Finish(outcome_of(exited)))
        return None

    def _graduation(self) -> AnyFact | None:
        if self._interrupt != NEVER:
            return self._facts[self._interrupt]
        journal = self._journal
        if journal.scores[-1] < journal.decided:
            return None
        threshold = self._armed_at()
        if threshold is None:
            return None
        for index in reversed(journal.scores):
            if index < journal.decided or index <= self._offer_seen:
                break
            score = journal.scored(index).score
            if score >= threshold:
                return self._derive(Graduated(self._now, score))
        return None

    async def _graduate(self, graduated: Graduated) -> None:
        """Run the graduation in place of the step asked for; returns if the lead goes on with the track."""
        recorded = self._interrupt != NEVER
        index = self._interrupt if recorded else len(self._facts) + len(self._derived) - 1
        self._graduated += 1
        outer = self._scope, self._anchor, self._counts
        self._scope = f"{INSIDE}/" if self._graduated == 1 else f"{INSIDE}~{self._graduated}/"
        self._anchor, self._counts = "start", {}
        self._interrupt = NEVER
        self._entered = self._reached
        self._position = max(self._position, index)
        self._because_of(graduated)
        outcome = await self._track.on_graduation(self)
        if not isinstance(outcome, Outcome):
            raise TrackError(f"{self._track.where}: its graduation returned {outcome!r}, not an Outcome")
        if not outcome.returns and not self._went_on_from(index):
            await self._ended(outcome.name)
        self._inside += self._reached - self._entered
        self._entered = -1
        self._scope, self._anchor, self._counts = outer
        following = self._journal.graduations[self._graduated :]
        self._interrupt = following[0] if following else NEVER

    def _went_on_from(self, index: int) -> bool:
        """Whether the lead has been outside the graduation since: an edit that ends it there comes too late."""
        if len(self._journal.graduations) > self._graduated:
            return True
        return any(
            at > index and not key.startswith(self._scope) and not isinstance(self._facts[at], Skipped)
            for key, at in self._steps.items()
        )

    async def _ended(self, outcome: str) -> None:
        exited = self._exit()
        if isinstance(exited, Stop):
            await exited
        while isinstance(graduated := self._graduation(), Graduated):
            await self._graduate(graduated)
        if self._journal.paused:
            await self._stand_still("end")
        self._derive(Finished(self._now, outcome))
        await Stop(Finish(outcome))

    # What an edit put behind the lead

    def _skip_if_behind(self, ask: Ask) -> Skipped | None:
        """Skipped, if the lead is past this step; for a wait, as met if so the code reaches more of the lead's past."""
        journal = self._journal
        over = bool(self._scope) and len(journal.graduations) > self._graduated
        unreached = journal.settled - self._reached
        if not self._scope:
            unreached -= journal.inside - self._inside
        if not unreached and not over:
            return None
        choice = self._variant(ask) if isinstance(ask, Choice) and ask.stage is None else None
        reached = self._reached_if_skipped(ask, met=False)
        reached_if_met = self._reached_if_skipped(ask, met=True) if isinstance(ask, Wait) else 0
        if not reached and not reached_if_met and not over:
            return None
        skipped = Skipped(self._now, ask.key, reached_if_met > reached, choice)
        self._derived.append(skipped)
        return skipped

    def _reached_if_skipped(self, ask: Ask, *, met: bool) -> int:
        probe = Probe(self._track, self._journal, self._now, self._catalogue)
        return probe.reaches(ask.key, self._derived, met=met)


class Probe(Run):
    """A run that skips what is not settled, to see whether it reaches something that is."""

    __slots__ = ("_ahead", "_from_inside", "_key", "_mark", "_met", "_skips")

    def reaches(self, key: str, derived: list[AnyFact], *, met: bool) -> int:
        """How many settled steps the code reaches once the step `key` is skipped, after the facts `derived`."""
        self._derived = derived
        self._ahead = {fact.key: fact for fact in derived if isinstance(fact, Waited | Chosen | Skipped)}
        self._key = key
        self._met = met
        self._mark = -1
        self._from_inside = False
        self._skips = 0
        run = self.whole()
        try:
            run.send(None)
        except (StopIteration, PerennialError):
            pass
        except Exception:  # noqa: BLE001, S110 - code that stumbles over what a skipped step lacks goes no further
            pass
        finally:
            run.close()
        return self._count() - self._mark if self._mark >= 0 else 0

    def _count(self) -> int:
        """How many settled steps were reached: of the track's own; from inside a graduation, of any."""
        if self._from_inside:
            return self._reached
        return (self._reached if self._entered < 0 else self._entered) - self._inside

    def _frontier(self, ask: Ask) -> AnyFact | Stop:
        if ask.key in self._ahead:
            return self._ahead[ask.key]
        if ask.key == self._key:
            self._from_inside = bool(self._scope)
            self._mark = self._count()
        elif self._mark < 0 and self._interrupt != NEVER:
            return self._facts[self._interrupt]
        self._skips += 1
        if self._skips > MOST_SKIPS:
            return Stop(None)
        choice = self._variant(ask) if isinstance(ask, Choice) and ask.stage is None else None
        return Skipped(self._now, ask.key, self._met and ask.key == self._key, choice)

    async def _ended(self, outcome: str) -> None:  # noqa: ARG002 - however it would have ended
        await Stop(None)


def outcome_of(end: Exited | Finished) -> str:
    """How a journey that is over ended."""
    return end.outcome if isinstance(end, Finished) else f"exited: {end.reason}"
