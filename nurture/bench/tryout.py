"""The test that every track gets before it ships: it is driven through its outcomes, and watched.

Each wait ends by time and by each pattern of its `until`, each send goes out and is refused, the score is low, high and
at the threshold: first every single departure from the plainest life, then pairs of them, then lives by chance. Each
decision is made twice.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from nurture.bench.guard import Guard
from nurture.content.catalogue import Catalogue
from nurture.errors import PerennialError
from nurture.journey.decision import AnyNext, Decision, Finish, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.plan import plan
from nurture.journey.track import Track

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MOST_TURNS = 100
"""A life is followed for so many decisions; a track may go on for ever, as long as it waits."""

MOST_STEPS_IN_A_ROW = 50
"""A track that does so many steps without a wait is taken for one that never comes to rest."""

_UNLIMITED = timedelta(days=365)
_SCORES = ((10, "awareness"), (60, "decision"))
_GRADUATING = (95, "decision")


def try_out(track: Track, catalogue: Catalogue, *, runs: int = 150, seed: int = 0) -> list[str]:
    """Drive a track through many lives; its problems, each `file:line: what`, none if it may ship.

    Deterministic: the same track, catalogue, `runs` and `seed` give the same answer.
    """
    trial = _Trial(track, catalogue)
    departures: deque[tuple[int, ...]] = deque([()])
    for _ in range(runs * 2 // 3):
        if not departures:
            break
        tape = departures.popleft()
        branches = trial.live(lambda turn, _, tape=tape: tape[turn] if turn < len(tape) else 0)  # type: ignore[misc]
        for turn in range(len(tape), len(branches)):
            departures.extend((*tape, *(0,) * (turn - len(tape)), other) for other in range(1, branches[turn]))
    chance = Random(seed)
    for _ in range(runs - runs * 2 // 3):
        trial.live(lambda _, options: chance.randrange(options))
    return list(dict.fromkeys((*trial.guard.breaches, *trial.problems)))


@dataclass
class _Trial:
    track: Track
    catalogue: Catalogue
    problems: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graduation = inspect.getsourcefile(self.track.on_graduation) or self.track.file
        self.guard = Guard(self.track.file, graduation)

    def live(self, choose: Callable[[int, int], int]) -> list[int]:
        """One life, its turns chosen by `choose(turn, options)`; how many options each turn had."""
        options: list[int] = []
        journal, now, in_a_row = Journal([Enrolled(START, "L1", cause="tried out", score=10)]), START, 0
        for turn in range(MOST_TURNS):
            decision = self._decide(journal, now)
            if decision is None or isinstance(decision.next, Finish):
                break
            journal = journal.after(decision.facts)
            in_a_row = 0 if isinstance(decision.next, Park) else in_a_row + 1
            if in_a_row > MOST_STEPS_IN_A_ROW:
                self._complain(self.guard.where, f"{in_a_row} steps in a row without a wait; let the lead rest between")
                break
            ways = _ways_on(decision.next, self.track, now)
            options.append(len(ways))
            now, facts = ways[choose(turn, len(ways))]
            journal = journal.extended(facts)
        return options

    def _decide(self, journal: Journal, now: datetime) -> Decision | None:
        again = Journal(journal.facts, journal.decided)
        try:
            with self.guard.watching():
                decision = plan(self.track, journal, now, self.catalogue)
            where = self.guard.where
            repeated = plan(self.track, again, now, self.catalogue)
        except PerennialError as error:
            where, _, said = str(error).partition(": ")
            self._complain(*((where, said) if self._names_a_line(where) else (self.guard.where, str(error))))
            return None
        if decision != repeated:
            self._complain(where, "not deterministic: run twice over one journal, it decides differently")
            return None
        if isinstance(decision.next, Send):
            self._check_piece(decision.next, where)
        return decision

    def _check_piece(self, send: Send, where: str) -> None:
        if send.piece not in self.catalogue.pieces:
            try:
                self.catalogue.get(send.piece)
            except PerennialError as error:
                self._complain(where, f"sends {error}")
        elif not 0 <= send.variant < len(self.catalogue.get(send.piece).subjects):
            self._complain(where, f"sends {send.piece} with variant {send.variant}, which the piece does not have")

    def _names_a_line(self, where: str) -> bool:
        return where.rpartition(":")[0] in self.guard.files

    def _complain(self, where: str, what: str) -> None:
        self.problems[f"{where or self.track.where}: {what}"] = None


def _ways_on(following: AnyNext, track: Track, now: datetime) -> list[tuple[datetime, list[AnyFact]]]:
    """What may become of a lead that stands here: the moment, and what is heard."""
    if isinstance(following, Park):
        return _ways_out(following, track, now)
    assert not isinstance(following, Finish)
    return [(now, [Done(now, following.key, result)]) for result in (following.expected, "refused")]


def _ways_out(park: Park, track: Track, now: datetime) -> list[tuple[datetime, list[AnyFact]]]:
    end = park.until or now + _UNLIMITED
    scores = [*_SCORES, *([_GRADUATING] if park.wakes_at_score is not None else [])]
    heard = [pattern for pattern in park.listens if pattern not in track.exits.patterns]
    ways: list[tuple[datetime, list[AnyFact]]] = []
    for score, stage in scores:
        if park.until is not None or not heard:
            ways.append((end, [Scored(end, score, stage)]))
    middle = now + (end - now) / 2
    for pattern in heard:
        name, _, glob = pattern.partition(":")
        subject = glob.replace("*", "").replace("?", "x")
        for score, stage in _SCORES:
            behaved = Behaved(middle, f"{pattern} at {middle.isoformat()}", name, subject)
            ways.append((middle, [Scored(middle, score, stage), behaved]))
    return ways
