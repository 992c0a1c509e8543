"""Retrace a journey: take its past decisions again with today's code, each over the journal it was taken over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.content.catalogue import Catalogue
from nurture.journey.decision import AnyNext, Park
from nurture.journey.facts import AnyFact, Explained, Renamed, Waiting
from nurture.journey.journal import Journal
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.journey.wording import say_fact, say_next


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision that was taken over `journal` at `at`: the facts it derived, what came next in words, and why."""

    journal: Journal
    at: datetime
    derived: tuple[AnyFact, ...]
    next: str
    until: datetime | None
    because: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """What came next, with its end if it was a wait."""
        return say_until(self.next, self.until)


@dataclass(frozen=True, slots=True)
class Retraced:
    """A past decision, and in words what today's code decides instead; None if it decides alike.

    `read` says how today's code was read over the journal, where they differ.
    """

    past: PastDecision
    today: str | None
    today_because: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def retrace(track: Track, decisions: Sequence[PastDecision], catalogue: Catalogue) -> list[Retraced]:
    """Take each decision again. Raises TrackError if the track's code breaks."""
    return [_again(track, past, catalogue) for past in decisions]


def _again(track: Track, past: PastDecision, catalogue: Catalogue) -> Retraced:
    today = plan(track, past.journal, past.at, catalogue)
    until = deadline_of(today.next)
    alike = say_next(today.next) == past.next and until == past.until and _told(today.facts) == _told(past.derived)
    read = today.reading.said if today.reading is not None else ()
    if alike:
        return Retraced(past, None, read=read)
    return Retraced(past, say_until(say_next(today.next), until), today.because, read)


def _told(derived: Sequence[AnyFact]) -> list[str]:
    """What was derived, in words; without where the lead stands and how an edit was read, which `next` shows."""
    return [say_fact(fact) for fact in derived if not isinstance(fact, Explained | Renamed | Waiting)]


def deadline_of(following: AnyNext) -> datetime | None:
    """When a rest ends by itself; None for anything else."""
    return following.until if isinstance(following, Park) else None


def say_until(following: str, until: datetime | None) -> str:
    """What comes next, with its end if it is a wait."""
    return f"{following} until {until:%d %b %Y %H:%M}" if until else following
