"""What a reading costs in addition once it accounts for everything: by what the code has elsewhere and next.

While a run is lost, only what is behind it is known. A reading that is whole can be run on past the open step, as if
its waits went unmet or were met, to see what is still to come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from nurture.journey.calls import StepCall, WaitCall
from nurture.journey.explaining import costs
from nurture.journey.explaining.reading import Reading
from nurture.journey.explaining.tape import MET, SKIP
from nurture.journey.explaining.tape_reader import Used
from nurture.journey.facts import Deferred, Waiting

if TYPE_CHECKING:
    from nurture.journey.journal import Entry, Journal

MOST_WAITS = 4
"""How many of the waits to come are looked at for the one that the lead stands in."""

LookAhead = Callable[[str], Reading]
"""Runs the reading on past the open step: `skip`, as if nothing had its effect, or `met`."""


def cost_of_the_rest(journal: Journal, reading: Reading, look_ahead: LookAhead) -> float:
    """What it costs that what was lost or altered stands elsewhere as it was, and that the code goes on otherwise."""
    reader, stands = reading.reader, journal.stands
    out_of_place = Counter(entry.bare for entry in reader.stood_in) - Counter(reader.displaced)
    cost = costs.MOVED * out_of_place.total()
    dropped = [entry for entry in reader.dropped if entry.acted or isinstance(entry.fact, Deferred)]
    left = stands is not None and stands in reader.dropped and not _went_with_its_step(stands, reader.dropped, journal)
    altered = stands in reader.altered
    goes_on = stands if _then(stands) and not _was_left(stands, journal) else None
    if not (dropped or left or altered or goes_on):
        return cost
    unmet = look_ahead(SKIP)
    if goes_on is not None:
        cost += _cost_of_going_on(goes_on, unmet)
    if not (dropped or left or altered):
        return cost
    runs = [unmet, look_ahead(MET)]
    if not left and _changed_places(reader.last_act, unmet):
        dropped = [entry for entry in dropped if entry is not reader.last_act]
    elsewhere = {call for each in runs for call in each.reader.called_ahead}
    elsewhere |= {used.choice.call for used in reader.used if _skips(used)}
    cost += costs.MOVED * len({entry.name for entry in dropped} & elsewhere)
    if stands is not None and any(unmet.run.fits(call, stands) for each in runs for call in _waits_ahead(each)):
        cost += costs.MOVED if left else costs.MOVED_ALTERED if altered else 0.0
    if stands is not None and altered:
        cost += costs.MOVED * _was_left(stands, journal)
        behind = [used.call for used in reader.used if isinstance(used.call, WaitCall)]
        cost += costs.MOVED * any(unmet.run.fits(call, stands) for call in behind)
    return cost


def _went_with_its_step(stands: Entry, dropped: list[Entry], journal: Journal) -> bool:
    """Whether the step before this wait was dropped with it; a graduation may have interrupted it since."""
    if not isinstance(stands.fact, Waiting):
        return True
    entries = journal.entries
    first = next(at for at, each in enumerate(entries) if getattr(each.fact, "key", "") == stands.fact.key)
    return first > 0 and entries[first - 1] in dropped


def _changed_places(last_act: Entry | None, ahead: Reading) -> bool:
    """Whether the step that was done last comes right after the open wait now: that is one edit."""
    if last_act is None or last_act not in ahead.reader.given_back:
        return False
    return ahead.reader.called_ahead[1:2] == [last_act.name]


def _waits_ahead(reading: Reading) -> list[WaitCall]:
    return reading.reader.waits_ahead[:MOST_WAITS]


def _skips(used: Used) -> bool:
    return used.choice.answer.startswith((SKIP, MET))


# Evidence that earlier decisions have left


def _then(stands: Entry | None) -> str:
    """What followed the wait in which the lead stands, when it came there."""
    return stands.fact.then if stands is not None and isinstance(stands.fact, Waiting) else ""


def _was_left(stands: Entry | None, journal: Journal) -> bool:
    """Whether the code had lost the wait in which the lead stands already, by the explanation before."""
    if stands is None or journal.explained is None:
        return False
    return any(f"?{stands.name}" in choice.drops for choice in journal.explained.tape)


def _cost_of_going_on(stands: Entry, ahead: Reading) -> float:
    """What it costs that the code goes on from the open wait otherwise than it did when the lead came there.

    Nothing if what it went on with was put before the wait, as one new step.
    """
    calls = ahead.reader.signatures_ahead
    following = calls if stands in ahead.reader.dropped else calls[1:]
    put_in = [used.call for used in ahead.reader.used if _skips(used) and used.cost >= costs.SKIP_STEP]
    passed = [call.name for call in put_in if isinstance(call, StepCall)]
    return 0.0 if not following or _then(stands) in (following[0], *passed) else costs.OTHER_THEN
