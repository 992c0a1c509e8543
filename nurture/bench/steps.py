"""The steps that a track has, found by living it every way."""

from __future__ import annotations

from itertools import islice

from nurture.bench.forks import LOW, Choose, ForkedWorld, live_every_way
from nurture.bench.life import Life
from nurture.bench.tryout import MOST_TURNS, START
from nurture.content.catalogue import Catalogue
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.track import Track

MOST_LIVES = 100


def steps_of(track: Track, catalogue: Catalogue) -> tuple[str, ...]:
    """The names of the track's own steps (`send:welcome`), in the order in which lives come to them.

    Not those of its graduation. Raises TrackError if the track's code breaks.
    """
    found: dict[str, None] = {}

    def live(choose: Choose) -> list[int]:
        world = ForkedWorld(track, choose)
        life = Life(track, Journal([Enrolled(START, "L1", cause="tried out", score=LOW)]), world, catalogue=catalogue)
        for turn in islice(life.turns(), MOST_TURNS):
            following = turn.decision.next
            if not isinstance(following, Park | Finish) and not (key := Key.parse(following.key)).scope:
                found.setdefault(key.name)
        return world.ways

    live_every_way(live, MOST_LIVES)
    return tuple(found)
