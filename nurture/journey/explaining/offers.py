"""What a run that is lost could be told, and what each contradiction costs there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import takewhile
from types import FrameType

from nurture.journey.calls import Call, ChoiceCall, EndCall, StepCall, WaitCall
from nurture.journey.explaining import costs
from nurture.journey.explaining.places import NOWHERE_IN_CODE, Site
from nurture.journey.explaining.tape import (
    ALTER,
    DROP,
    DROP_AND_ALTER,
    EVERY,
    IN_PLACE,
    MET,
    NONE,
    REWORD,
    SKIP,
    Option,
    met,
)
from nurture.journey.facts import Chosen, Deferred, Graduated, Released, TapeChoice, Waited, Waiting
from nurture.journey.journal import NOWHERE, Entry, Journal
from nurture.journey.keys import WAIT
from nurture.journey.run import Run, same_span

MOST_MATCHES = 3
"""How many of the entries further on that would answer a call are tried."""

PIECE_WITHIN = 4
"""A choice put in behind the lead was of the piece that was sent within the next entries."""

REWORDED = ("alert", "hand_off", "enrol")
"""Steps that are named by their text alone."""


class Offers:
    """Where a reading is, what it has paid for on the way, and what it could be told next."""

    run: Run

    def __init__(self) -> None:
        self.point = 0
        self.dropped: list[Entry] = []
        self.helpers: tuple[FrameType, ...] = ()  # the calls of helpers that the run is in, the innermost first
        self.put_in: list[FrameType] = []  # helpers of which a step was skipped
        self.matched: list[FrameType] = []  # helpers of which a step was the journal's
        self.site: Site = NOWHERE_IN_CODE  # the line that the run is at
        self.sites: set[Site] = set()  # the lines whose calls were in the journal
        self.contradicted: set[tuple[Site, str, str]] = set()  # what was paid for, and at which line

    def _label(self, call: Call) -> str:
        return self.run.scope + call.name

    def options(self, call: Call) -> list[Option]:
        """What a run that is lost at this call could be told there."""
        entries, start = self.run.entries, self.run.cursor
        if isinstance(call, EndCall):
            rest = list(takewhile(lambda each: not isinstance(each.fact, Graduated | Released), entries[start:-1]))
            if not rest:
                return []
            option = self._drop_option(call, rest)
            return [Option(option.choice, option.cost + self._cost_of_ending(call, rest), option.left)]
        found = self._skips(call)
        if isinstance(entries[start].fact, Released):
            return found
        if self._alterable(call, entries[start]):
            found.append(self._option(call, ALTER, self._alter_cost(call, entries[start])))
        if self._rewordable(call, entries[start]):
            found.append(self._option(call, REWORD, costs.REWORD))
        if self._changes_places(call, entries[start]):
            choice = TapeChoice(self.point, self._label(call), IN_PLACE)
            found.append(Option(choice, self._cost_of_place(entries[start]), self._left - 1))
        return found + self._drops(call)

    def _option(self, call: Call, answer: str, cost: float) -> Option:
        return self._priced(self._label(call), answer, cost)

    def _drop_option(self, call: Call, entries: Sequence[Entry], altered: Entry | None = None) -> Option:
        stands = self.run.journal.stands
        names = tuple(f"?{entry.name}" if entry is stands else entry.name for entry in entries)
        answer = DROP if altered is None else DROP_AND_ALTER
        cost = self._cost_of_dropping(entries) + (self._alter_cost(call, altered) if altered else 0.0)
        left = self._left - len(entries)
        return Option(TapeChoice(self.point, self._label(call), answer, names), cost, left)

    def _cost_of_dropping(self, entries: Sequence[Entry]) -> float:
        """What it costs; steps of the same kind dropped at the same line, in another turn of a loop, are one edit.

        So is a wait that a graduation interrupted, and in which the lead stands again.
        """
        left = {entry.fact.key for entry in self.dropped if isinstance(entry.fact, Waiting)}
        entries = [entry for entry in entries if not (isinstance(entry.fact, Waiting) and entry.fact.key in left)]
        cost = _cost_of_dropping(entries, self.run.journal)
        again = (self.site, DROP, kinds_of(entries)) in self.contradicted
        again = again and self.run.journal.stands not in entries
        return min(cost, costs.AGAIN * len(entries)) if again else cost

    def _cost_of_ending(self, call: Call, dropped: Sequence[Entry]) -> float:
        return costs.ENDED if isinstance(call, EndCall) and any(entry.acted for entry in dropped) else 0.0

    def _skips(self, call: Call) -> list[Option]:
        return [self._option(call, answer, cost) for answer, cost in self._ways_to_skip(call)]

    def _ways_to_skip(self, call: Call) -> list[tuple[str, float]]:
        """The ways in which a call was put in behind the lead, and what each costs."""
        match call:
            case WaitCall():
                found = [(SKIP, costs.SKIP_PAUSE)]
                if call.until is not None:
                    found.append((MET, costs.SKIP_PAUSE_MET))
            case ChoiceCall() if call.stage is None:
                own = self.run.variant(call)
                found = [
                    (met(each), costs.SKIP_PAUSE if each == own else costs.SKIP_OTHER_VARIANT) for each in call.variants
                ]
            case ChoiceCall():
                found = [(SKIP, costs.SKIP_PAUSE)]
                piece = self._piece_meant(call)
                if piece is not None:
                    found.append((met(piece), costs.SKIP_PAUSE_MET))
            case StepCall():
                cost = self._cost_of_skipping_step()
                found = [(SKIP, cost), (MET, cost + costs.SKIP_STEP_MET - costs.SKIP_STEP)]
                if call.name.startswith("do:"):
                    found.append((NONE, cost))
            case EndCall():
                found = []
        return found

    def _cost_of_skipping_step(self) -> float:
        # A helper that was put in is one edit: its first step costs, the others hardly anything.
        if any(each in self.put_in and each not in self.matched for each in self.helpers):
            return costs.SKIP_IN_HELPER
        return costs.SKIP_IN_TURN if self.site in self.sites else costs.SKIP_STEP

    def _piece_meant(self, call: ChoiceCall) -> str | None:
        """The piece that a choice put in behind the lead was of: the one sent next, else what it would pick."""
        run = self.run
        for entry in run.entries[run.cursor : run.cursor + PIECE_WITHIN]:
            if entry.acted and entry.scope == run.scope and entry.bare.startswith("send:"):
                piece = run.catalogue.pieces.get(run.catalogue.current(entry.bare.removeprefix("send:")))
                if piece is not None and piece.stage == call.stage:
                    return piece.id
        return run.picked(call)

    def _drops(self, call: Call) -> list[Option]:
        """Leave out entries up to one that answers the call, or up to the next graduation, or the end."""
        run = self.run
        found: list[Option] = []
        entries: list[Entry] = []
        fits = False
        for entry in run.entries[run.cursor :]:
            ends = entry is NOWHERE or isinstance(entry.fact, Graduated)
            if ends and entries and not fits and not (run.scope and entry is not NOWHERE):
                found.append(self._drop_option(call, entries))
            if ends or (run.scope and entry.scope != run.scope) or len(found) >= MOST_MATCHES:
                break
            if entries and run.fits(call, entry):
                fits = True
                found.append(self._drop_option(call, entries))
            elif entries and isinstance(call, WaitCall) and self._alterable(call, entry):
                found.append(self._drop_option(call, entries, entry))
            entries.append(entry)
        return found

    def _alterable(self, call: Call, entry: Entry) -> bool:
        scope = self.run.scope
        match call:
            case WaitCall():
                return entry.name == scope + WAIT and isinstance(entry.fact, Waited | Waiting)
            case ChoiceCall() if call.stage is not None:
                return isinstance(entry.fact, Chosen) and entry.name.startswith(f"{scope}next_piece:")
            case _:
                return False

    def _alter_cost(self, call: Call, entry: Entry) -> float:
        if not isinstance(call, WaitCall):
            return costs.ALTER_CHOICE
        fact: Waited | Waiting = entry.fact
        one = same_span(fact.length, call.span) or set(fact.until) == set(call.patterns)
        cost = costs.ALTER if one else costs.ALTER_BOTH
        if isinstance(fact, Waiting):
            cost += costs.ALTER_OPEN
            if self._is_over(call, fact):
                cost += costs.ALTER_OVER
        return cost

    def _is_over(self, call: WaitCall, fact: Waiting) -> bool:
        return call.length is not None and self.run.now >= fact.at + +call.length

    def _changes_places(self, call: Call, entry: Entry) -> bool:
        """Whether an entry can answer for a step that was done at another place, as it was for this one."""
        scope = self.run.scope
        if not isinstance(call, StepCall) or not entry.acted or entry.scope != scope:
            return False
        name = scope + call.name
        verb = name.partition(":")[0]
        return entry.name.partition(":")[0] == verb and any(
            each.acted and each.name == name for each in self.run.entries
        )

    def _cost_of_place(self, entry: Entry) -> float:
        """Less in a further turn; more for what was done last, for that is where the lead stands."""
        if entry is self.last_act:
            return costs.IN_PLACE + costs.IN_PLACE_LAST
        again = (self.site, "", IN_PLACE) in self.contradicted
        return costs.AGAIN if again else costs.IN_PLACE

    @cached_property
    def last_act(self) -> Entry | None:
        """The step that was done last."""
        return next((entry for entry in reversed(self.run.entries) if entry.acted), None)

    def _rewordable(self, call: Call, entry: Entry) -> bool:
        verb = call.name.partition(":")[0]
        return (
            isinstance(call, StepCall)
            and verb in REWORDED
            and entry.acted
            and entry.name.startswith(f"{self.run.scope}{verb}:")
        )

    def _priced(self, label: str, answer: str, cost: float) -> Option:
        """An option; if the same was paid for at the same line, it is one edit, and holds for every further turn."""
        if (self.site, label, answer) in self.contradicted:
            return Option(TapeChoice(self.point, label, answer + EVERY), min(cost, costs.AGAIN), self._left)
        return Option(TapeChoice(self.point, label, answer), cost, self._left)

    @property
    def _left(self) -> int:
        """How many entries are not accounted for yet."""
        return len(self.run.entries) - 1 - self.run.cursor


def kinds_of(entries: Sequence[Entry]) -> str:
    """What was dropped, without what it was about: a loop sends another piece in each turn."""
    return " ".join(entry.name.partition(":")[0] for entry in entries)


def _cost_of_dropping(entries: Sequence[Entry], journal: Journal) -> float:
    cost, steps = 0.0, 0
    for entry in entries:
        stands = entry is journal.stands or isinstance(entry.fact, Waiting | Deferred)
        if entry.acted:
            cost += costs.DROP_STEP_IN_ROW if steps else costs.DROP_STEP
            steps += 1
        elif stands and not steps:
            cost += costs.DROP_STANDING
        else:
            cost += costs.DROP_PAUSE_IN_ROW if steps > 1 else costs.DROP_PAUSE
    return cost
