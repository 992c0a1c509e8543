"""A lead's life: a virtual clock, the world, and a mind that decides. It records facts as the workflow does.

Two minds live it: the engine under test (`Planned`), and the model that knows the edits (`tests.laws.model`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Literal, Protocol

from tests.laws.engine import (
    AnyFact,
    Behaved,
    Catalogue,
    Decision,
    Deferred,
    Done,
    Enrolled,
    Finish,
    Journal,
    Overridden,
    Park,
    Paused,
    Resumed,
    Scored,
    Track,
    compact,
    hears,
    parse_piece,
    plan,
)
from tests.laws.source import as_track
from tests.laws.tracks import SHELF, Program, Step
from tests.laws.world import START, Happening, World, day, root

_FRONT = "---\nsubject: S\npreheader: P\nstage: {}\nformat: education\norder: {}\n---\nHello.\n"
CATALOGUE = Catalogue(
    {id_: parse_piece(id_, _FRONT.format(stage, n)) for stage, ids in SHELF.items() for n, id_ in enumerate(ids, 1)}
)


@dataclass(frozen=True, slots=True)
class Act:
    """A step to carry out: `send`, `alert`, `hand_off`, `enrol` or `do`, and of what."""

    does: str
    what: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.does} {self.what}"


@dataclass(frozen=True, slots=True)
class Rest:
    """Where a lead rests: until when, for what it listens, the score that graduates it, and why."""

    until: datetime | None
    listens: tuple[str, ...]
    wakes_at_score: int | None
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """The journey is over."""

    outcome: str


When = Literal["at once", "next wake", "in a step"]
"""When an edit reaches a lead."""


class Mind(Protocol):
    """What decides a life."""

    def begin(self, enrolled: Enrolled) -> None:
        """The lead has entered."""

    def hear(self, facts: list[AnyFact], *, decided: bool) -> None:
        """Record facts; `decided` if no decision is to look at them."""

    def decide(self, now: datetime) -> Act | Rest | End:
        """What comes next."""

    def settle(self, act: Act, at: datetime, result: str, value: int | None, until: datetime | None) -> None:
        """Record what became of a step."""

    def edit(self, program: Program) -> None:
        """The track's code is this from now on."""


@dataclass
class Life:
    """One lead's life under one mind. `acts` are what was done, and when; `rests` where it rested."""

    mind: Mind
    world: World
    now: datetime = START
    acts: list[tuple[datetime, str]] = field(default_factory=list)
    ended: str | None = None
    held: bool = False
    resting: Rest | None = None
    _edit_due: Program | None = None
    _queue: list[tuple[float, int, Happening]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _sent: Counter[str] = field(default_factory=Counter)
    _tries: Counter[str] = field(default_factory=Counter)
    _offers: int = 0
    _score: tuple[int, str] = (0, "")

    def __post_init__(self) -> None:
        world = self.world
        for each in world.happenings:
            self._expect(each)
        self._score = (world.score(START), world.stage(START))
        self.mind.begin(Enrolled(START, "L1", "", *self._score, world.traits(), world.seen))

    def live(self, until: float) -> Life:
        """Go on until this day, or until the journey ends. A step under way on that day is carried out."""
        last = day(until)
        while self.ended is None:
            if self.resting is None:
                self._decide()
            elif not self._wake(self.resting, last):
                self.now = max(self.now, last)
                break
        return self

    def edit(self, program: Program, when: When = "at once") -> None:
        """Edit the track, and decide again at once or at the next wake; or edit it while the next step is under way."""
        if when == "in a step":
            self._edit_due = program
            return
        self.mind.edit(program)
        if when == "at once" and self.ended is None:
            self._rescore()
            self._decide()

    def _decide(self) -> None:
        following = self.mind.decide(self.now)
        self.resting = None
        match following:
            case End():
                self.ended = following.outcome
                self.acts.append((self.now, f"end {following.outcome}"))
            case Rest():
                self.resting = following
                self.held = following.why == "held"
            case Act():
                self._carry_out(following)

    def _carry_out(self, act: Act) -> None:
        world, value, until, result = self.world, None, None, "done"
        if act.does == "send":
            piece = root(act.what)
            nth = self._sent[piece] + 1
            self._tries[f"{piece}#{nth}"] += 1
            said = world.judge(piece, nth, self._tries[f"{piece}#{nth}"])
            if isinstance(said, float):
                until, result = self.now + timedelta(days=said), "deferred"
            else:
                result = said
                self._sent[piece] += 1
                if said == "sent":
                    for after in world.clicked(piece, nth):
                        self._expect(Happening(self._day() + after, "email.clicked", act.what))
        elif act.does == "do":
            value = world.answer(act.what)
        elif act.does == "hand_off":
            answer = world.sales[self._offers % len(world.sales)] if world.sales else None
            self._offers += 1
            if answer is not None:
                self._expect(Happening(self._day() + answer[0], answer[1]))
        if result != "deferred":
            self.acts.append((self.now, f"{act} refused" if result == "refused" else str(act)))
        if self._edit_due is not None:
            self.mind.edit(self._edit_due)
            self._edit_due = None
        self.mind.settle(act, self.now, result, value, until)

    def _day(self) -> float:
        return (self.now - START) / timedelta(days=1)

    def _expect(self, happening: Happening) -> None:
        heappush(self._queue, (happening.heard, next(self._order), happening))

    def _wake(self, rest: Rest, last: datetime) -> bool:
        """Rest until something calls for a decision, and prepare it; False if nothing does by `last`."""
        end = rest.until if rest.until is not None and rest.until <= last else None
        while self._queue and day(self._queue[0][0]) <= (end or last):
            _, _, happening = heappop(self._queue)
            at = max(self.now, day(happening.heard))
            fact = self._fact(happening, at)
            if fact is None:
                continue
            calls = not isinstance(fact, Behaved) or hears(rest.listens, fact.name, fact.subject)
            scored = rest.wakes_at_score is not None and self.world.score(at) >= rest.wakes_at_score
            if not calls and not scored:
                self.mind.hear([fact], decided=True)
                continue
            self.now = at
            self.mind.hear([fact], decided=False)
            self._rescore()
            self.resting = None
            return True
        if end is None:
            return False
        self.now = max(self.now, end)
        self._rescore()
        self.resting = None
        return True

    def _fact(self, happening: Happening, at: datetime) -> AnyFact | None:
        match happening.does:
            case "pause":
                return Paused(at)
            case "resume":
                return Resumed(at)
            case "override":  # refused unless there is a wait to end
                return Overridden(at) if self.resting is not None and self.resting.why == "wait" else None
            case name:
                when = max(START, day(happening.heard - happening.late))
                return Behaved(when, f"b{next(self._order)}", name, happening.subject)

    def _rescore(self) -> None:
        score = (self.world.score(self.now), self.world.stage(self.now))
        if score != self._score:
            self._score = score
            self.mind.hear([Scored(self.now, *score)], decided=False)


class BrokenLawError(AssertionError):
    """A law of `plan` does not hold: which, and where."""


class Planned:
    """The engine under test decides.

    `compacts` is the share of decisions after which the journal is compacted; `watched`, each decision is held to the
    laws of one plan: planning again what plan produced changes nothing, compaction changes no plan, nothing follows an
    end. `other` is code that takes turns with the present one, as while a deploy rolls.
    """

    def __init__(self, program: Program, *, compacts: float = 0.0, seed: int = 0, watched: bool = False) -> None:
        self.track = as_track(program)
        self.other: Track | None = None
        self.compacts = compacts
        self.chance = Random(seed)
        self.watched = watched
        self.journal = Journal()

    def begin(self, enrolled: Enrolled) -> None:
        """The lead has entered."""
        self.journal = Journal([enrolled])

    def hear(self, facts: list[AnyFact], *, decided: bool) -> None:
        """Record facts."""
        self.journal = self.journal.after(facts) if decided else self.journal.extended(facts)

    def decide(self, now: datetime) -> Act | Rest | End:
        """Plan, and record what was derived."""
        track = self.track if self.other is None else self.chance.choice((self.track, self.other))
        decision = plan(track, self.journal, now, CATALOGUE)
        if self.watched:
            self._watch(track, decision, now)
        self.journal = self.journal.after(decision.facts)
        if self.compacts and self.chance.random() < self.compacts:
            self.journal = compact(self.journal)
        following = decision.next
        if isinstance(following, Finish):
            return End(following.outcome.partition(":")[0])
        if isinstance(following, Park):
            return Rest(following.until, following.listens, following.wakes_at_score, following.why)
        what = {"send": "piece", "alert": "text", "hand_off": "to", "enrol": "track", "do": "activity"}[following.kind]
        return Act(following.kind, getattr(following, what), following.key)

    def settle(self, act: Act, at: datetime, result: str, value: int | None, until: datetime | None) -> None:
        """Record what became of a step."""
        if until is not None:
            self.journal = self.journal.extended([Deferred(at, act.key, until, "caps")])
            return
        said = "sent" if result == "sent" else result
        reason = "no consent" if result == "refused" else ""
        self.journal = self.journal.extended([Done(at, act.key, said, reason, value)])

    def edit(self, program: Program) -> None:
        """The track's code is this from now on."""
        self.track = as_track(program)

    def _watch(self, track: Track, decision: Decision, now: datetime) -> None:
        slim = plan(track, compact(self.journal), now, CATALOGUE)
        if slim != decision:
            raise BrokenLawError(f"compaction changed a plan: {slim} is not {decision}")
        after = self.journal.after(decision.facts)
        again = plan(track, after, now, CATALOGUE)
        if (again.facts, again.next) != ((), decision.next):
            raise BrokenLawError(f"planning again changed {decision} to {again}")
        if isinstance(decision.next, Finish):
            later = after.extended([Behaved(now, "late", "page.viewed", "/late"), Scored(now, 99, "consideration")])
            over = plan(track, later, now + timedelta(days=100), CATALOGUE)
            if (over.facts, over.next) != ((), decision.next):
                raise BrokenLawError(f"after its end {decision.next} a journey went on: {over}")


@lru_cache(maxsize=1024)
def variant_of(experiment: str) -> str:
    """The variant that the lead gets of an experiment: the engine's to choose, by a hash."""
    met = Planned(Program((Step(1, "choose", experiment, "variant"),), ()))
    Life(met, World(0)).live(0)
    return next(str(fact.choice) for fact in met.journal if fact.kind == "chosen")
