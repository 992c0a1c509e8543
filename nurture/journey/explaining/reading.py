"""A reading: one run of the code under a tape, how it came out, and what else it could have been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nurture.errors import PerennialError
from nurture.journey.calls import Lost, Stop
from nurture.journey.decision import AnyNext
from nurture.journey.driving import drive, note_what_follows
from nurture.journey.explaining import costs
from nurture.journey.explaining.state import state_of
from nurture.journey.explaining.tape import Option, Tape
from nurture.journey.explaining.tape_reader import TapeReader
from nurture.journey.journal import Journal
from nurture.journey.run import Run

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.journey.track import Track


@dataclass(slots=True)
class Reading:
    """How a run under a tape came out.

    `next` is set if it accounts for every entry; `error` if the code raised; else it was lost, and `options` are what
    it could have been told there and on the way.
    """

    run: Run
    reader: TapeReader
    next: AnyNext | None = None
    error: PerennialError | None = None
    state: Any = None
    options: list[Option] = field(default_factory=list)

    @property
    def explains(self) -> bool:
        """Whether the code, so read, accounts for the whole journal."""
        return self.next is not None and not self.run.past and not self.reader.stale

    @property
    def cost(self) -> float:
        """The sum of its contradictions."""
        return self.reader.cost

    @property
    def tape(self) -> Tape:
        """The choices that were made use of."""
        return tuple(used.choice for used in self.reader.used)


def read(
    track: Track, journal: Journal, now: datetime, catalogue: Catalogue, tape: Tape, *, ahead: str = ""
) -> Reading:
    """Run the track under a tape. `ahead`: on past the open step, as unmet or as met, to see what is still to come.

    What the code reads behind a wait that it no longer has is as of the end of that wait. That there was one is known
    only at the call behind it, when the reads are made: then the code is run again.
    """
    reading = _read(track, journal, now, catalogue, TapeReader(tape, ahead=ahead))
    if reading.explains and reading.reader.late:
        again = _read(track, journal, now, catalogue, TapeReader(tape, ahead=ahead, late=reading.reader.late))
        if again.explains and again.cost <= reading.cost + costs.CLOSE:
            return again
    return reading


def _read(track: Track, journal: Journal, now: datetime, catalogue: Catalogue, reader: TapeReader) -> Reading:
    run = Run(track, journal, now, catalogue, reader)
    reader.begin(run)
    reading = Reading(run, reader)
    try:
        found = drive(
            run,
            track,
            at_loss=lambda coroutine: _note_state(reading, coroutine),
            at_stop=lambda coroutine: note_what_follows(run, coroutine),
        )
    except PerennialError as error:
        reading.error = error
        reading.options = reader.alternatives
        return reading
    match found:
        case Stop():
            reading.next = found.next
        case Lost():
            reading.options = [*reader.options(found.call), *reader.alternatives]
    return reading


def _note_state(reading: Reading, coroutine: Any) -> None:
    reading.state = state_of(coroutine, reading.run, reading.reader.remembered())
