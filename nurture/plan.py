"""plan: what comes next for a lead, and because of what. Pure and deterministic.

The track's function is run over the journal. At the first step that is not settled there:

1. An exit rule that a new behaviour matches ends the journey; a pause parks it; a new score at the threshold starts
   the graduation in place of the step.
2. A step that an edit put *behind* the lead is recorded as skipped: if the code, run on as though the step had been
   skipped, reaches a step that is in the journal, the lead is past it, and a lead never goes back.
3. Otherwise a wait that is over, and a choice, are derived and recorded; a step is what comes next; a wait that is not
   over is where the lead parks.
"""

from __future__ import annotations

import traceback
from collections.abc import Coroutine
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from nurture.content import Catalogue
from nurture.decision import Decision, Finish, Park
from nurture.errors import PerennialError, TrackError
from nurture.explain import say_reason
from nurture.facts import (
    AnyFact,
    Behaved,
    Chosen,
    Done,
    Enrolled,
    Exited,
    Finished,
    Graduated,
    Scored,
    Skipped,
    Waited,
)
from nurture.journal import Journal
from nurture.lead import NEVER, Ask, Choice, Lead, Stop, Wait
from nurture.track import Outcome, Track

NO_CONTENT = Catalogue({})
MOST_STEPS = 10_000
"""A look-ahead, and a plan, give up after so many steps: such a track never comes to rest."""

TOLERANCE = timedelta(seconds=2)
"""Event times come in whole seconds, from clocks that are not ours: so much earlier is not before a wait began."""


def plan(track: Track, journal: Journal, now: datetime, catalogue: Catalogue = NO_CONTENT) -> Decision:
    """What comes next for a lead with this journal at `now` (aware, UTC).

    Raises TrackError, naming the line, if the track's code raises, or awaits anything but a step of the lead.
    """
    end = journal.end
    if end is not None:
        return Decision((), Finish(_outcome_of(end)), (say_reason(end),))
    run = _Run(track, journal, now, catalogue)
    stop = _drive(track, run)
    if stop is None:
        raise TrackError(f"{track.where}: the track ended without saying how")
    return Decision(tuple(run._derived), stop, tuple(say_reason(note) for note in run._because))


def look_ahead(
    track: Track, journal: Journal, decision: Decision, now: datetime, catalogue: Catalogue = NO_CONTENT
) -> Decision:
    """The decision, with `then`: where the lead parks once its next step has succeeded at `now`, if it parks."""
    step = decision.next
    if isinstance(step, Park | Finish):
        return decision
    done = Done(at=now, key=step.key, result=step.expected)
    after = plan(track, journal.after(decision.facts).after([done]), now, catalogue)
    if not isinstance(after.next, Park):
        return decision
    return Decision(decision.facts, decision.next, decision.because, after)


def _drive(track: Track, run: _Run) -> Any:
    """Run the track over the journal up to its Stop; what that says comes next."""
    coroutine = run._whole()
    try:
        found = coroutine.send(None)
        if isinstance(found, Stop):
            return found.next
        raise TrackError(f"{_line_of(coroutine, track)}: awaits {found!r}, which is no step of the lead")
    except StopIteration:
        return None
    except PerennialError:
        raise
    except Exception as error:
        raise TrackError(f"{_line_of_error(error, track)}: {type(error).__name__}: {error}") from error
    finally:
        coroutine.close()


class _Run(Lead):
    """A run of a track over a journal."""

    async def _whole(self) -> None:
        outcome = await self._track.function(self)
        if not isinstance(outcome, Outcome):
            raise TrackError(f"{self._track.where}: returned {outcome!r}; a track returns an Outcome")  # noqa: TRY004
        if self._interrupt != NEVER:
            await self._graduate_where_it_was(NEVER)
        await self._ended(outcome.name)

    async def _ended(self, outcome: str) -> None:
        exited = self._exit()
        if exited is not None:
            await exited
        self._derived.append(Finished(self._now, outcome))
        await Stop(Finish(outcome))

    def _frontier(self, ask: Ask) -> AnyFact | Stop:
        if len(self._derived) > MOST_STEPS:
            raise TrackError(f"{self._track.where}: {MOST_STEPS} steps without one that takes time")
        exited = self._exit()
        if exited is not None:
            return exited
        if self._journal.paused:
            return self._park(ask.key, None, None, "paused")
        if isinstance(ask, Choice) and ask.stage is None:
            return self._derive(self._variant(ask))
        graduated = self._graduation_due()
        if graduated is not None:
            return self._derive(graduated)
        skipped = self._skip_if_behind(ask)
        if skipped is not None:
            return self._derive(skipped)
        if isinstance(ask, Choice):
            return self._derive(self._picked(ask))
        if isinstance(ask, Wait):
            return self._over_or_park(ask)
        deferred = self._journal.deferred.get(ask.key)
        if deferred is not None and self._now < deferred.until:
            self._because.append(deferred)
            return self._park(ask.key, deferred.until, None, "deferred")
        return Stop(ask)

    def _derive(self, fact: AnyFact) -> AnyFact:
        self._derived.append(fact)
        return fact

    def _exit(self) -> Stop | None:
        for index in reversed(self._journal.behaviours):
            if index < self._journal.decided:
                break
            fact = self._facts[index]
            assert isinstance(fact, Behaved)
            if self._track.exits.matches(fact.name, fact.subject):
                reason = say_reason(fact)
                self._derived.append(Exited(self._now, reason))
                self._because = [fact]
                return Stop(Finish(_outcome_of(Exited(self._now, reason))))
        return None

    def _graduation_due(self) -> Graduated | None:
        threshold = self._armed_at()
        if threshold is None:
            return None
        for index in reversed(self._journal.scores):
            if index < self._journal.decided:
                break
            fact = self._facts[index]
            assert isinstance(fact, Scored | Enrolled)
            if fact.score >= threshold:
                return Graduated(self._now, fact.score)
        return None

    def _armed_at(self) -> int | None:
        """The score that would graduate the lead now: none inside a graduation, nor until a score has fallen below
        the threshold again after one."""
        threshold = self._track.graduates_at
        if threshold is None or self._scope:
            return None
        if self._derived and any(isinstance(fact, Graduated) for fact in self._derived):
            return None
        if not self._graduations:
            return threshold
        for index in reversed(self._journal.scores):
            if index < self._graduations[-1]:
                return None
            if self._facts[index].score < threshold:  # type: ignore[union-attr]
                return threshold
        return None

    def _skip_if_behind(self, ask: Ask) -> Skipped | None:
        """Skipped, if the lead is past this step; for a wait, as met if only so the code reaches the lead's past."""
        if self._journal.latest <= self._position:
            return None
        for met in (False, True) if isinstance(ask, Wait) else (False,):
            probe = _Probe(self._track, self._journal, self._now, self._catalogue)
            probe._assume(self._derived, ask.key, met=met)
            _drive(self._track, probe)
            if probe._reached:
                return Skipped(self._now, ask.key, met)
        return None

    def _over_or_park(self, wait: Wait) -> AnyFact | Stop:
        start, since = self._wait_start()
        until = self._deadline(wait, start)
        if self._journal.overridden > since and not self._derived_progress():
            return self._derive(Waited(self._now, wait.key, "override"))
        if wait.until is not None:
            for index in self._journal.behaviours:
                if index <= since:
                    continue
                fact = self._facts[index]
                assert isinstance(fact, Behaved)
                in_time = fact.at >= start - TOLERANCE and (until is None or fact.at <= until)
                if in_time and self._matches(wait.until, fact):
                    return self._derive(Waited(self._now, wait.key, "behaviour", fact.name, fact.subject))
        if until is not None and self._now >= until:
            return self._derive(Waited(self._now, wait.key, "time", *_missed(wait.until)))
        return self._park(wait.key, until, wait, "wait")

    def _derived_progress(self) -> bool:
        return any(isinstance(fact, Waited | Graduated) for fact in self._derived)

    def _wait_start(self) -> tuple[datetime, int]:
        for offset in range(len(self._derived) - 1, -1, -1):
            if isinstance(self._derived[offset], Waited | Graduated):
                return self._derived[offset].at, len(self._facts) + offset
        return self._facts[self._journal.progress].at, self._journal.progress

    def _deadline(self, wait: Wait, start: datetime) -> datetime | None:
        if wait.end is not None:
            return wait.end
        if wait.length is None:
            return None
        return start + wait.length + self._journal.stood_still(start, self._now)

    def _park(self, key: str, until: datetime | None, wait: Wait | None, why: Any) -> Stop:
        listens = self._track.exits.patterns
        if wait is not None and wait.until is not None:
            listens = wait.until.patterns + listens
        score = None if self._journal.paused else self._armed_at()
        return Stop(Park(key, until, listens, score, why))

    def _variant(self, choice: Choice) -> Chosen:
        digest = sha256(f"{choice.key}/{self._journal.enrolled.lead}".encode()).digest()
        share = int.from_bytes(digest[:8], "big")
        return Chosen(self._now, choice.key, choice.variants[share % len(choice.variants)])

    def _picked(self, choice: Choice) -> Chosen:
        assert choice.stage is not None
        had = set(self._journal.enrolled.seen)
        for key, index in self._steps.items():
            verb, _, subject = key.rpartition("/")[2].partition(":")
            if verb == "send":
                had.add(subject.partition("~")[0])
            elif verb == "next_piece":
                fact = self._facts[index]
                had.add((isinstance(fact, Chosen) and fact.choice) or "")
        picked = self._catalogue.pick(choice.stage, traits=self._traits, seen=had, formats=choice.formats)
        return Chosen(self._now, choice.key, picked)


class _Probe(_Run):
    """A run that skips what is not settled, to see whether it reaches something that is."""

    _reached = False
    _skips = 0

    def _assume(self, derived: list[AnyFact], key: str, *, met: bool) -> None:
        """Take the facts derived so far as settled, and this step as skipped."""
        self._ahead = {fact.key: fact for fact in derived if isinstance(fact, Waited | Chosen | Skipped)}
        self._asked = key
        self._frontier_met = met
        self._passed = False

    def _frontier(self, ask: Ask) -> AnyFact | Stop:
        if ask.key in self._ahead:
            return self._ahead[ask.key]
        self._skips += 1
        if self._skips > MOST_STEPS:
            return Stop(None)
        if isinstance(ask, Choice) and ask.stage is None:
            return self._variant(ask)
        met = ask.key == self._asked and self._frontier_met
        self._passed = self._passed or ask.key == self._asked
        return Skipped(self._now, ask.key, met)

    def _reach(self, fact: AnyFact, index: int, *, keep: bool = False) -> None:
        if self._passed and index != NEVER:
            self._reached = True
        super()._reach(fact, index, keep=keep)

    async def _ended(self, outcome: str) -> None:
        await Stop(None)


def _missed(until: Any) -> tuple[str, str]:
    """What a wait that ended by time was waiting for, to be said later; only its first pattern fits a fact."""
    if until is None:
        return "", ""
    name, _, glob = until.patterns[0].partition(":")
    return name, glob


def _outcome_of(end: Exited | Finished) -> str:
    return end.outcome if isinstance(end, Finished) else f"exited: {end.reason}"


def _line_of(coroutine: Coroutine[Any, Any, Any], track: Track) -> str:
    where, inner = track.where, coroutine
    while inner is not None and getattr(inner, "cr_frame", None) is not None:
        frame = inner.cr_frame
        if frame.f_code.co_filename == track.file:
            where = f"{track.file}:{frame.f_lineno}"
        inner = inner.cr_await
    return where


def _line_of_error(error: BaseException, track: Track) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == track.file]
    return f"{track.file}:{lines[-1]}" if lines else track.where

