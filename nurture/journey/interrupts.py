"""What interrupts a lead wherever it stands: an exit that it did, and a score that graduates it."""

from __future__ import annotations

from nurture.journey.facts import AnyFact, Behaved
from nurture.journey.journal import Journal
from nurture.journey.matchers import Matcher


def exit_heard(exits: Matcher, journal: Journal) -> Behaved | None:
    """The first behaviour that no decision has looked at yet and that ends the journey."""
    if not journal.behaviours or journal.behaviours[-1] < journal.decided:
        return None
    heard = journal.behaved_from(journal.decided)
    return next((fact for fact in heard if exits.matches(fact.name, fact.subject)), None)


def armed_again(threshold: int, journal: Journal) -> bool:
    """Whether a score has fallen below the threshold since the last graduation: only then the next one can come."""
    for index in reversed(journal.scores):
        if index < journal.graduations[-1]:
            return False
        if journal.scored(index).score < threshold:
            return True
    return False


def graduating_score(threshold: int, journal: Journal, after: int) -> int | None:
    """The latest score at the threshold, recorded after a position, that no decision has looked at; None if none is."""
    for index in reversed(journal.scores):
        if index < journal.decided or index <= after:
            return None
        score = journal.scored(index).score
        if score >= threshold:
            return score
    return None


def pause_of(journal: Journal) -> AnyFact | None:
    """The fact that pauses the journey, if it is paused."""
    return journal.facts[journal.pauses[-1]] if journal.paused else None
