"""What may happen next where a life stands: each way that a step, a rest, the score can go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nurture.bench.forks import behaved
from nurture.bench.life import refused, succeeded
from nurture.bench.paths.graph import Move, Place
from nurture.bench.samples import samples_of
from nurture.journey.decision import AlertStep, AnyStep, Do, Finish, Park
from nurture.journey.facts import Scored
from nurture.journey.matchers import Matcher
from nurture.journey.own import return_type
from nurture.journey.patterns import Pattern, hears
from nurture.journey.rules import activities_of
from nurture.journey.track import Track
from nurture.people.scoring import stage_of


def moves_from(place: Place, track: Track) -> Iterator[Move]:
    """Every move from a place, the plainest first; a score that changes with it is the explorer's affair."""
    match place.next:
        case Finish():
            return
        case Park() as park:
            yield from _ends_of(park, place.now, track)
        case step:
            yield from _answers(step, place.now, track)


def did_before(move: Move, park: Park, matcher: Matcher, track: Track) -> Move | None:
    """The move, after the lead did what the matcher matches during the rest without ending it; None if it cannot."""
    for text in matcher.patterns:
        pattern = Pattern.parse(text)
        done = behaved(pattern, move.now)
        if hears((*park.listens, *track.exits.patterns), done.name, done.subject):
            continue
        return Move(move.kind, (done, *move.facts), move.now)
    return None


def _ends_of(park: Park, now: datetime, track: Track) -> Iterator[Move]:
    if park.until is not None:
        yield Move("time", (), max(park.until, now))
    exits = track.exits.patterns
    for text in dict.fromkeys(park.listens):
        if text not in exits:
            yield Move("behaviour", (behaved(Pattern.parse(text), now),), now)
    if park.wakes_at_score is not None:
        score = park.wakes_at_score
        yield Move("graduation", (Scored(now, score, stage_of(score)),), now)


def _answers(step: AnyStep, now: datetime, track: Track) -> Iterator[Move]:
    if isinstance(step, Do):
        own = {**activities_of(track.function), **activities_of(track.on_graduation)}.get(step.activity)
        for each in [None] if own is None else samples_of(return_type(own)):
            yield Move("done", (succeeded(step, now, each),), now)
    else:
        yield Move("done", (succeeded(step, now),), now)
    if not isinstance(step, AlertStep):
        yield Move("refused", (refused(step, now),), now)
