"""Which lives are alike: from where they stand the code can read the same of them, so they are one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nurture.journey.decision import AnyNext, AnyStep, Finish, Park
from nurture.journey.facts import Chosen, Done
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.matchers import Matcher
from nurture.journey.promises import Promise
from nurture.journey.track import Track

Asked = dict[Matcher, timedelta | None]
"""What the code asks whether the lead did, and within how long at most; None: ever."""


def state_of(following: AnyNext, journal: Journal, now: datetime, track: Track, asked: Mapping[Matcher, Any]) -> Any:
    """What is to come, what the lead had and did, its score beside the threshold, what promises depend on."""
    if isinstance(following, Finish):
        return following
    behaviours = tuple(sorted((str(each), _age(journal, each, within, now)) for each, within in asked.items()))
    at_threshold = journal.scored(len(journal) - 1).score >= (track.graduates_at or 101)
    promised = tuple(_since(promise, journal, now) for promise in track.promises)
    return _shape(following, now), frozenset(_sent(journal)), behaviours, at_threshold, promised


def _sent(journal: Journal) -> Iterator[str]:
    """What the lead had: pieces that were sent, and pieces that were chosen."""
    for entry in journal.entries:
        match entry.fact:
            case Done(key=key, result="sent"):
                yield Key.parse(key).subject
            case Chosen(choice=str() as choice):
                yield choice


def _age(journal: Journal, matcher: Matcher, within: timedelta | None, now: datetime) -> float:
    """In which quarter of the span that the code asks about the lead last did this; -1 if not in it.

    Lives that differ by less are taken for alike, or a track that waits for days and asks for a month has no end.
    """
    for fact in journal.behaved(len(journal) - 1):
        if matcher.matches(fact.name, fact.subject):
            if within is None:
                return 0.0
            age = now - (fact.last or fact.at)
            return -1.0 if age > within else float(4 * age // within)
    return -1.0


def _since(promise: Promise, journal: Journal, now: datetime) -> Any:
    """What a promise may depend on: how long ago such a step was taken, or the stage."""
    if promise.rest is not None:
        last = next((fact.at for fact in reversed(journal.facts) if promise.step.took(fact)), None)
        return None if last is None else min(now - last, promise.rest.length)
    return journal.scored(len(journal) - 1).stage if promise.while_ is not None else None


def _shape(following: Park | AnyStep, now: datetime) -> Any:
    """What comes next, however often it came."""
    if isinstance(following, Park):
        rest = None if following.until is None else following.until - now
        return Key.parse(following.key).place, rest, following.listens, following.wakes_at_score, following.why
    return repr(replace(following, key=Key.parse(following.key).place))
