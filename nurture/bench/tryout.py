"""The test that every track gets before it ships: it is driven through its outcomes, and watched.

Each wait ends by time and by each pattern of its `until`, each step succeeds and is refused, the score is low, high and
at the threshold: first every single departure from the plainest life, then pairs of them, then lives by chance. Each
decision is taken twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from random import Random
from warnings import catch_warnings, simplefilter

from nurture.bench.forks import LOW, Choose, ForkedWorld, live_every_way
from nurture.bench.guard import Guard
from nurture.bench.life import Life
from nurture.bench.named import unanswered_names
from nurture.content.catalogue import Catalogue
from nurture.errors import EndlessError, PerennialError, TrackError, close_names
from nurture.journey.decision import Decision, Do, Enrol, Finish, Park, Send
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.journey.own import prepare
from nurture.journey.plan import plan
from nurture.journey.rules import activities_of
from nurture.journey.track import Track

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MOST_TURNS = 100
"""How many decisions of a life are followed: a track may go on for ever, as long as it waits."""

MOST_UNENDED = 20
"""After this many lives without an end in sight, the rest is left to `explore`, which finds a track without one."""

MOST_STEPS_IN_A_ROW = 50
"""After this many steps without a wait between them, a track is taken for one that never comes to rest."""


@dataclass(frozen=True)
class Known:
    """The names that a track's steps may use: of activities, and of tracks."""

    activities: Collection[str]
    tracks: Collection[str]


def try_out(
    track: Track, catalogue: Catalogue, known: Known | None = None, *, runs: int = 150, seed: int = 0
) -> list[str]:
    """Drive a track through many lives; its problems, each `file:line: what`, none if it may ship.

    With `known`, names that nobody answers to are problems too. Deterministic: the same track, catalogue, `runs` and
    `seed` give the same answer.
    """
    trial = _Trial(track, catalogue, known)
    try:
        track.require_rules()
    except TrackError as error:
        return str(error).splitlines()
    trial.problems |= dict.fromkeys(unanswered_names(track, catalogue))
    live_every_way(trial.live, runs * 2 // 3)
    chance = Random(seed)
    for _ in range(runs - runs * 2 // 3):
        trial.live(lambda _, ways: chance.randrange(ways))
    return list(dict.fromkeys((*trial.guard.breaches, *trial.problems)))


class _Trial:
    """The lives of one track under watch, and the problems they showed."""

    def __init__(self, track: Track, catalogue: Catalogue, known: Known | None) -> None:
        self.track = track
        self.catalogue = catalogue
        self.known = known
        self.problems: dict[str, None] = {}
        self.unended = 0
        self.endless = False  # each further life would take as long to say the same
        for function in (track.function, track.on_graduation):
            for own in activities_of(function).values():
                prepare(own)  # not under watch: making types reads the surroundings
        graduation = inspect.getsourcefile(track.on_graduation) or track.file
        self.guard = Guard(track.file, graduation)

    def live(self, choose: Choose) -> list[int]:
        """Live once, each fork decided by `choose`; how many ways each fork had: none once a life had no end."""
        if self.endless or self.unended == MOST_UNENDED:
            return []
        world = ForkedWorld(self.track, choose)
        journal = Journal([Enrolled(START, "L1", cause="tried out", score=LOW)])
        life = Life(self.track, journal, world, catalogue=self.catalogue, decide=self._decide)
        in_a_row = 0
        try:
            for turns, turn in enumerate(islice(life.turns(), MOST_TURNS), start=1):
                self.unended += turns == MOST_TURNS
                following = turn.decision.next
                in_a_row = 0 if isinstance(following, Park | Finish) else in_a_row + 1
                if isinstance(following, Send):
                    self._check_piece(following)
                elif self.known is not None and isinstance(following, Do | Enrol):
                    self._check_name(following, self.known)
                if in_a_row > MOST_STEPS_IN_A_ROW:
                    self.endless = True
                    self._report(
                        self.guard.where, f"{in_a_row} steps in a row without a wait; let the lead rest between"
                    )
                    break
        except PerennialError as error:
            self.endless = self.endless or isinstance(error, EndlessError)
            where, _, said = str(error).partition(": ")
            if where.rpartition(":")[0] in self.guard.files:
                self._report(where, said)
            else:
                self._report(self.guard.where, str(error))
        return world.ways

    def _decide(self, track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Decision:
        with catch_warnings(record=True) as warned:
            simplefilter("always", RuntimeWarning)
            with self.guard.watching():
                decision = plan(track, journal, now, catalogue)
            again = plan(track, Journal(journal.facts, journal.decided), now, catalogue)
        for each in warned:
            if "never awaited" in str(each.message):
                said = str(each.message).removeprefix("coroutine ").removesuffix(" was never awaited")
                self._report(f"{each.filename}:{each.lineno}", f"calls {said} without await; write `await` before it")
        if again != decision:
            where = self.guard.where or track.where
            raise TrackError(f"{where}: not deterministic: run twice over one journal, it decides differently")
        return decision

    def _check_piece(self, send: Send) -> None:
        try:
            piece = self.catalogue.get(send.piece)
        except PerennialError as error:
            self._report(self.guard.where, f"sends {error}")
            return
        if not 0 <= send.variant < len(piece.subjects):
            self._report(
                self.guard.where, f"sends {send.piece} with variant {send.variant}, which the piece does not have"
            )

    def _check_name(self, step: Do | Enrol, known: Known) -> None:
        if isinstance(step, Enrol):
            if step.track not in known.tracks:
                self._report(
                    self.guard.where,
                    f"enrols on {step.track!r}, and no track is called so{_near(step.track, known.tracks)}",
                )
        elif step.activity not in known.activities:
            near = _near(step.activity, known.activities)
            self._report(
                self.guard.where,
                f"calls {step.activity!r}, and no activity is called so{near}; write it among your own activities "
                "and mark it with @activity.defn",
            )

    def _report(self, where: str, what: str) -> None:
        self.problems[f"{where or self.track.where}: {what}"] = None


def _near(name: str, known: Collection[str]) -> str:
    near = close_names(name, known)
    return f" (did you mean {near[0]!r}?)" if near else ""
