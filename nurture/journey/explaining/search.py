"""The search for the reading with the fewest contradictions: over tapes, by running the code again.

Tapes that account for more of the journal come first, so that a reading is found soon; it goes on until no tape that is
cheaper than the best reading is left, or its budget is spent.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from nurture.journey.decision import Finish, Park
from nurture.journey.explaining import costs
from nurture.journey.explaining.reading import Reading, read
from nurture.journey.explaining.tape import ALTER, FLIP, MET, SKIP, Tape
from nurture.journey.facts import Deferred, Waiting

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.errors import PerennialError
    from nurture.journey.journal import Entry, Journal
    from nurture.journey.track import Track

MOST_CALLS = 12_000
"""A search whose runs have come to so many calls and reads gives up: some 0.15 s. Counted, and not timed, so that the
same lead is read alike on every machine."""

MOST_TIES = 40
"""Of equally cheap readings, no more than this are compared."""

MOST_WAITS = 4
"""How many of the waits to come are looked at for the one that the lead stands in."""

AHEAD = 0.5
"""What an entry that is still to be accounted for counts in the order in which tapes are tried."""

WINDOW = 16
"""A call that is the next entry may yet have been put in, if the run is lost within this many places."""

_Order = tuple[float, int, int]
"""What readings are sorted by: cost, steps dropped, steps skipped."""


@dataclass(slots=True)
class Found:
    """What a search came to: the reading, or None; what the code raised, if it was not lost; the calls made."""

    reading: Reading | None = None
    error: PerennialError | None = None
    calls: int = 0


@dataclass(slots=True)
class _Search:
    track: Track
    journal: Journal
    now: datetime
    catalogue: Catalogue
    heap: list[tuple[float, int, float, Tape, Reading | None]] = field(default_factory=list)
    best: dict[Any, _Order] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)
    found: Found = field(default_factory=Found)

    def run(self) -> Found:
        """Read the code under one tape after the other until no cheaper one can explain the journal."""
        self._push(0.0, (), len(self.journal.entries))
        explain: list[tuple[float, int, Reading]] = []
        least = float("inf")
        while self.heap and self.found.calls < MOST_CALLS and len(explain) < MOST_TIES:
            _, number, cost, tape, reading = heapq.heappop(self.heap)
            if cost > least + costs.CLOSE:
                continue
            if reading is not None:
                least = min(least, cost)
                explain.append((cost, number, reading))
                continue
            reading = self._read(tape)
            if not reading.explains:
                self._extend(tape, reading)
            elif not self._contradicts_most(reading):
                self._push(reading.cost + self._moved(tape, reading), tape, 0, reading)
        best = [(number, reading) for cost, number, reading in explain if cost <= least + costs.CLOSE]
        if best:
            self.found.reading = min(best, key=_preference)[1]
        return self.found

    def _push(self, cost: float, tape: Tape, left: int, reading: Reading | None = None) -> None:
        heapq.heappush(self.heap, (cost + AHEAD * left, next(self.numbers), cost, tape, reading))

    def _read(self, tape: Tape, *, ahead: str = "") -> Reading:
        reading = read(self.track, self.journal, self.now, self.catalogue, tape, ahead=ahead)
        self.found.calls += 1 + reading.reader.point
        return reading

    def _extend(self, tape: Tape, reading: Reading) -> None:
        if reading.error is not None and not reading.run.past and self.found.error is None:
            self.found.error = reading.error
        if reading.reader.stale:
            return
        options = reading.options
        if reading.state is not None:
            order = (reading.cost, reading.reader.steps_dropped, reading.reader.steps_skipped)
            known = self.best.get(reading.state)
            if known is not None and known <= order:
                options = reading.reader.alternatives
            else:
                self.best[reading.state] = order
        last = tape[-1].point if tape else 0
        recent = reading.reader.point - WINDOW
        for option in options:
            choice = option.choice
            if choice.point > last and (choice.answer.startswith(FLIP) or choice.point > recent):
                self._push(reading.cost + option.cost, (*tape, choice), option.left)

    def _contradicts_most(self, reading: Reading) -> bool:
        done = sum(entry.acted for entry in self.journal.entries)
        dropped = reading.reader.steps_dropped
        return dropped > costs.MOST_DROPPED and 2 * dropped > done

    def _went_with_its_step(self, stands: Entry, dropped: list[Entry]) -> bool:
        """Whether the step before this wait was dropped with it; a graduation may have interrupted it since."""
        if not isinstance(stands.fact, Waiting):
            return True
        entries = self.journal.entries
        first = next(at for at, each in enumerate(entries) if getattr(each.fact, "key", "") == stands.fact.key)
        return first > 0 and entries[first - 1] in dropped

    def _moved(self, tape: Tape, reading: Reading) -> float:
        """What it costs in addition that what was dropped, or altered, stands elsewhere in the code as it was."""
        reader, stands = reading.reader, self.journal.stands
        out_of_place = Counter(entry.bare for entry in reader.stood_in) - Counter(reader.displaced)
        cost = costs.MOVED * out_of_place.total()
        names = {entry.name for entry in reader.dropped if entry.acted or isinstance(entry.fact, Deferred)}
        left = stands is not None and stands in reader.dropped and not self._went_with_its_step(stands, reader.dropped)
        altered = stands is not None and any(
            used.choice.answer == ALTER and stands in used.entries for used in reader.used
        )
        if not (names or left or altered):
            return cost
        runs = [self._read(tape, ahead=how) for how in (SKIP, MET)]
        ahead = {call for each in runs for call in each.reader.called_ahead}
        skipped = {used.choice.call for used in reader.used if used.choice.answer.startswith((SKIP, MET))}
        cost += costs.MOVED * len(names & (ahead | skipped))
        if stands is not None and (left or altered):
            waits = (call for each in runs for call in each.reader.waits_ahead[:MOST_WAITS])
            if any(each.run.fits(call, stands) for each in runs for call in waits):
                cost += costs.MOVED if left else costs.MOVED_ALTERED
        return cost


def _preference(numbered: tuple[int, Reading]) -> tuple[bool, int, int, int]:
    """Of equally cheap readings: one that sends nothing now, then the one nearest to what was done, then the first."""
    number, reading = numbered
    return (
        not isinstance(reading.next, Park | Finish),
        reading.reader.steps_dropped,
        reading.reader.steps_skipped,
        number,
    )


class _Unexplained:
    """Searches that found nothing, so that none is made twice in this process: the last 10,000."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, None] = OrderedDict()

    def holds(self, key: Any) -> bool:
        return key in self._known

    def add(self, key: Any) -> None:
        self._known[key] = None
        if len(self._known) > 10_000:
            self._known.popitem(last=False)


_unexplained = _Unexplained()


def search(track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Found:
    """The cheapest reading of the track's code that accounts for the whole journal; none within the budget is None."""
    key = (track.fingerprint, journal.enrolled.lead, tuple(_signature(entry) for entry in journal.entries))
    if _unexplained.holds(key):
        return Found()
    found = _Search(track, journal, now, catalogue).run()
    if found.reading is None and found.error is None:
        _unexplained.add(key)
    return found


def _signature(entry: Any) -> Any:
    fact = entry.fact
    return entry.name, entry.index, *(getattr(fact, name, None) for name in ("length", "until", "step"))
