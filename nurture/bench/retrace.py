"""Decisions taken again, step by step, with today's code; what would come of a changed past; and what is to come.

Pure: over journals, tracks and content. Where the journals come from is `perennial.journeys.histories`' business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.journeys import DecisionRow
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.decision import AnyNext, Decision, Finish, Park
from nurture.journey.facts import (
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
from nurture.journey.journal import Journal
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.journey.wording import say_fact, say_next
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.scoring import STAGES, stage_of

DERIVED = (Waited, Chosen, Skipped, Graduated, Finished)
"""What `plan` records; `Exited` is its own too, unless a person's."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision as it was taken: over `before`, at `at`; what it derived, what came next, and because of what."""

    before: Journal
    at: datetime
    derived: tuple[AnyFact, ...]
    next: str
    until: datetime | None
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retraced:
    """A decision as it was taken, and in words as today's code takes it, if that differs."""

    taken: Taken
    today: str | None
    today_because: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The decision in words."""
        return say(self.taken.next, self.taken.until)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step that is to come if the lead stays quiet."""

    at: datetime
    what: str
    because: tuple[str, ...] = ()


def retrace(track: Track, decisions: Sequence[Taken], catalogue: Catalogue) -> list[Retraced]:
    """Take each decision again with today's code over the journal it was taken over."""
    return [_again(track, taken, catalogue) for taken in decisions]


def _again(track: Track, taken: Taken, catalogue: Catalogue) -> Retraced:
    today = plan(track, taken.before, taken.at, catalogue)
    until = until_of(today.next)
    same = (
        say_next(today.next) == taken.next
        and until == taken.until
        and [say_fact(fact) for fact in today.facts] == [say_fact(fact) for fact in taken.derived]
    )
    return Retraced(taken, None if same else say(say_next(today.next), until), () if same else today.because)


def taken_of(facts: Sequence[AnyFact], decisions: Sequence[DecisionRow]) -> list[Taken]:
    """The decisions of the read model, each with the journal that it was taken over.

    A decision row says after how many facts it was taken; what it derived follows there.
    """
    found: list[Taken] = []
    decided = 0
    for number, row in enumerate(decisions):
        end = decisions[number + 1].seq if number + 1 < len(decisions) else len(facts)
        given = row.seq
        while given < end and isinstance(facts[given], Scored) and facts[given].at == row.at:
            given += 1  # the score that the same transaction took anew
        last = given
        while last < end and _is_derived(facts, last):
            last += 1
        before = Journal(facts[:given], decided)
        because = tuple(map(str, row.because))
        found.append(Taken(before, row.at, tuple(facts[given:last]), row.next, row.until, because))
        decided = last
    return found


def _is_derived(facts: Sequence[AnyFact], index: int) -> bool:
    fact = facts[index]
    if isinstance(fact, Exited):
        return any(isinstance(each, Behaved) and say_fact(each) == fact.reason for each in facts[:index])
    return isinstance(fact, DERIVED)


def up_to(facts: Sequence[AnyFact], moment: datetime) -> Journal:
    """The journal as it was at a moment. Raises InputError if the lead had not enrolled yet."""
    kept = [fact for fact in facts if fact.at <= moment]
    if not kept:
        raise InputError(f"--at {moment:%Y-%m-%d %H:%M} is before the lead enrolled ({facts[0].at:%Y-%m-%d %H:%M} UTC)")
    return Journal(kept, len(kept))


def changed(journal: Journal, changes: Sequence[tuple[str, str]], at: datetime) -> Journal:
    """The journal with a what-if: `score`, `stage`, a behaviour (its subject as the value), or a trait.

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


def ahead(track: Track, journal: Journal, now: datetime, catalogue: Catalogue, most: int = 12) -> Iterator[Ahead]:
    """What is to come if every step succeeds on time and the lead does nothing, at most so many steps.

    The gate is not asked: caps and quiet hours may put a send off.
    """
    for _ in range(most * 4):
        decision = plan(track, journal, now, catalogue)
        journal = journal.after(decision.facts)
        following = decision.next
        match following:
            case Finish():
                yield Ahead(now, say_next(following), decision.because)
                return
            case Park():
                if following.until is None:
                    yield Ahead(now, say_next(following), decision.because)
                    return
                now = max(now, following.until)
            case _:
                yield Ahead(now, say_next(following), decision.because)
                journal = journal.after([Done(now, following.key, following.expected)])
                most -= 1
                if not most:
                    return


def decide(track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Decision:
    """What comes next."""
    return plan(track, journal, now, catalogue)


def until_of(following: AnyNext) -> datetime | None:
    """Until when a lead waits, if it does."""
    return following.until if isinstance(following, Park) else None


def say(following: str, until: datetime | None) -> str:
    """What comes next, with its end if it is a wait."""
    return f"{following} until {until:%d %b %Y %H:%M}" if until else following
