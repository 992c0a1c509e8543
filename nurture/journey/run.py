"""A run of a track over a journal: the code calls, the journal's entries answer in order.

A call that is not the next entry means that the track was edited. A plain run is lost there; a run with a reader is
told what to make of it (`nurture.journey.explaining`). Once every entry is accounted for, the run has come to the open
step (`nurture.journey.open_step`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from nurture.errors import TrackError
from nurture.journey.calls import Call, ChoiceCall, EndCall, Lost, StepCall, WaitCall
from nurture.journey.facts import (
    AnyFact,
    Chosen,
    Done,
    Graduated,
    Released,
    Renamed,
    Span,
    Waited,
    Waiting,
)
from nurture.journey.journal import NOWHERE, Entry, Journal
from nurture.journey.keys import WAIT
from nurture.journey.lead import Lead
from nurture.journey.names import Names
from nurture.journey.open_step import settle
from nurture.journey.outcomes import Outcome
from nurture.journey.reads import Judge
from nurture.journey.settle import pick, pieces_had, variant

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.journey.track import Track

AGAIN = object()
"""Look at the next entry again."""

_INSTANT = 1e-3
"""Seconds by which two lengths may differ and be the same."""


class Reader(Protocol):
    """What tells a run how to go on where the code and the journal differ."""

    def arrive(self, call: Call) -> None:
        """The run has come to a call; entries are left."""

    def answer(self, call: Call, entry: Entry) -> Any:
        """What to make of a call, the next entry being this one.

        The entry itself: it answers the call. A stand-in: the call was put in behind the lead. AGAIN: look at the next
        entry again, some were dropped. None: nothing fits.
        """

    def answered(self) -> None:
        """A call that is behind the lead has been answered."""

    def moved_on(self) -> None:
        """The lead has come further before this call: what was read since the call before it is out of date."""

    def beyond(self, call: Call) -> Any:
        """What answers a call past the journal's entries, if the reading knows it: a step that was moved there."""

    def judge(self, question: str, so: bool) -> bool:
        """What to tell the code that asks about the lead."""


class Run:
    """One run of a track over a journal. Its state is what the lead, the reader and the pure functions share."""

    __slots__ = (
        "ahead",
        "catalogue",
        "catching_up",
        "caught_up",
        "closed",
        "cursor",
        "derived",
        "derived_keys",
        "entries",
        "graduated",
        "journal",
        "last_done",
        "left_wait",
        "looking",
        "names",
        "notes",
        "now",
        "offer_seen",
        "offered",
        "position",
        "reader",
        "reason",
        "renames",
        "scope",
        "track",
    )

    def __init__(
        self, track: Track, journal: Journal, now: datetime, catalogue: Catalogue, reader: Reader | None = None
    ) -> None:
        self.track = track
        self.journal = journal
        self.now = now
        self.catalogue = catalogue
        self.reader = reader
        self.entries = journal.entries
        self.cursor = 0
        self.ahead = self.entries[0] if reader is None else NOWHERE  # what answers a call at once
        self.position = 0  # the fact that reads are as of
        self.derived: list[AnyFact] = []
        self.derived_keys: dict[str, int] = {}  # how many of each name are settled with those derived
        self.renames: list[Renamed] = []
        self.reason: Any = journal.facts[0]
        self.notes: list[Any] = []  # what was read since the reason
        self.names = Names(journal.renames, catalogue.renames)
        self.scope = ""
        self.last_done: Done | None = None  # a wait is named after it
        self.graduated = 0
        self.offered = False
        self.offer_seen = -1  # where the last offer was answered: scores up to there graduate nobody
        self.caught_up = list(journal.caught_up)
        self.catching_up: list[StepCall] = []
        self.left_wait: Entry | None = None  # open, or interrupted by a graduation, and no longer in the code
        self.looking = False  # the run has come to rest, and goes on only to see what the code comes to next
        self.closed = False

    async def whole(self) -> None:
        """Run the track from its start; it stops, is lost, or raises, and never returns."""
        outcome = await self.track.function(Lead(self))
        if not isinstance(outcome, Outcome):
            raise TrackError(f"{self.track.where}: returned {outcome!r}; a track returns an Outcome")
        await self.meet(EndCall(outcome.name))

    @property
    def past(self) -> bool:
        """Whether there is an entry that the run has not come to."""
        return self.entries[self.cursor] is not NOWHERE

    # What answers at once: every step ever taken comes through here at every plan, so it is written for speed

    def recall(self, name: str) -> Any:
        """The fact that settled this call if it is the next entry, passing it; else None."""
        entry = self.ahead
        if entry.settled != (self.scope + name if self.scope else name):
            return None
        self.cursor = cursor = self.cursor + 1
        self.ahead = self.entries[cursor]
        self.position = entry.index
        fact = entry.fact
        if type(fact) is Chosen:
            self.notes.append(fact)
            return fact
        self.last_done = self.reason = fact
        if self.notes:
            self.notes.clear()
        return fact

    def recall_wait(self, span: Span, patterns: tuple[str, ...]) -> Any:
        """The fact that settled this wait if it is the next entry and the same wait, passing it; else None."""
        entry = self.ahead
        if entry.settled != (self.scope + WAIT if self.scope else WAIT):
            return None
        fact = entry.fact
        if fact.length != span or fact.until != patterns:
            return None
        self.cursor = cursor = self.cursor + 1
        self.ahead = self.entries[cursor]
        self.position = entry.index
        self.reason = fact
        if self.notes:
            self.notes.clear()
        return fact

    # What does not

    async def meet(self, call: Call) -> Any:
        """Answer a call that is not simply the next entry."""
        if self.closed:
            raise GeneratorExit
        key, opened = "", None
        self._arrive(call)
        while (entry := self.entries[self.cursor]) is not NOWHERE:
            if type(entry.fact) is Graduated and not self.scope:
                await self.graduate(entry.fact, entry.index)
                opened = None
                self._arrive(call)
                continue
            found = self._answer(call, entry)
            if found is None:
                await Lost(call)
            elif isinstance(found, Entry):
                key, opened = found.fact.key, found
            elif found is not AGAIN:
                if self.reader is not None:
                    self.reader.answered()
                return found
        return await settle(self, call, key, opened)

    def _arrive(self, call: Call) -> None:
        if self.reader is not None:
            self.reader.arrive(call)

    def _answer(self, call: Call, entry: Entry) -> Any:
        """What answers a call, the next entry being this one; the entry itself if the lead stands, or stood, there."""
        caught_up = self.caught_up_on(call)
        if caught_up is not None:
            return caught_up
        fitting = entry if self.reader is None and self.fits(call, entry) else None
        found = fitting if self.reader is None else self.reader.answer(call, entry)
        if not isinstance(found, Entry):
            return found
        self._pass(found, call)
        if isinstance(found.fact, Released):
            return AGAIN
        return found.fact if found.settled else found

    def fits(self, call: Call, entry: Entry) -> bool:
        """Whether an entry is what is called for, under this or a former name."""
        if isinstance(call, EndCall):
            return False
        fact = entry.fact
        if isinstance(call, WaitCall):
            return (
                entry.name == self.scope + WAIT
                and same_span(fact.length, call.span)
                and (fact.until == call.patterns or set(fact.until) == set(call.patterns))
            )
        if isinstance(fact, Released):
            return not self.scope and self.names.same(fact.step, call.name)
        if entry.name == self.scope + call.name:
            return True
        if entry.scope != self.scope or isinstance(fact, Waited | Waiting | Graduated):
            return False
        names = self.names.of(entry.bare)
        return call.name in names or any(was in names for was in call.was)

    def _pass(self, entry: Entry, call: Call) -> None:
        self._advance()
        if isinstance(call, StepCall | ChoiceCall) and entry.bare != call.name:
            self._note_rename(entry, call)
        if entry.settled:
            self.stand(entry)

    def _advance(self) -> None:
        self.cursor += 1
        if self.reader is None:
            self.ahead = self.entries[self.cursor]

    def _note_rename(self, entry: Entry, call: StepCall | ChoiceCall) -> None:
        """Remember a name that the code will have forgotten once its `was=` is tidied away."""
        if isinstance(entry.fact, Released) or not self.fits(call, entry):
            return
        if not Names([*self.journal.renames, *self.renames]).same(entry.bare, call.name):
            self.names.join(entry.bare, call.name)
            self.renames.append(Renamed(self.now, entry.bare, call.name))

    def note_former_names(self, call: StepCall) -> None:
        """Remember that a step that is about to be done has former names: code that has only these must know it."""
        for was in call.was:
            if not Names([*self.journal.renames, *self.renames]).same(was, call.name):
                self.names.join(was, call.name)
                self.renames.append(Renamed(self.now, was, call.name))

    def note_renamed_pieces(self) -> None:
        """Remember the new names of pieces that the lead has had, before their files forget the old ones."""
        if not self.catalogue.renames:
            return
        known = Names([*self.journal.renames, *self.renames])
        had = pieces_had(self.journal)
        for was, now in self.catalogue.renames:
            if was in had and not known.same(f"send:{was}", f"send:{now}"):
                self.renames.append(Renamed(self.now, f"send:{was}", f"send:{now}"))

    def stand(self, entry: Entry) -> None:
        """Stand at a settled entry: reads are as of there, and it is the reason for what follows."""
        self.position = entry.index
        fact = entry.fact
        if isinstance(fact, Chosen):
            self.notes.append(fact)
            return
        if isinstance(fact, Done):
            self.last_done = fact
        self.reason = fact
        self.notes.clear()

    def caught_up_on(self, call: Call) -> Done | None:
        """What was done for a lead that was past this step."""
        if isinstance(call, StepCall) and not self.scope:
            for entry in self.caught_up:
                names = (call.name, *call.was)
                same = any(self.names.same(entry.name, name) for name in names)
                if same and not self.fits(call, self.entries[self.cursor]):
                    self.caught_up.remove(entry)
                    fact: Done = entry.fact
                    return fact
        return None

    # Graduations

    def because_of(self, fact: AnyFact) -> None:
        """What follows is because of this fact, and of nothing read before it."""
        self.reason = fact
        self.notes.clear()

    async def graduate(self, graduated: Graduated, index: int) -> None:
        """Run the graduation in place of the step called for; returns if the lead goes on with the track."""
        if index < len(self.journal):
            self._advance()
        self.graduated += 1
        outer = self.scope, self.last_done, self.left_wait
        self.scope = "graduation/" if self.graduated == 1 else f"graduation~{self.graduated}/"
        self.last_done = self.left_wait = None
        self.position = max(self.position, index)
        self.because_of(graduated)
        outcome = await self.track.on_graduation(Lead(self))
        if not isinstance(outcome, Outcome):
            raise TrackError(f"{self.track.where}: its graduation returned {outcome!r}, not an Outcome")
        if not outcome.returns and not self._went_on():
            await self.meet(EndCall(outcome.name))
        self.scope, self.last_done, self.left_wait = outer

    def _went_on(self) -> bool:
        """Whether the lead has been outside the graduation since: an edit that ends it there comes too late."""
        return any(entry.scope != self.scope for entry in self.entries[self.cursor : -1])

    # What the reader and the open step share

    @property
    def judge(self) -> Judge | None:
        """Who may turn round what the code asks about the lead."""
        return self.reader.judge if self.reader is not None else None

    def variant(self, call: ChoiceCall) -> str:
        """The variant of an experiment that falls to this lead."""
        return variant(call.name, self.journal.enrolled.lead, call.variants)

    def picked(self, call: ChoiceCall) -> str | None:
        """The piece that this lead gets next."""
        chosen = [fact for fact in self.derived if isinstance(fact, Chosen)]
        return pick(call, self.journal, chosen, self.names, self.catalogue)


def same_span(one: Span, other: Span) -> bool:
    """Whether two waits are as long, as the code says it."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) < _INSTANT
    return one == other
