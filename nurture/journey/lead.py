"""The lead as a track sees it: its steps, and what it reads about itself.

Run over a journal, a step that is settled there returns its recorded result at once. The first one that is not is
handed to `_settle` (see `nurture.journey.frontier`), which answers with a derived fact or ends the run. Reads are as
of the position of the last settled step, so a run over old steps sees the lead of that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nurture.journey.asks import Ask, Choice, Stop, Wait
from nurture.journey.decision import AlertStep, Do, Enrol, HandOff, Send
from nurture.journey.facts import AnyFact, Behaved, Chosen, Done, Skipped, Waited
from nurture.journey.observed import Length, ObservedInt
from nurture.journey.patterns import hears
from nurture.timing.cadence import cadence

if TYPE_CHECKING:
    from nurture.content.catalogue import Catalogue
    from nurture.journey.journal import Journal
    from nurture.journey.matchers import Matcher
    from nurture.journey.track import Track

__all__ = ["NEVER", "Ask", "Choice", "Lead", "Stop", "Wait"]

NEVER = 1 << 60

_hears = lru_cache(maxsize=65_536)(hears)


class Lead:
    """One lead on one track, over one journal. A track function's only argument, and all it may touch."""

    __slots__ = (
        "_aliases",
        "_anchor",
        "_asked",
        "_catalogue",
        "_counts",
        "_derived",
        "_facts",
        "_graduated",
        "_interrupt",
        "_journal",
        "_notes",
        "_now",
        "_offer_seen",
        "_offered",
        "_position",
        "_reached",
        "_reason",
        "_scope",
        "_steps",
        "_track",
    )

    def __init__(self, track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> None:
        self._track = track
        self._journal = journal
        self._now = now
        self._catalogue = catalogue
        self._facts = journal.facts
        self._steps = journal.steps
        self._derived: list[AnyFact] = []
        self._reason = journal.facts[0]
        self._notes: list[Any] = []  # what was read since the reason
        self._position = 0
        self._reached = 0
        self._asked = ""
        self._counts: dict[str, int] = {}
        self._scope = ""
        self._offered = False
        self._offer_seen = -1  # where the last offer was answered: scores up to there graduate nobody
        self._anchor = "start"
        self._aliases: dict[str, str] = {}
        self._graduated = 0
        self._interrupt = journal.graduations[0] if journal.graduations else NEVER

    # What a track reads

    @property
    def score(self) -> ObservedInt:
        """The score, 0 to 100, as of this point of the journey."""
        return self._observed(self._journal.scored(self._position).score, "score")

    @property
    def stage(self) -> str:
        """`awareness`, `consideration` or `decision`, as of this point of the journey."""
        stage = self._journal.scored(self._position).stage
        self._notes.append(("stage", stage))
        return stage

    def trait(self, name: str, default: str = "") -> str:
        """A slug from the lead's profile, as it was at enrolment: `industry`, `topic`, `occupation`, `source`."""
        value = self._journal.enrolled.traits.get(name, default)
        self._notes.append((name, value or "not known"))
        return value

    def has(self, matcher: Matcher, *, within: timedelta | None = None) -> bool:
        """Whether the lead has behaved so since it enrolled, or within a time before this point of the journey."""
        since = self._when(self._position) - within if within is not None else None
        found = any(
            (since is None or (fact.last or fact.at) >= since) and self._matches(matcher, fact)
            for fact in self._journal.behaved(self._position)
        )
        self._notes.append((matcher, within, found))
        return found

    def times(self, matcher: Matcher) -> ObservedInt:
        """How often the lead has behaved so since it enrolled."""
        behaved = self._journal.behaved(self._position)
        count = sum(fact.times for fact in behaved if self._matches(matcher, fact))
        return self._observed(count, f"times it {matcher}")

    def cadence(self) -> Length:
        """How long to wait before the next touch, by the lead's score, stage and last sign of life."""
        return Length(self._cadence_at, self._position)

    @property
    def enrolled_at(self) -> datetime:
        """When the lead entered this track."""
        return self._facts[0].at

    # What a track does

    async def send(self, piece: str, *, variant: int = 0, was: str | None = None) -> Done | Skipped:
        """Send a piece. Falsy if the gate refused it for good. `was` is the piece's id before it was renamed."""
        fact: Done | Skipped | None = self._recall("send:" + piece, was and "send:" + was)
        return fact if fact is not None else await self._settle(Send(self._asked, piece, variant))

    @contextmanager
    def on_offer(self) -> Iterator[None]:
        """While a team has the lead: no score graduates it, which would offer it a second time."""
        before, self._offered = self._offered, True
        yield
        self._offered, self._offer_seen = before, self._position

    async def hand_off(self, to: str, reason: str = "") -> Done | Skipped:
        """Offer the lead to a team, once; the answer arrives as a behaviour to wait for."""
        fact: Done | Skipped | None = self._recall("hand_off:" + to)
        return fact if fact is not None else await self._settle(HandOff(self._asked, to, reason))

    async def alert(self, text: str) -> Done | Skipped:
        """Tell the people at the controls something about this lead."""
        fact: Done | Skipped | None = self._recall("alert:" + text)
        return fact if fact is not None else await self._settle(AlertStep(self._asked, text))

    async def enrol(self, track: str) -> Done | Skipped:
        """Enrol the lead on another track; refused if that track's re-entry rule says so."""
        fact: Done | Skipped | None = self._recall("enrol:" + track)
        return fact if fact is not None else await self._settle(Enrol(self._asked, track))

    async def do(self, activity: str, arg: Any = None, *, was: str | None = None) -> Done | Skipped:
        """Run an engineer's own activity; its return value (JSON) is the result's `value`."""
        fact: Done | Skipped | None = self._recall("do:" + activity, was and "do:" + was)
        return fact if fact is not None else await self._settle(Do(self._asked, activity, arg))

    async def wait(
        self,
        length: timedelta | Length | None = None,
        *,
        days: float | None = None,
        hours: float | None = None,
        to: datetime | None = None,
        until: Matcher | None = None,
    ) -> Waited | Skipped:
        """Wait for a length or to a moment, or until a behaviour; truthy if the behaviour came.

        The length counts from the end of the step before. With `until` alone the wait has no limit.
        """
        fact: Waited | Skipped | None = self._recall(self._anchor + "/wait")
        if fact is None and length is None and not (days is None and hours is None):
            length = timedelta(days or 0, hours=hours) if hours else timedelta(days or 0)
        return fact if fact is not None else await self._settle(Wait(self._asked, length, to, until))

    async def next_piece(self, stage: str, formats: tuple[str, ...] = ()) -> str | None:
        """The next piece for this stage that the lead has not had, by its topic and industry; None if none is left."""
        fact: Chosen | Skipped | None = self._recall("next_piece:" + stage)
        if fact is None:
            fact = await self._settle(Choice(self._asked, stage, formats, ()))
        return fact.choice if fact is not None else None

    async def choose(self, experiment: str, variants: tuple[str, ...] = ("control", "treatment")) -> str:
        """One of the variants of an experiment, the same for this lead whenever it is asked."""
        fact: Chosen | Skipped | None = self._recall("choose:" + experiment)
        if fact is None:
            fact = await self._settle(Choice(self._asked, None, (), variants))
        return (fact.choice if fact is not None else None) or variants[0]

    # How a run goes over the journal

    def _recall(self, name: str, was: str | None = None) -> Any:
        """The fact that settled the next step of this name, and stand there; None (its key is `_asked`) if none did.

        Every step ever taken comes through here at every plan: it is written for speed.
        """
        counts = self._counts
        if name in counts:
            counts[name] = count = counts[name] + 1
            key = f"{name}~{count}"
        else:
            counts[name] = 1
            key = name
        full = self._scope + key if self._scope else key
        index = self._steps.get(full)
        if index is None:
            key = self._formerly_called(key, name, was) if was is not None else key
            full = self._scope + key
            index = self._steps.get(full)
        if index is None:
            self._asked = full
            return None
        fact = self._facts[index]
        kind = type(fact)
        if kind is Skipped:  # recorded long after the place it stands for: no interruption comes before it
            return fact
        if index > self._interrupt:
            self._asked = full
            return None
        self._reached += 1
        if index > self._position:  # noqa: PLR1730 - a call to max would cost as much as the rest
            self._position = index
        if kind is Chosen:
            self._notes.append(fact)
            return fact
        if kind is Done:
            self._anchor = key
        self._reason = fact
        if self._notes:
            self._notes.clear()
        return fact

    def _formerly_called(self, key: str, name: str, was: str) -> str:
        """The key of a renamed step: the old one if the lead met it under its old name."""
        old = was + key[len(name) :]
        full = self._scope + old
        if full not in self._steps and full not in self._journal.deferred:
            return key
        self._aliases[was.partition(":")[2]] = name.partition(":")[2]
        return old

    async def _settle(self, ask: Ask) -> Any:
        """Have the frontier settled: a derived fact, or the end of this run."""
        raise NotImplementedError  # pragma: no cover - each kind of run has its own

    # Reading the journal as of the position

    def _observed(self, value: int, name: str) -> ObservedInt:
        observed = ObservedInt(value)
        observed.name = name
        observed.notes = self._notes
        return observed

    def _when(self, position: int) -> datetime:
        settled = len(self._facts)
        return self._facts[position].at if position < settled else self._derived[position - settled].at

    def _cadence_at(self, position: int) -> timedelta:
        scored = self._journal.scored(position)
        last = self._journal.last_seen(position)
        quiet = (self._when(position) - last).total_seconds() / 86400 if last is not None else None
        length = cadence(scored.score, scored.stage, quiet)
        self._notes.append(("cadence", length))
        return length

    def _matches(self, matcher: Matcher, fact: Behaved) -> bool:
        if _hears(matcher.patterns, fact.name, fact.subject):
            return True
        alias = self._aliases.get(fact.subject)
        return alias is not None and _hears(matcher.patterns, fact.name, alias)
