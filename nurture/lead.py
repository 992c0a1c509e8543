"""The lead as a track sees it: its steps, and what it reads about itself.

Run over a journal, a step that is settled there returns its recorded result at once. The first one that is not is
handed to `settle` (see `nurture.plan`), which answers with a derived fact or ends the run. Reads are as of the
position of the last settled step, so a run over old steps sees the lead of that time.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from nurture.cadence import cadence
from nurture.decision import AlertStep, AnyNext, AnyStep, Do, Enrol, HandOff, Send
from nurture.facts import AnyFact, Behaved, Chosen, Done, Enrolled, Graduated, Scored, Skipped, Waited
from nurture.observed import ObservedInt

if TYPE_CHECKING:
    from nurture.content import Catalogue
    from nurture.journal import Journal
    from nurture.matchers import Matcher
    from nurture.track import Track

NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait at the frontier: its key, its length or its end, and what ends it sooner."""

    key: str
    length: timedelta | None
    end: datetime | None
    until: Matcher | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice at the frontier: among the pieces of a stage, or the variants of an experiment."""

    key: str
    stage: str | None
    formats: tuple[str, ...]
    variants: tuple[str, ...]


Ask = AnyStep | Wait | Choice


class Stop:
    """What a run yields when nothing more can be derived: what comes next."""

    __slots__ = ("next",)

    def __init__(self, next_: AnyNext | None) -> None:
        self.next = next_

    def __await__(self) -> Generator[Stop, None, None]:
        yield self


class Lead:
    """One lead on one track, over one journal. A track function's only argument, and all it may touch."""

    def __init__(self, track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> None:
        self._track = track
        self._journal = journal
        self._now = now
        self._catalogue = catalogue
        self._facts = journal.facts
        self._steps = journal.steps
        self._derived: list[AnyFact] = []
        self._because: list[Any] = [journal.facts[0]]
        self._position = 0
        self._met = 0
        self._counts: dict[str, int] = {}
        self._scope = ""
        self._anchor = "start"
        self._aliases: dict[str, str] = {}
        self._graduations = journal.graduations
        self._graduated = 0
        self._interrupt = self._graduations[0] if self._graduations else NEVER

    # What a track reads

    @property
    def score(self) -> ObservedInt:
        """The score, 0 to 100, as of this point of the journey."""
        observed = ObservedInt(self._scored().score)
        observed.name = "score"
        observed.notes = self._because
        return observed

    @property
    def stage(self) -> str:
        """`awareness`, `consideration` or `decision`, as of this point of the journey."""
        stage = self._scored().stage
        self._because.append(("stage", stage))
        return stage

    def trait(self, name: str, default: str = "") -> str:
        """A slug from the lead's profile, as it was at enrolment: `industry`, `topic`, `occupation`, `source`."""
        value = self._traits.get(name, default)
        self._because.append((name, value or "not known"))
        return value

    def has(self, matcher: Matcher, *, within: timedelta | None = None) -> bool:
        """Whether the lead has behaved so since it enrolled, or within a time before this point of the journey."""
        since = self._as_of - within if within is not None else None
        found = any(
            since is None or (fact.last or fact.at) >= since for fact in self._behaved(matcher)
        )
        span = f" within {within.days} days" if within is not None else ""
        self._because.append(f"{matcher}{span}" if found else f"not: {matcher}{span}")
        return found

    def times(self, matcher: Matcher) -> ObservedInt:
        """How often the lead has behaved so since it enrolled."""
        observed = ObservedInt(sum(fact.times for fact in self._behaved(matcher)))
        observed.name = f"times it {matcher}"
        observed.notes = self._because
        return observed

    def cadence(self) -> timedelta:
        """How long to wait before the next touch, by the lead's score, stage and last sign of life."""
        scored = self._scored()
        seen = [fact.last or fact.at for fact in self._behaved(None)]
        quiet = (self._as_of - max(seen)).total_seconds() / 86400 if seen else None
        length = cadence(scored.score, scored.stage, quiet)
        self._because.append(("cadence", f"{length.days} days"))
        return length

    @property
    def enrolled_at(self) -> datetime:
        """When the lead entered this track."""
        return self._facts[0].at

    # What a track does

    async def send(self, piece: str, *, variant: int = 0, was: str | None = None) -> Done | Skipped:
        """Send a piece. Falsy if the gate refused it for good. `was` is the piece's id before it was renamed."""
        return await self._do(Send(self._key("send", piece, was), piece, variant))

    async def hand_off(self, to: str, reason: str = "") -> Done | Skipped:
        """Offer the lead to a team, once; the answer arrives as a behaviour to wait for."""
        return await self._do(HandOff(self._key("hand_off", to), to, reason))

    async def alert(self, text: str) -> Done | Skipped:
        """Tell the people at the controls something about this lead."""
        return await self._do(AlertStep(self._key("alert", text), text))

    async def enrol(self, track: str) -> Done | Skipped:
        """Enrol the lead on another track; refused if that track's re-entry rule says so."""
        return await self._do(Enrol(self._key("enrol", track), track))

    async def do(self, activity: str, arg: Any = None, *, was: str | None = None) -> Done | Skipped:
        """Run an engineer's own activity; its return value (JSON) is the result's `value`."""
        return await self._do(Do(self._key("do", activity, was), activity, arg))

    async def wait(
        self,
        length: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        to: datetime | None = None,
        until: Matcher | None = None,
    ) -> Waited | Skipped:
        """Wait for a length or to a moment, or until a behaviour; truthy if the behaviour came.

        The length counts from the end of the step before. With `until` alone the wait has no limit.
        """
        if length is None and (days or hours):
            length = timedelta(days=days, hours=hours)
        key = self._key(f"{self._anchor.removeprefix(self._scope)}/wait", "")
        index = self._steps.get(key, NEVER)
        if index > self._interrupt:
            await self._graduate_where_it_was(index)
        fact = self._facts[index] if index != NEVER else await self._settle(Wait(key, length, to, until))
        if isinstance(fact, Waited):
            self._reach(fact, index)
        assert isinstance(fact, Waited | Skipped)
        return fact

    async def next_piece(self, stage: str, formats: tuple[str, ...] = ()) -> str | None:
        """The next piece for this stage that the lead has not had, by its topic and industry; None when none is left."""
        fact = await self._choose(Choice(self._key("next_piece", stage), stage, formats, ()))
        return fact.choice if isinstance(fact, Chosen) else None

    async def choose(self, experiment: str, variants: tuple[str, ...] = ("control", "treatment")) -> str:
        """One of the variants of an experiment, the same for this lead whenever it is asked."""
        fact = await self._choose(Choice(self._key("choose", experiment), None, (), variants))
        return fact.choice if isinstance(fact, Chosen) and fact.choice is not None else variants[0]

    # How a run goes over the journal

    def _key(self, verb: str, subject: str, was: str | None = None) -> str:
        name = f"{self._scope}{verb}:{subject}" if subject else f"{self._scope}{verb}"
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        key = name if count == 1 else f"{name}~{count}"
        if was is not None and key not in self._steps:
            old = f"{self._scope}{verb}:{was}" + ("" if count == 1 else f"~{count}")
            if old in self._steps or old in self._journal.deferred:
                self._aliases[was] = subject
                return old
        return key

    async def _do(self, step: AnyStep) -> Done | Skipped:
        index = self._steps.get(step.key, NEVER)
        if index > self._interrupt:
            await self._graduate_where_it_was(index)
        fact = self._facts[index] if index != NEVER else await self._settle(step)
        if isinstance(fact, Done):
            self._anchor = step.key
            self._reach(fact, index)
        assert isinstance(fact, Done | Skipped)
        return fact

    async def _choose(self, choice: Choice) -> AnyFact:
        index = self._steps.get(choice.key, NEVER)
        if index > self._interrupt:
            await self._graduate_where_it_was(index)
        fact = self._facts[index] if index != NEVER else await self._settle(choice)
        if isinstance(fact, Chosen):
            self._reach(fact, index, keep=True)
        return fact

    def _reach(self, fact: AnyFact, index: int, *, keep: bool = False) -> None:
        """Stand at a settled step: later reads are as of it, and earlier ones have had their say."""
        if index == NEVER:
            index = len(self._facts) + len(self._derived) - 1
        if index > self._position:
            self._position = index
        if not keep:
            self._because = [fact]
        else:
            self._because.append(fact)

    async def _settle(self, ask: Ask) -> AnyFact:
        """Have the frontier settled: a derived fact, or the end of this run."""
        while True:
            found = self._frontier(ask)
            match found:
                case Graduated():
                    await self._graduate(found, len(self._facts) + len(self._derived) - 1)
                case Stop():
                    await found
                case _:
                    return found

    def _frontier(self, ask: Ask) -> AnyFact | Stop:
        raise NotImplementedError  # pragma: no cover - each kind of run has its own

    async def _graduate_where_it_was(self, index: int) -> None:
        while index > self._interrupt:
            graduated = self._facts[self._interrupt]
            assert isinstance(graduated, Graduated)
            await self._graduate(graduated, self._interrupt)

    async def _graduate(self, graduated: Graduated, index: int) -> None:
        self._graduated += 1
        following = self._graduations[self._graduated :]
        self._interrupt = following[0] if following else NEVER
        scope, anchor = self._scope, self._anchor
        self._scope = "graduation/" if self._graduated == 1 else f"graduation~{self._graduated}/"
        self._anchor = f"{self._scope}start"
        self._position = max(self._position, index)
        self._because = [graduated]
        outcome = await self._track.on_graduation(self)
        self._scope, self._anchor = scope, anchor
        if not outcome.returns:
            await self._ended(outcome.name)

    async def _ended(self, outcome: str) -> None:
        raise NotImplementedError  # pragma: no cover - each kind of run has its own

    # Reading the journal as of the position

    @property
    def _traits(self) -> Mapping[str, str]:
        first = self._facts[0]
        assert isinstance(first, Enrolled)
        return first.traits

    @property
    def _as_of(self) -> datetime:
        position = self._position
        settled = len(self._facts)
        return self._facts[position].at if position < settled else self._derived[position - settled].at

    def _scored(self) -> Scored | Enrolled:
        position = self._position
        for index in reversed(self._journal.scores):
            if index <= position:
                fact = self._facts[index]
                assert isinstance(fact, Scored | Enrolled)
                return fact
        raise ValueError("a journal starts with Enrolled")

    def _behaved(self, matcher: Matcher | None) -> list[Behaved]:
        found: list[Behaved] = []
        for index in self._journal.behaviours:
            if index > self._position:
                break
            fact = self._facts[index]
            assert isinstance(fact, Behaved)
            if matcher is None or self._matches(matcher, fact):
                found.append(fact)
        return found

    def _matches(self, matcher: Matcher, fact: Behaved) -> bool:
        subject = self._aliases.get(fact.subject, fact.subject)
        return matcher.matches(fact.name, fact.subject) or (
            subject != fact.subject and matcher.matches(fact.name, subject)
        )
