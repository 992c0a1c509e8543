"""The journal of one lead on one track: its facts in order, indexed for `plan`.

What a run goes over are the journal's *entries*: what was settled, in order, and at the end where the lead stands.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Belongs,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Explained,
    Finished,
    Graduated,
    Held,
    Overridden,
    Paused,
    Released,
    Renamed,
    Resumed,
    Scored,
    Waited,
    Waiting,
)
from nurture.journey.keys import CATCH_UP, WAIT, Key

TOLERANCE = timedelta(seconds=2)
"""Event times come in whole seconds, from clocks that are not ours: that much earlier is not before the enrolment."""


class Entry:
    """One thing the code must account for: what was settled, where the lead stands or stood, a graduation, a release.

    `name` is what the code calls for, with its scope (`graduation/send:offer`); `settled` the same if the entry is the
    answer to that call, else "". `index` is the place of its fact in the journal.
    """

    __slots__ = ("fact", "index", "name", "settled")

    def __init__(self, name: str, fact: Any, index: int, *, settled: bool = False) -> None:
        self.name = name
        self.fact = fact
        self.index = index
        self.settled = name if settled else ""

    @property
    def scope(self) -> str:
        """The scope of the name: `graduation/`, `graduation~2/` or ""."""
        scope = Key.parse(self.name).scope
        return f"{scope}/" if scope else ""

    @property
    def bare(self) -> str:
        """The name without its scope."""
        return self.name[len(self.scope) :]

    @property
    def acted(self) -> bool:
        """Whether something was done: a step, and not a wait or a choice."""
        return isinstance(self.fact, Done)


NOWHERE = Entry("", None, 1 << 60)
"""What comes after the last entry: everything is accounted for."""


class Journal:
    """An append-only list of facts. `decided` is how many of them an earlier decision has already looked at.

    Rules that interrupt (exits, graduation) look only at facts from `decided` on, so that an edited rule never reaches
    back into the past. A journal never changes: each method that adds to it answers another one.
    """

    def __init__(self, facts: Iterable[AnyFact] = (), decided: int = 0) -> None:
        self.facts: tuple[AnyFact, ...] = ()
        self.decided = decided
        self.entries: tuple[Entry, ...] = (NOWHERE,)
        self.stands: Entry | None = None  # the open wait, or the send that was put off: the last entry
        self.set_aside: tuple[Entry, ...] = ()  # what was done before a person placed the lead
        self.caught_up: tuple[Entry, ...] = ()  # what was done for a lead that was past it
        self.steps: dict[str, int] = {}  # key of a step, wait or choice -> index of the fact that settled it
        self.deferred: dict[str, int] = {}  # key of a step -> index of the fact that last put it off
        self.renames: tuple[Renamed, ...] = ()
        self.explained: Explained | None = None
        self.held: Held | None = None
        self.released: Released | None = None
        self.behaviours: tuple[int, ...] = ()
        self.scores: tuple[int, ...] = ()  # where the score changed, the enrolment included
        self.belongings: tuple[int, ...] = ()  # where it was told which segments the lead is in
        self.graduations: tuple[int, ...] = ()
        self.pauses: tuple[int, ...] = ()  # Paused and Resumed
        self.progress = 0  # the last fact that moved the lead: a wait counts from there
        self.overridden = -1
        self.end: Exited | Finished | None = None
        self._index(tuple(facts))

    def extended(self, facts: Iterable[AnyFact], *, decided: int | None = None) -> Journal:
        """The journal with `facts` appended; `decided` as it was unless given."""
        more = Journal.__new__(Journal)
        more.__dict__.update(self.__dict__)
        if decided is not None:
            more.decided = decided
        if facts := tuple(facts):
            more._index(facts)  # noqa: SLF001 - its own kind
        return more

    def after(self, facts: Iterable[AnyFact] = ()) -> Journal:
        """The journal with the facts of a decision appended, which has now looked at everything in it."""
        facts = tuple(facts)
        return self.extended(facts, decided=len(self.facts) + len(facts))

    def _index(self, facts: tuple[AnyFact, ...]) -> None:  # noqa: C901, PLR0912, PLR0915 - one case a kind of fact
        entries = list(self.entries[:-1] if self.stands is None else self.entries[:-2])
        first = len(self.facts)
        self.facts += facts
        self.steps = self.steps.copy()
        behaviours: list[int] = []
        scores: list[int] = []
        for index, fact in enumerate(facts, first):
            match fact:
                case Behaved():
                    behaviours.append(index)
                case Scored():
                    scores.append(index)
                case Belongs():
                    self.belongings += (index,)
                case Done():
                    key = Key.parse(fact.key)
                    if key.scope == CATCH_UP:
                        self.steps[fact.key] = index
                        self.caught_up += (Entry(key.name, fact, index),)
                    else:
                        self._settle(entries, _scoped(key, key.name), fact, index)
                        self.progress = index
                case Waited():
                    self._settle(entries, _scoped(Key.parse(fact.key), WAIT), fact, index)
                    self.progress = index
                case Chosen():
                    key = Key.parse(fact.key)
                    self._settle(entries, _scoped(key, key.name), fact, index)
                case Waiting():
                    self.stands = Entry(_scoped(Key.parse(fact.key), WAIT), fact, index)
                case Deferred():
                    self.deferred = {**self.deferred, fact.key: index}
                    key = Key.parse(fact.key)
                    if fact.key not in self.steps and key.scope != CATCH_UP:
                        self.stands = Entry(_scoped(key, key.name), fact, index)
                case Renamed():
                    self.renames += (fact,)
                case Explained():
                    self.explained = fact if fact.tape else None
                    self.held = None
                case Held():
                    self.held = fact
                case Released():
                    self.set_aside += tuple(entry for entry in entries if entry.acted)
                    entries = [Entry("released!", fact, index)]
                    self.released = fact
                    self.stands = self.held = self.explained = None
                case Enrolled():
                    scores.append(index)
                    self.progress = index
                case Graduated():
                    if self.stands is not None and isinstance(self.stands.fact, Waiting):
                        entries.append(self.stands)
                    self.stands = None
                    entries.append(Entry("graduated!", fact, index))
                    self.graduations += (index,)
                    self.progress = index
                case Paused() | Resumed():
                    self.pauses += (index,)
                case Overridden():
                    self.overridden = index
                case Exited() | Finished():
                    self.end = self.end or fact
        if self.stands is not None:
            entries.append(self.stands)
        entries.append(NOWHERE)
        self.entries = tuple(entries)
        if behaviours:
            self.behaviours += tuple(behaviours)
        if scores:
            self.scores += tuple(scores)

    def _settle(self, entries: list[Entry], name: str, fact: Done | Waited | Chosen, index: int) -> None:
        if fact.key not in self.steps:
            entries.append(Entry(name, fact, index, settled=True))
        self.steps[fact.key] = index
        self.stands = self.held = None

    @property
    def enrolled(self) -> Enrolled:
        """The first fact."""
        first = self.facts[0]
        if not isinstance(first, Enrolled):
            raise ValueError("a journal starts with Enrolled")  # noqa: TRY004 - the value is wrong, not its type
        return first

    @property
    def last_at(self) -> datetime:
        """When the last fact was recorded."""
        return self.facts[-1].at

    @property
    def paused(self) -> bool:
        """Whether the journey is paused."""
        return bool(self.pauses) and isinstance(self.facts[self.pauses[-1]], Paused)

    def scored(self, position: int) -> Scored | Enrolled:
        """The last score recorded up to a position."""
        fact = self.facts[self.scores[bisect_right(self.scores, position) - 1]]
        assert isinstance(fact, Scored | Enrolled)
        return fact

    def belongs(self, segment: str, position: int) -> bool | None:
        """Whether the lead was in a segment at a position; None if it was never told.

        What is told first holds before it too: it is found out at the first wake that can ask.
        """
        split = bisect_right(self.belongings, position)
        for index in (*reversed(self.belongings[:split]), *self.belongings[split:]):
            fact = self.facts[index]
            assert isinstance(fact, Belongs)
            if segment in fact.to:
                return True
            if segment in fact.not_to:
                return False
        return None

    def behaved(self, position: int) -> Iterator[Behaved]:
        """The behaviours recorded up to a position, the latest first."""
        for at in range(bisect_right(self.behaviours, position) - 1, -1, -1):
            fact = self.facts[self.behaviours[at]]
            assert isinstance(fact, Behaved)
            yield fact

    def behaved_from(self, position: int) -> Iterator[Behaved]:
        """The behaviours recorded from a position on, in order."""
        for index in self.behaviours[bisect_right(self.behaviours, position - 1) :]:
            fact = self.facts[index]
            assert isinstance(fact, Behaved)
            yield fact

    def last_seen(self, position: int) -> datetime | None:
        """When the latest of the behaviours recorded up to a position happened."""
        last: datetime | None = None
        for index in self.behaviours:
            if index > position:
                break
            fact: Any = self.facts[index]
            seen = fact.last or fact.at
            if last is None or seen > last:
                last = seen
        return last

    def stood_still(self, since: int, now: datetime) -> timedelta:
        """How long the journey has been paused since the fact at index `since`, up to `now`."""
        start = self.facts[since].at
        total = timedelta(0)
        began: datetime | None = None
        for index in self.pauses:
            fact = self.facts[index]
            if isinstance(fact, Paused):
                began = began or fact.at
            elif began is not None:
                if index > since:
                    total += max(fact.at - max(began, start), timedelta(0))
                began = None
        if began is not None:
            total += max(now - max(began, start), timedelta(0))
        return total

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[AnyFact]:
        return iter(self.facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journal) and (self.facts, self.decided) == (other.facts, other.decided)

    __hash__ = None  # type: ignore[assignment] # it is compared by its facts

    def __repr__(self) -> str:
        return f"Journal({list(self.facts)!r}, decided={self.decided})"


def _scoped(key: Key, name: str) -> str:
    return f"{key.scope}/{name}" if key.scope else name
