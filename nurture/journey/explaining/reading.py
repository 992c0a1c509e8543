"""A reading: one run of the code under a tape. It pays for each contradiction, and notes what else it could do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from types import FrameType
from typing import TYPE_CHECKING, Any

from nurture.errors import PerennialError, TrackError
from nurture.journey import as_of, lead, reads, skipped
from nurture.journey import run as running
from nurture.journey.calls import Call, ChoiceCall, EndCall, Lost, StepCall, Stop, WaitCall
from nurture.journey.decision import AnyNext
from nurture.journey.driving import drive
from nurture.journey.explaining import costs
from nurture.journey.explaining.state import state_of
from nurture.journey.explaining.tape import (
    ALTER,
    DROP,
    DROP_AND_ALTER,
    EVERY,
    FLIP,
    IN_PLACE,
    MET,
    NONE,
    REWORD,
    SKIP,
    SO,
    Option,
    Tape,
    met,
)
from nurture.journey.facts import Chosen, Deferred, Graduated, Released, TapeChoice, Waited, Waiting
from nurture.journey.journal import NOWHERE, Entry, Journal
from nurture.journey.keys import WAIT
from nurture.journey.run import AGAIN, Run, same_span
from nurture.journey.skipped import Skipped, Unknown

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.journey.track import Track

MOST_POINTS = 100
"""A reading that comes to more places than this without one that the journal knows runs in circles."""

MOST_AHEAD = 300
"""How many calls ahead of the lead are looked at for steps that were moved there."""

MOST_MATCHES = 3
"""How many of the entries further on that would answer a call are tried."""

PIECE_WITHIN = 4
"""A choice put in behind the lead was of the piece that was sent within the next entries."""

REWORDED = ("alert", "hand_off", "enrol")
"""Steps that are named by their text alone."""


_Site = tuple[int, int]
"""A line of the track's code: which function, and where in it."""

_READS = {reads.__file__, as_of.__file__, lead.__file__, skipped.__file__}


@dataclass(slots=True)
class Used:
    """A choice that a reading has made use of, with what is needed to say it."""

    choice: TapeChoice
    cost: float
    call: Call | None = None
    entries: tuple[Entry, ...] = ()
    then: Entry | None = None  # the next step that was done, which speaks for it
    taken: bool = False  # what a flipped read was taken as


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
    """Run the track under a tape. `ahead`: on past the open step, as unmet or as met, to see what is still to come."""
    reader = TapeReader(tape, ahead=ahead)
    run = Run(track, journal, now, catalogue, reader)
    reader.run = run
    reading = Reading(run, reader)
    try:
        found = drive(run, track, at_loss=lambda coroutine: _note_state(reading, coroutine))
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


class TapeReader:
    """Tells a run what its tape says, pays for it, and notes the options that it had."""

    run: Run

    def __init__(self, tape: Tape, *, ahead: str = "") -> None:
        self.told = {choice.point: choice for choice in tape}
        self.fresh = tape[-1].point if tape else 0  # options are noted after this point only: the others are known
        self.ahead = ahead
        self.called_ahead: list[str] = []
        self.waits_ahead: list[WaitCall] = []
        self.point = 0
        self.known_at = 0  # the last point at which an entry was accounted for
        self.heard = 0  # the last point whose choice was taken
        self.cost = 0.0
        self.used: list[Used] = []
        self.alternatives: list[Option] = []
        self.dropped: list[Entry] = []
        self.given_back: list[Entry] = []  # dropped, and met again further on
        self.displaced: list[str] = []  # steps that were called for, and answered by another of them
        self.stood_in: list[Entry] = []  # those others
        self.steps_dropped = 0
        self.steps_skipped = 0
        self.altering = False  # the next entry is to be taken as altered
        self.stale = False  # the tape speaks of something else than the code has there
        self.helpers: tuple[FrameType, ...] = ()  # the calls of helpers that the run is in, the innermost first
        self.put_in: list[FrameType] = []  # helpers of which a step was skipped
        self.matched: list[FrameType] = []  # helpers of which a step was the journal's
        self.site: _Site = (0, 0)  # the line that the run is at
        self.sites: set[_Site] = set()  # the lines whose calls were in the journal
        self.contradicted: set[tuple[_Site, str, str]] = set()  # what was paid for, and at which line
        self.every: dict[tuple[_Site, str], str] = {}  # what holds at a line in every further turn

    # What the run asks

    def arrive(self, call: Call) -> None:
        """Number the call, if entries are left, and see which helpers it is in."""
        if self.run.past:
            self._next_point()
            self.site, self.helpers = ((0, 0), ()) if isinstance(call, EndCall) else _whereabouts()

    def answer(self, call: Call, entry: Entry) -> Any:
        """What to make of a call, the next entry being this one; see `nurture.journey.run.Reader`."""
        told = self.told.get(self.point) if self.heard != self.point else None
        self.heard = self.point
        if told is not None:
            if told.call != self._label(call):
                self.stale = True
                return None
            answered = self._obey(told, call, entry)
            if answered is not None:
                return answered
        elif (every := self.every.get((self.site, self._label(call)))) and not self.run.fits(call, entry):
            answered = self._obey(TapeChoice(self.point, self._label(call), every), call, entry, pays=False)
            if answered is not None:
                return answered
        altering, self.altering = self.altering, False
        if self.run.fits(call, entry):
            if self.point > self.fresh:
                self.alternatives += self._skips(call)
            return self._took(entry)
        if altering and self._alterable(call, entry):
            self.cost += self._alter_cost(call, entry)
            return self._took(entry)
        if isinstance(entry.fact, Released):
            return self.beyond(call)
        return None if self._changes_places(call, entry) else self._given_back(call)

    def _given_back(self, call: Call) -> Any:
        """The fact of a step that was moved to here from before: it is done, and nothing is read as of then."""
        for entry in (*self.dropped, *self.stood_in, *self.run.journal.set_aside):
            if entry.acted and entry not in self.given_back and self.run.fits(call, entry):
                self.given_back.append(entry)
                position = self.run.position
                self.run.stand(entry)
                self.run.position = max(position, entry.index)
                return entry.fact
        return None

    def beyond(self, call: Call) -> Any:
        """What answers a call past the journal's entries, if it is known: a step that was moved there."""
        if (fact := self._given_back(call)) is not None:
            self.called_ahead.append(self._label(call))
            return fact
        if self.ahead and not isinstance(call, EndCall):
            self.called_ahead.append(self._label(call))
            if isinstance(call, WaitCall):
                self.waits_ahead.append(call)
            if len(self.called_ahead) > MOST_AHEAD:
                raise TrackError("looked far enough ahead")
            return Skipped(met=self.ahead == MET)
        return None

    def judge(self, question: str, so: bool) -> bool:
        """What to tell the code: the truth, unless the tape says otherwise."""
        if not self.run.past:
            return so
        self._next_point()
        told = self.told.get(self.point)
        label = self.run.scope + question
        self.site = _line_of_read()
        if told is None and (self.site, label) in self.every:
            if self.point > self.fresh:
                self.alternatives.append(Option(TapeChoice(self.point, label, SO), costs.AGAIN, self._left))
            return not so
        if told is not None and told.answer == SO and self.every.pop((self.site, label), None):
            self._pay(told, costs.AGAIN)
            self.used[-1].taken = so
            return so
        if told is None:
            if self.point > self.fresh:
                self.alternatives.append(self._priced(label, FLIP, costs.FLIP))
            return so
        if told.call != label or told.answer.removesuffix(EVERY) != FLIP:
            self.stale = True
            return so
        self._pay(told, costs.FLIP)
        self.used[-1].taken = not so
        return not so

    def remembered(self) -> Any:
        """What of the way here bears on what comes: two readings that agree on it go on alike."""
        dropped = tuple(entry.index for entry in self.dropped if entry.acted and entry not in self.given_back)
        helpers = tuple((frame in self.put_in, frame in self.matched) for frame in self.helpers)
        places = frozenset(self.displaced), frozenset(entry.index for entry in self.stood_in)
        return (
            dropped,
            helpers,
            places,
            len(self.given_back),
            frozenset(self.contradicted),
            frozenset(self.every.items()),
        )

    def _next_point(self) -> None:
        self.point += 1
        if self.point - self.known_at > MOST_POINTS:
            raise TrackError(f"more than {MOST_POINTS} places without one that the journal knows")

    def _label(self, call: Call) -> str:
        return self.run.scope + call.name

    # What the tape says

    def _obey(self, told: TapeChoice, call: Call, entry: Entry, *, pays: bool = True) -> Any:
        """Do what the tape says, or what holds in every turn; None if there is no need, or no way, to."""
        answer = told.answer.removesuffix(EVERY)
        if answer in (ALTER, REWORD, DROP, DROP_AND_ALTER, IN_PLACE):
            if self.run.fits(call, entry):
                return None
            if answer == IN_PLACE:
                if not self._changes_places(call, entry):
                    return None
                if pays:
                    self._pay(told, self._cost_of_place(entry), call, (entry,))
                self.displaced.append(call.name)
                self.stood_in.append(entry)
                return self._took(entry)
            if answer in (DROP, DROP_AND_ALTER):
                self.altering = answer == DROP_AND_ALTER
                return self._drop(told, call)
            can = self._alterable(call, entry) if answer == ALTER else self._rewordable(call, entry)
            if not can:
                return None
            if answer == REWORD:
                self.dropped.append(entry)
            cost = self._alter_cost(call, entry) if answer == ALTER else costs.REWORD
            if pays:
                self._pay(told, cost, call, (entry,))
            return self._took(entry)
        cost_of = dict(self._ways_to_skip(call))
        if answer not in cost_of:
            return None
        if pays:
            self._pay(told, cost_of[answer], call)
        return self._skipped(answer, call)

    def _skipped(self, answer: str, call: Call) -> Skipped:
        as_met, _, choice = answer.partition(":")
        value: Any = None
        if isinstance(call, StepCall):
            self.steps_skipped += 1
            self.put_in += self.helpers
            if call.catch_up and not self.run.scope:
                self.run.catching_up.append(call)
            if call.name.startswith("do:") and answer != NONE:
                value = Unknown(f"value of {call.name.removeprefix('do:')}", self.judge)
        return Skipped(met=as_met == MET, choice=choice or None, value=value)

    def _drop(self, told: TapeChoice, call: Call) -> Any:
        following = iter(self.run.entries[self.run.cursor :])
        entry, entries = next(following), []
        for name in told.drops:
            if entry.name == name.removeprefix("?"):
                entries.append(entry)
                entry = next(following)
            elif not name.startswith("?"):
                self.stale = True
                return None
        if not entries:
            return None
        cost = self._cost_of_dropping(entries) + self._cost_of_ending(call, entries)
        self._pay(told, cost, call, tuple(entries))
        self.contradicted.add((self.site, DROP, _kinds_of(entries)))
        for entry in entries:
            self.dropped.append(entry)
            self.steps_dropped += entry.acted
            if entry is self.run.journal.stands and isinstance(entry.fact, Waiting):
                self.run.left_wait = entry
            if entry.settled:
                self.run.position = entry.index
        self.run.cursor += len(entries)
        self.known_at = self.point
        return AGAIN

    def _took(self, entry: Entry) -> Entry:
        self.matched += self.helpers
        self.sites.add(self.site)
        self.known_at = self.point
        if entry.acted:
            for used in reversed(self.used):
                if used.then is not None:
                    break
                used.then = entry
        return entry

    def _pay(self, told: TapeChoice, cost: float, call: Call | None = None, entries: tuple[Entry, ...] = ()) -> None:
        answer = told.answer.removesuffix(EVERY)
        if answer != told.answer:
            cost = min(cost, costs.AGAIN)
            self.every[self.site, told.call] = answer
        self.contradicted.add((self.site, "" if answer == IN_PLACE else told.call, answer))
        self.cost += cost
        self.used.append(Used(told, cost, call, entries))

    def _priced(self, label: str, answer: str, cost: float) -> Option:
        """An option; if the same was paid for at the same line, it is one edit, and holds for every further turn."""
        if (self.site, label, answer) in self.contradicted:
            return Option(TapeChoice(self.point, label, answer + EVERY), min(cost, costs.AGAIN), self._left)
        return Option(TapeChoice(self.point, label, answer), cost, self._left)

    @property
    def _left(self) -> int:
        """How many entries are not accounted for yet."""
        return len(self.run.entries) - 1 - self.run.cursor

    # What could be told

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
        again = (self.site, DROP, _kinds_of(entries)) in self.contradicted
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
                # A helper that was put in is one edit: its first step costs, the others hardly anything.
                within = any(each in self.put_in and each not in self.matched for each in self.helpers)
                cost = costs.SKIP_STEP
                if within:
                    cost = costs.SKIP_IN_HELPER
                elif self.site in self.sites:
                    cost = costs.SKIP_IN_TURN
                found = [(SKIP, cost), (MET, cost + costs.SKIP_STEP_MET - costs.SKIP_STEP)]
                if call.name.startswith("do:"):
                    found.append((NONE, cost))
            case EndCall():
                found = []
        return found

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
            if not one and self._is_over(call, fact):
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


def _kinds_of(entries: Sequence[Entry]) -> str:
    """What was dropped, without what it was about: a loop sends another piece in each turn."""
    return " ".join(entry.name.partition(":")[0] for entry in entries)


def _cost_of_dropping(entries: Sequence[Entry], journal: Journal) -> float:
    cost, steps, after_step = 0.0, 0, False
    for entry in entries:
        stands = entry is journal.stands or isinstance(entry.fact, Waiting | Deferred)
        if entry.acted:
            cost += costs.DROP_STEP_IN_ROW if steps else costs.DROP_STEP
            steps += 1
        elif stands and not after_step:
            cost += costs.DROP_STANDING
        else:
            cost += costs.DROP_PAUSE_IN_ROW if steps > 1 else costs.DROP_PAUSE
        after_step = entry.acted
    return cost


def _whereabouts() -> tuple[_Site, tuple[FrameType, ...]]:
    """The line of the track's code that calls, and the calls of helpers that it is in, the innermost first."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the run that asks
    while frame is not None and frame.f_code.co_filename != lead.__file__:
        frame = frame.f_back
    found: list[FrameType] = []
    while frame is not None and frame.f_code.co_filename != running.__file__:
        if frame.f_code.co_filename != lead.__file__:
            found.append(frame)
        frame = frame.f_back
    site = (id(found[0].f_code), found[0].f_lasti) if found else (0, 0)
    return site, tuple(found[:-1])  # the track's own function is no helper


def _line_of_read() -> _Site:
    """The line of the track's code that reads."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - what the code reads
    while frame is not None and frame.f_code.co_filename in _READS:
        frame = frame.f_back
    return (id(frame.f_code), frame.f_lasti) if frame is not None else (0, 0)
