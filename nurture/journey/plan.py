"""plan: what comes next for a lead, and because of what. Pure and deterministic.

The track's code is run over the journal, and each call is answered by the next entry. Without a difference that is all.
At the first difference there has been an edit: the explanation with the fewest contradictions is searched for
(`nurture.journey.explaining`), and kept in the journal as a hint. Without one the lead is held.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from nurture.content.catalogue import Catalogue
from nurture.errors import PerennialError
from nurture.journey.calls import Stop
from nurture.journey.decision import AnyNext, Decision, Finish, Park
from nurture.journey.driving import drive, note_what_follows
from nurture.journey.explaining import costs
from nurture.journey.explaining.reading import Reading, read
from nurture.journey.explaining.search import search
from nurture.journey.explaining.tape import ALTER, EVERY
from nurture.journey.explaining.tape_reader import Used
from nurture.journey.explaining.telling import tell, tell_loss
from nurture.journey.facts import (
    AnyFact,
    Chosen,
    Deferred,
    Done,
    Exited,
    Explained,
    Finished,
    Held,
    Released,
    Waited,
    Waiting,
)
from nurture.journey.interrupts import exit_heard
from nurture.journey.journal import TOLERANCE, Journal
from nurture.journey.keys import START
from nurture.journey.open_step import MOST_STEPS
from nurture.journey.run import Run
from nurture.journey.track import Track
from nurture.journey.wording import say_reason

__all__ = ["MOST_STEPS", "NO_CONTENT", "TOLERANCE", "last_place", "look_ahead", "plan"]

NO_CONTENT = Catalogue({})


def plan(track: Track, journal: Journal, now: datetime, catalogue: Catalogue = NO_CONTENT) -> Decision:
    """What comes next for a lead with this journal at `now` (aware, UTC).

    Raises TrackError, naming the line, if the track's code raises, or awaits anything but a step of the lead.
    """
    if (ended := _ended(track, journal, now)) is not None:
        return ended
    if journal.held is not None and journal.held.code == track.fingerprint:
        return Decision((), _held(track, journal), journal.held.because)
    hint = journal.explained
    if hint is not None and hint.code == track.fingerprint:
        reading = read(track, journal, now, catalogue, hint.tape)
        if reading.explains and reading.cost <= hint.cost + costs.CLOSE:
            return _as_read(track, journal, now, reading)
    run = Run(track, journal, now, catalogue)
    try:
        found = drive(run, track, at_stop=partial(note_what_follows, run))
    except PerennialError as error:
        if not run.past:
            raise
        # It may be that the code was edited, and raises where this lead never was.
        return _explained(track, journal, now, catalogue, error)
    if isinstance(found, Stop):
        return _as_it_is(journal, now, run, found.next)
    return _explained(track, journal, now, catalogue, tell_loss(found.call, run.entries[run.cursor]))


def _ended(track: Track, journal: Journal, now: datetime) -> Decision | None:
    """The decision for a lead whose journey is over, or ends whatever the code says."""
    end: Exited | Finished | None = journal.end
    if end is not None:
        return Decision((), Finish(outcome_of(end)), (say_reason(end),))
    reason: AnyFact
    if (heard := exit_heard(track.exits, journal)) is not None:
        reason, end = heard, Exited(now, say_reason(heard))
    elif journal.released is not None and journal.released.end:
        reason, end = journal.released, Exited(now, "a person ended it")
    else:
        return None
    return Decision((end,), Finish(outcome_of(end)), (say_reason(reason),))


def _explained(
    track: Track, journal: Journal, now: datetime, catalogue: Catalogue, loss: str | PerennialError
) -> Decision:
    """The decision by the best reading of an edited track; without one the lead is held, or the code's error raised."""
    found = search(track, journal, now, catalogue)
    if found.reading is not None:
        return _as_read(track, journal, now, found.reading)
    if found.error is not None:
        raise found.error
    if isinstance(loss, PerennialError):
        raise loss
    return Decision((Held(now, (loss,), track.fingerprint),), _held(track, journal), (loss,))


def look_ahead(
    track: Track, journal: Journal, decision: Decision, now: datetime, catalogue: Catalogue = NO_CONTENT
) -> Decision:
    """The decision, with `then`: where the lead parks once its next step has succeeded at `now`, if it parks."""
    step = decision.next
    if isinstance(step, Park | Finish):
        return decision
    done = Done(at=now, key=step.key, result=step.expected)
    after = plan(track, journal.after(decision.facts).after([done]), now, catalogue)
    if not isinstance(after.next, Park):
        return decision
    return Decision(decision.facts, decision.next, decision.because, after, decision.reading)


def _held(track: Track, journal: Journal) -> Park:
    return Park(last_place(journal), None, track.exits.patterns, None, "held")


def last_place(journal: Journal) -> str:
    """The key of where the lead stood last: its open step, what was settled last, or where a person put it."""
    for entry in reversed(journal.entries):
        match entry.fact:
            case Released(step=step):
                return step
            case Done(key=key) | Waited(key=key) | Chosen(key=key) | Waiting(key=key) | Deferred(key=key):
                return key
    return START


def _as_it_is(journal: Journal, now: datetime, run: Run, following: AnyNext) -> Decision:
    """The decision of a run in which the code and the journal agree."""
    run.note_renamed_pieces()
    facts: list[AnyFact] = [*run.renames, *run.derived]
    if journal.explained is not None or journal.held is not None:
        facts.insert(0, Explained(now))
    return Decision(tuple(facts), following, _reasons(run))


def _as_read(track: Track, journal: Journal, now: datetime, reading: Reading) -> Decision:
    """The decision of a reading, which is kept as a hint unless it is the one kept already."""
    assert reading.next is not None
    run = reading.run
    run.note_renamed_pieces()
    facts: list[AnyFact] = [*run.renames, *run.derived]
    tape = tuple(used.choice for used in reading.reader.used if not _is_recorded(used, journal, run))
    explained = Explained(now, reading.cost, tell(reading), tape, track.fingerprint)
    known = journal.explained
    if known is not None and (known.tape, known.code) == (tape, explained.code) and journal.held is None:
        explained = known
    elif tape:
        facts.insert(0, explained)
    elif known is not None or journal.held is not None:
        facts.insert(0, Explained(now))
    return Decision(tuple(facts), reading.next, _reasons(run), None, explained if reading.reader.used else None)


def _is_recorded(used: Used, journal: Journal, run: Run) -> bool:
    """Whether this choice is needed no more: the open wait that was altered is recorded as it is now."""
    stands = journal.stands
    if used.choice.answer.removesuffix(EVERY) != ALTER or stands is None or stands not in used.entries:
        return False
    return any(isinstance(fact, Waiting | Waited) and fact.key == stands.fact.key for fact in run.derived)


def _reasons(run: Run) -> tuple[str, ...]:
    return (say_reason(run.reason), *[say_reason(note) for note in run.notes])


def outcome_of(end: Exited | Finished) -> str:
    """How a journey that is over ended."""
    return end.outcome if isinstance(end, Finished) else f"exited: {end.reason}"
