"""What if the past had been another: a life lived again without a behaviour, or with one more, by today's code.

The life is as recorded up to the first change. From there on, what the world did happens again at its time, a step that
was carried out has the outcome it had, and any other succeeds. The score is as recorded, moved by what the scoring
rules give the changed behaviours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.bench.life import Event, Life, succeeded
from nurture.bench.scorecard import Scorecard
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.decision import AnyStep, Park
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Deferred,
    Done,
    Enrolled,
    Explained,
    Overridden,
    Paused,
    Released,
    Renamed,
    Resumed,
    Scored,
    Waiting,
)
from nurture.journey.journal import Journal
from nurture.journey.matchers import say_behaviour
from nurture.journey.track import Track
from nurture.journey.wording import say_fact
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel, stage_of

MOST_TURNS = 1000
"""Decisions after which a life that is lived again is given up; no track needs as many."""

_ON_TIME = timedelta(minutes=10)
"""What happens no more than this earlier or later happens alike: a worker takes its time, a life in memory none."""

_WORLD = Behaved | Paused | Resumed | Overridden | Released
_UNTOLD = Waiting | Explained | Renamed | Scored


@dataclass(frozen=True, slots=True)
class Without:
    """Leave out a behaviour: by its name, by its subject if given, and by when it happened (aware, to the minute)."""

    name: str
    subject: str | None = None
    at: datetime | None = None

    @property
    def text(self) -> str:
        """The same in words."""
        when = f" at {self.at:%Y-%m-%d %H:%M}" if self.at is not None else ""
        return f"without {say_behaviour(self.name, self.subject or '')}{when}"

    def takes(self, fact: AnyFact) -> bool:
        """Whether this fact is left out."""
        return (
            isinstance(fact, Behaved)
            and fact.name == self.name
            and self.subject in {None, fact.subject}
            and (self.at is None or _minute(fact.at) == _minute(self.at))
        )


@dataclass(frozen=True, slots=True)
class With:
    """Put in a behaviour that happens at a moment (aware)."""

    name: str
    subject: str
    at: datetime

    @property
    def text(self) -> str:
        """The same in words."""
        return f"with {say_behaviour(self.name, self.subject)} at {self.at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Happening:
    """A fact of the life as it would have been, in words; whether it happened so, too, at that time."""

    at: datetime
    what: str
    alike: bool


@dataclass(frozen=True, slots=True)
class Relived:
    """The journal as it would have been: what happens from the first change on, and what then never happens."""

    journal: Journal
    since: datetime
    happens: tuple[Happening, ...]
    never: tuple[Happening, ...]


def relive(
    track: Track,
    journal: Journal,
    changes: Sequence[Without | With],
    until: datetime,
    catalogue: Catalogue,
    *,
    scoring: ScoringModel = DEFAULT_MODEL,
) -> Relived:
    """Live a journal again with these changes, up to a moment (aware).

    Raises InputError for a change that changes nothing or comes before the enrolment, TrackError if the code breaks.
    """
    facts = journal.facts
    left_out = _left_out(facts, changes)
    put_in = _put_in(facts, changes, until)
    start = _start(facts, left_out, put_in)
    world = _Recorded(facts, start, left_out, put_in, scoring)
    before = facts[:start]
    life = Life(track, Journal(before, len(before)), world, before[-1].at, catalogue)
    for number, _ in enumerate(life.turns(until), 1):
        if number > MOST_TURNS:
            raise InputError(f"the life does not come to rest within {MOST_TURNS:,} decisions; `check {track.name}`")
    since = min([facts[index].at for index in left_out] + [each.at for each in put_in])
    return _beside(life.journal, start, facts[start:], since)


def _left_out(facts: Sequence[AnyFact], changes: Sequence[Without | With]) -> set[int]:
    found: set[int] = set()
    for change in changes:
        if isinstance(change, Without):
            behaviour_kind(change.name)
            indices = {index for index, fact in enumerate(facts) if change.takes(fact)}
            if not indices:
                raise InputError(f"{change.text}: it is not in this journal; {_there_is(facts)}")
            found |= indices
    return found


def _there_is(facts: Sequence[AnyFact]) -> str:
    behaved = (fact for fact in facts if isinstance(fact, Behaved))
    names = dict.fromkeys(f"{fact.name}={fact.subject}" if fact.subject else fact.name for fact in behaved)
    return f"there is {', '.join(names)}" if names else "the lead did nothing that is in it"


def _put_in(facts: Sequence[AnyFact], changes: Sequence[Without | With], until: datetime) -> list[Behaved]:
    found: list[Behaved] = []
    for change in changes:
        if isinstance(change, With):
            behaviour_kind(change.name)
            if not facts[0].at <= change.at <= until:
                between = f"{facts[0].at:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
                raise InputError(f"{change.text}: give a time between {between}")
            found.append(Behaved(change.at, f"what-if-{len(found)}", change.name, change.subject))
    return found


def _start(facts: Sequence[AnyFact], left_out: set[int], put_in: Sequence[Behaved]) -> int:
    """The index to live on from: the first change, and what was heard together with it."""
    first = min(left_out, default=len(facts))
    for behaved in put_in:
        first = min(first, next((index for index, fact in enumerate(facts) if fact.at > behaved.at), len(facts)))
    first = max(first, 1)
    while first > 1 and isinstance(facts[first - 1], _WORLD | Scored):
        first -= 1
    return first


class _Recorded:
    """The world as it was recorded from an index on, with the changes."""

    def __init__(
        self,
        facts: Sequence[AnyFact],
        start: int,
        left_out: set[int],
        put_in: Sequence[Behaved],
        scoring: ScoringModel,
    ) -> None:
        heard = facts[start - 1].at
        news: list[tuple[datetime, Event]] = [(each.at, each) for each in put_in]
        self._scores: list[tuple[datetime, Scored | Enrolled]] = []
        self._outcomes: dict[str, list[Done | Deferred]] = {}
        told: datetime | None = None
        for index, fact in enumerate(facts):
            match fact:
                case Scored() | Enrolled():
                    self._scores.append((min(fact.at, told or fact.at), fact))
                case Done() | Deferred() if index >= start:
                    self._outcomes.setdefault(fact.key, []).append(fact)
                case Behaved() | Paused() | Resumed() | Overridden() | Released() if index >= start:
                    heard = max(heard, fact.at)
                    if index not in left_out:
                        news.append((heard, fact))
            told = (told or fact.at) if isinstance(fact, Behaved) else None
        self._news = sorted(news, key=lambda each: each[0])
        changed = [fact for index, fact in enumerate(facts) if index not in left_out]
        self._as_it_was = _card(facts, scoring)
        self._as_it_would_be = _card([*changed, *put_in], scoring)

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred:
        for fact in self._outcomes.get(step.key, ()):
            if isinstance(fact, Done):
                return Done(now, step.key, fact.result, fact.reason, fact.value)
            if fact.at <= now < fact.until:
                return Deferred(now, step.key, fact.until, fact.reason)
        return succeeded(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:  # noqa: ARG002 - the protocol's
        if not self._news or (by is not None and self._news[0][0] > by):
            return None
        return self._news.pop(0)[1]

    def score(self, now: datetime) -> Scored:
        last = [score for at, score in self._scores if at <= now][-1]
        moved = self._as_it_would_be.score(now).score - self._as_it_was.score(now).score
        if not moved:
            return Scored(now, last.score, last.stage)
        score = min(max(last.score + moved, 0), 100)
        return Scored(now, score, stage_of(score))


def _card(facts: Sequence[AnyFact], scoring: ScoringModel) -> Scorecard:
    card = Scorecard({}, facts[0].at, scoring)
    for fact in facts:
        if isinstance(fact, Behaved):
            card.add(fact)
    return card


def _beside(journal: Journal, start: int, as_it_was: Sequence[AnyFact], since: datetime) -> Relived:
    """What happened otherwise beside what happened; facts of one text are matched in order."""
    was: dict[str, list[AnyFact]] = {}
    for fact in as_it_was:
        if not isinstance(fact, _UNTOLD):
            was.setdefault(say_fact(fact), []).append(fact)
    happens: list[Happening] = []
    for fact in journal.facts[start:]:
        if isinstance(fact, _UNTOLD):
            continue
        what = say_fact(fact)
        alike = bool(was.get(what)) and abs(was[what][0].at - fact.at) <= _ON_TIME
        if alike:
            was[what].pop(0)
        happens.append(Happening(fact.at, what, alike))
    never = [Happening(fact.at, what, alike=False) for what, facts in was.items() for fact in facts]
    return Relived(journal, since, tuple(happens), tuple(sorted(never, key=lambda each: each.at)))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
