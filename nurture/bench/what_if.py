"""What if: a journal cut at a moment or changed, and what is to come of it while the lead does nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from nurture.bench.life import Life
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.decision import Park
from nurture.journey.facts import AnyFact, Behaved, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.journey.wording import say_next
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.scoring import STAGES, stage_of


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A step that is to come if the lead does nothing."""

    at: datetime
    what: str
    because: tuple[str, ...] = ()


def upcoming(track: Track, journal: Journal, now: datetime, catalogue: Catalogue, most: int = 12) -> Iterator[Upcoming]:
    """The next steps, at most `most`, if each succeeds on time and the lead does nothing.

    The journey's end is one of them, and a wait without a limit the last. The gate is not asked: caps and quiet hours
    may put a send off. Raises TrackError if the track's code breaks.
    """
    turns = islice(Life(track, journal, now=now, catalogue=catalogue).turns(), most * 4)
    steps = (turn for turn in turns if not (isinstance(turn.decision.next, Park) and turn.decision.next.until))
    for turn in islice(steps, most):
        yield Upcoming(turn.at, say_next(turn.decision.next), turn.decision.because)


def journal_at(facts: Sequence[AnyFact], moment: datetime) -> Journal:
    """The journal as it was at a moment. Raises InputError if the lead had not enrolled yet."""
    kept = [fact for fact in facts if fact.at <= moment]
    if not kept:
        raise InputError(f"--at {moment:%Y-%m-%d %H:%M} is before the lead enrolled ({facts[0].at:%Y-%m-%d %H:%M} UTC)")
    return Journal(kept, len(kept))


def changed(journal: Journal, changes: Sequence[tuple[str, str]], at: datetime) -> Journal:
    """The journal with changes as of a moment: `score`, `stage`, a behaviour (the value is its subject), or a trait.

    Raises InputError for a value that cannot be.
    """
    facts = list(journal.facts)
    scored = journal.facts[journal.scores[-1]]
    assert isinstance(scored, Scored | Enrolled)
    score, stage = scored.score, scored.stage
    rescored = False
    news: list[AnyFact] = []
    for name, value in changes:
        if name == "score":
            if not (value.isdecimal() and int(value) <= 100):
                raise InputError(f"--set score={value}: a score is a whole number from 0 to 100")
            score, rescored = int(value), True
            stage = stage_of(score)
        elif name == "stage":
            if value not in STAGES:
                raise InputError(f"--set stage={value}: a stage is one of {', '.join(STAGES)}")
            stage, rescored = value, True
        elif name in BEHAVIOURS:
            news.append(Behaved(at, f"what-if-{len(news)}", name, value))
        elif "." in name:
            raise InputError(f"--set {name}: no such behaviour; there are {', '.join(sorted(BEHAVIOURS))}")
        else:
            first = journal.enrolled
            facts[0] = replace(first, traits={**first.traits, name: value})
    if rescored:
        news.append(Scored(at, score, stage))
    return Journal([*facts, *news], len(facts))
