"""What tells a run over a journal how edited code is to be read: it obeys a tape, and pays for each contradiction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nurture.errors import TrackError
from nurture.journey.calls import Call, EndCall, StepCall, WaitCall, signature
from nurture.journey.explaining import costs
from nurture.journey.explaining.offers import Offers, kinds_of
from nurture.journey.explaining.places import NOWHERE_IN_CODE, Site, line_of_read, whereabouts
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
    SO,
    Option,
    Tape,
)
from nurture.journey.facts import Released, TapeChoice, Waiting
from nurture.journey.journal import Entry
from nurture.journey.run import AGAIN, Run
from nurture.journey.skipped import Skipped, Unknown

MOST_POINTS = 100
"""A reading that comes to more places than this without one that the journal knows runs in circles."""

MOST_AHEAD = 300
"""How many calls ahead of the lead are looked at for steps that were moved there."""


@dataclass(slots=True)
class Used:
    """A choice that a reading has made use of, with what is needed to say it."""

    choice: TapeChoice
    cost: float
    call: Call | None = None
    entries: tuple[Entry, ...] = ()
    then: Entry | None = None  # the next step that was done, which speaks for it
    taken: bool = False  # what a flipped read was taken as


class TapeReader(Offers):
    """Tells a run what its tape says, pays for it, and notes the options that it had."""

    def __init__(self, tape: Tape, *, ahead: str = "", late: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self.reads_from = late or {}  # by the point of a call: from where on reads are made after it
        self.late: dict[int, int] = {}  # the same, as this run found out
        self.call_before = self.call_at = 0  # the points of the last two calls
        self.told = {choice.point: choice for choice in tape}
        self.fresh = tape[-1].point if tape else 0  # options are noted after this point only: the others are known
        self.ahead = ahead
        self.called_ahead: list[str] = []
        self.waits_ahead: list[WaitCall] = []
        self.signatures_ahead: list[str] = []
        self.known_at = 0  # the last point at which an entry was accounted for
        self.heard = 0  # the last point whose choice was taken
        self.cost = 0.0
        self.used: list[Used] = []
        self.alternatives: list[Option] = []
        self.given_back: list[Entry] = []  # dropped, and met again further on
        self.displaced: list[str] = []  # steps that were called for, and answered by another of them
        self.stood_in: list[Entry] = []  # those others
        self.altered: list[Entry] = []  # taken though they were edited
        self.steps_dropped = 0
        self.steps_skipped = 0
        self.altering = False  # the next entry is to be taken as altered
        self.stale = False  # the tape speaks of something else than the code has there
        self.every: dict[tuple[Site, str], str] = {}  # what holds at a line in every further turn

    def begin(self, run: Run) -> None:
        """Read this run from now on."""
        self.run = run
        self.answered()

    # What the run asks

    def arrive(self, call: Call) -> None:
        """Number the call, if entries are left, and see which helpers it is in."""
        if self.run.past:
            self._next_point()
            self.call_before, self.call_at = self.call_at, self.point
            self.site, self.helpers = (NOWHERE_IN_CODE, ()) if isinstance(call, EndCall) else whereabouts()

    def answer(self, call: Call, entry: Entry) -> Any:
        """What to make of a call, the next entry being this one; see `nurture.journey.run.Reader`."""
        answered = self._told(call, entry)
        if answered is not None or self.stale:
            return answered
        altering, self.altering = self.altering, False
        if self.run.fits(call, entry):
            if self.point > self.fresh:
                self.alternatives += self._skips(call)
            return self._took(entry)
        if altering and self._alterable(call, entry):
            self.cost += self._alter_cost(call, entry)
            self.altered.append(entry)
            return self._took(entry)
        if isinstance(entry.fact, Released):
            return self.beyond(call)
        return None if self._changes_places(call, entry) else self._given_back(call)

    def answered(self) -> None:
        """Read from where the lead was when the code came here, if that is known."""
        self.run.position = max(self.run.position, self.reads_from.get(self.call_at, 0))

    def moved_on(self) -> None:
        """What was read since the call before should have been read from here."""
        self.late[self.call_before] = self.run.position

    def _told(self, call: Call, entry: Entry) -> Any:
        """What the tape says of a call, or what holds in every turn; None if it says nothing, or is stale."""
        told = self.told.get(self.point) if self.heard != self.point else None
        self.heard = self.point
        label = self._label(call)
        if told is not None:
            self.stale = self.stale or told.call != label
            return None if self.stale else self._obey(told, call, entry)
        every = self.every.get((self.site, label))
        if every is None or self.run.fits(call, entry):
            return None
        return self._obey(TapeChoice(self.point, label, every), call, entry, pays=False)

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
        if self.ahead:
            self.signatures_ahead.append(signature(call, self.run.scope))
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
        self.site = line_of_read()
        if told is None:
            return self._as_in_every_turn(label, so)
        if told.call == label and told.answer == SO and (self.site, label) in self.every:
            del self.every[self.site, label]
            self._pay(told, costs.AGAIN)
            self.used[-1].taken = so
            return so
        if told.call != label or told.answer.removesuffix(EVERY) != FLIP:
            self.stale = True
            return so
        self._pay(told, costs.FLIP)
        self.used[-1].taken = not so
        return not so

    def _as_in_every_turn(self, label: str, so: bool) -> bool:
        """The truth, or its opposite if it was turned round in every turn; either way it could be otherwise."""
        flipped = (self.site, label) in self.every
        if self.point > self.fresh:
            otherwise = Option(TapeChoice(self.point, label, SO), costs.AGAIN, self._left)
            self.alternatives.append(otherwise if flipped else self._priced(label, FLIP, costs.FLIP))
        return so != flipped

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

    # What the tape says

    def _obey(self, told: TapeChoice, call: Call, entry: Entry, *, pays: bool = True) -> Any:
        """Do what the tape says, or what holds in every turn; None if there is no need, or no way, to."""
        answer = told.answer.removesuffix(EVERY)
        if answer in (DROP, DROP_AND_ALTER):
            if self.run.fits(call, entry):
                return None
            self.altering = answer == DROP_AND_ALTER
            return self._drop(told, call)
        if answer in (ALTER, REWORD, IN_PLACE):
            cost = self._cost_of_taking(answer, call, entry)
            if cost is None:
                return None
            if pays:
                self._pay(told, cost, call, (entry,))
            self._note_taken(answer, call, entry)
            return self._took(entry)
        cost_of = dict(self._ways_to_skip(call))
        if answer not in cost_of:
            return None
        if pays:
            self._pay(told, cost_of[answer], call)
        return self._skipped(answer, call)

    def _note_taken(self, answer: str, call: Call, entry: Entry) -> None:
        if answer == REWORD:
            self.dropped.append(entry)
        elif answer == ALTER:
            self.altered.append(entry)
        else:
            self.displaced.append(call.name)
            self.stood_in.append(entry)

    def _cost_of_taking(self, answer: str, call: Call, entry: Entry) -> float | None:
        """What it costs to take an entry for this call so; None if it cannot be, or is the call's own."""
        if self.run.fits(call, entry):
            return None
        if answer == ALTER and self._alterable(call, entry):
            return self._alter_cost(call, entry)
        if answer == REWORD and self._rewordable(call, entry):
            return costs.REWORD
        if answer == IN_PLACE and self._changes_places(call, entry):
            return self._cost_of_place(entry)
        return None

    def _skipped(self, answer: str, call: Call) -> Skipped:
        as_met, _, choice = answer.partition(":")
        value: Any = None
        if isinstance(call, StepCall):
            self.steps_skipped += 1
            self.put_in += self.helpers
            if call.catch_up and not self.run.scope and not self._caught_up(call):
                self.run.catching_up.append(call)
            if call.name.startswith("do:") and answer != NONE:
                value = Unknown(f"value of {call.name.removeprefix('do:')}", self.judge)
        return Skipped(met=as_met == MET, choice=choice or None, value=value)

    def _caught_up(self, call: StepCall) -> bool:
        """Whether the lead has been given this step already, or is about to be: once is enough, also in a loop."""
        names = self.run.names
        given = [entry.name for entry in self.run.journal.caught_up]
        given += [each.name for each in self.run.catching_up]
        return any(names.same(one, name) for one in given for name in (call.name, *call.was))

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
        self.contradicted.add((self.site, DROP, kinds_of(entries)))
        for entry in entries:
            self.dropped.append(entry)
            self.steps_dropped += entry.acted
            if isinstance(entry.fact, Waiting):
                self.run.left_wait = entry
            if entry.settled:
                self.run.position = entry.index
                self.moved_on()
        self.run.cursor += len(entries)
        self.known_at = self.point
        return AGAIN

    def _took(self, entry: Entry) -> Entry:
        if not self.run.scope:
            self.run.left_wait = None
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
