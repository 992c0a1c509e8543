"""The search for the reading with the fewest contradictions: over tapes, by running the code again.

By turns it tries the tape that accounts for most of the journal, so that a reading is found soon, and the cheapest one,
so that no dear beginning hides a cheap whole. It goes on until no tape is left that is cheaper than the best reading,
or its budget is spent.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from nurture.journey.decision import Finish, Park
from nurture.journey.explaining import costs
from nurture.journey.explaining.reading import Reading, read
from nurture.journey.explaining.tape import FLIP, Tape
from nurture.journey.explaining.the_rest import cost_of_the_rest

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.errors import PerennialError
    from nurture.journey.journal import Journal
    from nurture.journey.track import Track

MOST_CALLS = 7_000
"""A search whose runs have come to so many calls and reads gives up: some 0.2 s. Counted, and not timed, so that the
same lead is read alike on every machine."""

MOST_TIES = 40
"""Of equally cheap readings, no more than this are compared."""

AHEAD = 0.5
"""What an entry that is still to be accounted for counts in the order in which tapes are tried."""

WINDOW = 16
"""A call that is the next entry may yet have been put in, if the run is lost within this many places."""

_Kept = tuple[float, int, float, "Tape", "Reading | None"]
"""A tape that is still to be tried, or a reading to be taken: its rank, its number, its cost."""

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
    heaps: tuple[list[_Kept], list[_Kept]] = field(default_factory=lambda: ([], []))
    over: set[int] = field(default_factory=set)
    best: dict[Any, _Order] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)
    found: Found = field(default_factory=Found)
    least: float = float("inf")
    turn: bool = True

    def run(self) -> Found:
        """Read the code under one tape after the other until no cheaper one can explain the journal."""
        self._push(0.0, (), len(self.journal.entries))
        explain: list[tuple[float, int, Reading]] = []
        while self.found.calls < MOST_CALLS and len(explain) < MOST_TIES and (kept := self._pop()) is not None:
            _, number, cost, tape, reading = kept
            if cost > self.least + costs.CLOSE:
                continue
            if reading is not None:
                explain.append((cost, number, reading))
                continue
            reading = self._read(tape)
            if not reading.explains:
                self._extend(tape, reading)
            elif not self._contradicts_most(reading):
                whole = reading.cost + cost_of_the_rest(self.journal, reading, partial(self._read, tape))
                self.least = min(self.least, whole)
                self._push(whole, tape, 0, reading)
        least = min((cost for cost, _, _ in explain), default=0.0)
        best = [(number, reading) for cost, number, reading in explain if cost <= least + costs.CLOSE]
        if best:
            self.found.reading = min(best, key=_preference)[1]
        return self.found

    def _push(self, cost: float, tape: Tape, left: int, reading: Reading | None = None) -> None:
        number = next(self.numbers)
        for heap, ahead in zip(self.heaps, (AHEAD, 0.0), strict=True):
            heapq.heappush(heap, (cost + ahead * left, number, cost, tape, reading))

    def _pop(self) -> _Kept | None:
        """The tape to try next: by turns one that accounts for much of the journal, and the cheapest."""
        self.turn = not self.turn
        heap = self.heaps[self.turn]
        while heap:
            kept = heapq.heappop(heap)
            if kept[1] not in self.over:
                self.over.add(kept[1])
                return kept
        return None

    def _read(self, tape: Tape, ahead: str = "") -> Reading:
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
