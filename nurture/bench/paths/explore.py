"""Explore every path of a track: run its code over each life that can differ, the shortest first.

A life is a journal, so each can be rehearsed. Where a life stands, every move is tried; what the code then asks of the
lead (`score < 20`, `industry == finance`, whether it clicked) is answered the other way too, by a life in which it is
so. Two lives that stand at the same line with the same variables, and of which the code can read the same from there
on, are one place: so loops close, and the exploration ends.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.bench.forks import LOW
from nurture.bench.paths.alike import Asked, state_of
from nurture.bench.paths.graph import Graph, Line, Move, Place
from nurture.bench.paths.hearing import Hearer, Question
from nurture.bench.paths.moves import did_before, moves_from
from nurture.bench.tryout import START
from nurture.content.catalogue import Catalogue
from nurture.errors import PerennialError, TrackError
from nurture.journey.calls import Stop
from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.driving import drive
from nurture.journey.explaining.state import state_without_times
from nurture.journey.facts import AnyFact, Behaved, Enrolled, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.run import Run
from nurture.journey.settle import AssignedLead
from nurture.journey.track import Track
from nurture.journey.wording import say_reason
from nurture.people.scoring import stage_of

MOST = 100_000
"""How many decisions an exploration takes before it is given up; real tracks need some thousands."""

A_FEW = 500
"""How many decisions tell most of what the code asks."""

MOST_STARTS = 200
"""How many combinations of traits and variants are explored."""

Traits = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Start:
    """What a life begins with: the traits that the code asked for, and the variants of its experiments."""

    traits: Traits = ()
    chooses: Traits = ()

    def journal(self, score: int) -> Journal:
        """A journal that begins so."""
        lead = AssignedLead("L1", dict(self.chooses))
        return Journal([Enrolled(START, lead, "", score, stage_of(score), dict(self.traits))])


@dataclass(slots=True)
class _Run:
    """What one run of the code came to."""

    next: AnyNext
    facts: tuple[AnyFact, ...]
    because: tuple[str, ...]
    state: Any
    heard: Hearer


@dataclass(slots=True)
class Life:
    """A life on its way: the start, what is turned round, whether the lead did something or reached a score."""

    start: Start
    turned: frozenset[Question] = frozenset()
    showed: bool = False


def explore(track: Track, catalogue: Catalogue, most: int = MOST) -> Graph:
    """The graph of a track. What raises on the way is in its `errors`, with the journal that did it."""
    asked = _Explorer(track, catalogue, min(most, A_FEW), {}).explored_for_what_is_asked()
    while True:
        explorer = _Explorer(track, catalogue, most, dict(asked))
        graph = explorer.explored()
        if explorer.asked == asked or not graph.whole:
            return graph
        asked = explorer.asked  # what the code reads decides which lives are alike: again, with that known


@dataclass
class _Explorer:
    track: Track
    catalogue: Catalogue
    most: int
    known: Asked
    graph: Graph = field(default_factory=Graph)
    asked: Asked = field(default_factory=dict)
    _numbers: dict[Any, int] = field(default_factory=dict)
    _lives: list[Life] = field(default_factory=list)
    _starts: dict[Start, None] = field(default_factory=dict)
    _queue: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.asked = dict(self.known)
        graduation = inspect.getsourcefile(self.track.on_graduation) or self.track.file
        self._files = frozenset({self.track.file, graduation})

    def explored(self) -> Graph:
        """Explore until nothing is new, or too many decisions were taken."""
        self._starts[Start()] = None
        for start in self._starts_in_turn():
            self._come(Life(start), None, Move("start", (), START), start.journal(LOW))
            while self._queue:
                number = self._queue.popleft()
                if self.graph.decisions >= self.most:
                    self.graph.whole = False
                    return self.graph
                place = self.graph.places[number]
                for move in moves_from(place, self.track):
                    self._come(self._lives[number], place, move, place.journal)
        return self.graph

    def explored_for_what_is_asked(self) -> Asked:
        """Explore; what the code asked whether the lead did, and within how long at most."""
        self.explored()
        return self.asked

    def _starts_in_turn(self) -> Iterator[Start]:
        done: set[Start] = set()
        while left := [each for each in self._starts if each not in done]:
            if len(done) >= MOST_STARTS:
                self.graph.whole = False
                return
            done.add(left[0])
            yield left[0]

    def _come(self, life: Life, place: Place | None, move: Move, journal: Journal) -> None:
        """Come to the places that a move leads to: one for each way that what is asked then can be answered."""
        left = self._scores_after(place, move)
        tried: set[tuple[str, frozenset[Question]]] = set()  # facts may hold what has no hash
        for score in self._in_turn(left, journal, move):
            todo = [(replace_score(move, journal, score), life.turned)]
            while todo:
                moved, turned = todo.pop()
                if (repr(moved.facts), turned) in tried:
                    continue
                tried.add((repr(moved.facts), turned))
                before = journal if place is not None else life.start.journal(score)
                found = self._take(life, place, moved, before, turned)
                if found is None:
                    left.discard(score)
                    continue
                since = len(before) if place is not None else 0
                left -= found.heard.alike(score, since)
                todo += self._otherwise(place, moved, turned, found.heard, since)
            left.discard(score)

    def _scores_after(self, place: Place | None, move: Move) -> set[int]:
        if move.kind == "graduation":
            return {fact.score for fact in move.facts if isinstance(fact, Scored)}
        armed = self.track.graduates_at
        if place is None or armed is None:
            return set(range(101))
        return set(range(armed))

    def _in_turn(self, left: set[int], journal: Journal, move: Move) -> Iterator[int]:
        """The score as it is, then one of each kind that is left."""
        graduated = next((fact.score for fact in move.facts if isinstance(fact, Scored)), None)
        now = journal.scored(len(journal) - 1).score if graduated is None else graduated
        yield now
        while left:
            yield min(left)

    def _otherwise(
        self, place: Place | None, move: Move, turned: frozenset[Question], heard: Hearer, since: int
    ) -> Iterator[tuple[Move, frozenset[Question]]]:
        """The same move with another answer to what was asked after it."""
        for question in heard.asked:
            if question[0] >= since and question not in turned:
                yield move, turned | {question}
        if place is None or not isinstance(place.next, Park) or move.kind == "graduation":
            return
        for had in heard.had:
            if had.position < since:
                continue
            changed = did_before(move, place.next, had.matcher, self.track)
            if changed is not None:
                yield changed, turned

    def _take(
        self, life: Life, place: Place | None, move: Move, journal: Journal, turned: frozenset[Question]
    ) -> _Run | None:
        """Run the code after a move, and note the place that it comes to; None if the code raises."""
        self.graph.decisions += 1
        journal = journal.extended(move.facts)
        try:
            found = self._run(journal, move.now, turned)
        except PerennialError as error:
            self.graph.errors.setdefault(str(error), journal)
            return None
        self._learn(life.start, found.heard)
        showed = life.showed or any(isinstance(fact, Behaved | Graduated) for fact in (*move.facts, *found.facts))
        after = journal.after(found.facts)
        state = life.start, found.state, showed, state_of(found.next, after, move.now, self.track, self.known)
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self.graph.places)
            line = found.heard.line or Line(self.track.file, self.track.line)
            self.graph.places.append(Place(number, found.next, after, move.now, found.because, line))
            self._lives.append(Life(life.start, turned, showed))
            self._queue.append(number)
        if place is not None:
            place.edges.append((move, number))
            self._note_variant(life.start, place, number)
        return found

    def _run(self, journal: Journal, now: datetime, turned: frozenset[Question]) -> _Run:
        hearer = Hearer(self._files, turned)
        run = Run(self.track, journal, now, self.catalogue, hearer)
        hearer.listen(run)
        state: list[Any] = []
        found = drive(run, self.track, at_stop=lambda coroutine: state.append(state_without_times(coroutine)))
        if not isinstance(found, Stop):
            raise TrackError(f"{hearer.line or self.track.where}: not deterministic: run twice, it decides differently")
        if isinstance(found.next, Finish):
            state = [found.next.outcome]
        reasons = (say_reason(run.reason), *[say_reason(note) for note in run.notes])
        return _Run(found.next, (*run.renames, *run.derived), reasons, (tuple(state), run.scope, run.offered), hearer)

    def _learn(self, start: Start, heard: Hearer) -> None:
        """Take in what a run asked: further starts, and what lives are told apart by."""
        self.graph.lines |= heard.lines
        for choice, line in heard.choices.items():
            self.graph.choices.setdefault(choice, line)
        for matcher, within in heard.matchers.items():
            longest = self.asked.get(matcher, timedelta(0))
            self.asked[matcher] = None if within is None or longest is None else max(within, longest)
        for name, questions in heard.traits.items():
            for asked in questions:
                value = asked.removeprefix("== ").removeprefix("contains ")
                value = value.removeprefix("starts with ").removeprefix("ends with ")
                value = "something" if value == "is known" else value
                self._starts.setdefault(replace(start, traits=_with(start.traits, name, value)))
        for name, variants in heard.experiments.items():
            for variant in variants:
                self._starts.setdefault(replace(start, chooses=_with(start.chooses, name, variant)))

    def _note_variant(self, start: Start, place: Place, number: int) -> None:
        """Note what lives with these variants go through."""
        to = self.graph.places[number].next
        step = (_named(place.next), _named(to))
        for name, variant in start.chooses:
            self.graph.took.setdefault(name, {}).setdefault(variant, set()).add(step)


def replace_score(move: Move, journal: Journal, score: int) -> Move:
    """The move, after which the lead has this score."""
    if any(isinstance(fact, Scored) for fact in move.facts) or score == journal.scored(len(journal) - 1).score:
        return move
    if move.kind == "start":
        return move
    return Move(move.kind, (*move.facts, Scored(move.now, score, stage_of(score))), move.now)


def _with(pairs: Traits, name: str, value: str) -> Traits:
    return tuple(sorted({**dict(pairs), name: value}.items()))


def _named(following: AnyNext) -> str:
    return f"end {following.outcome}" if isinstance(following, Finish) else Key.parse(following.key).place
