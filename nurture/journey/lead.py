"""The lead as a track sees it: its steps, and what it reads about itself. All that a track may touch.

Each step looks whether it is the journal's next entry, and answers with the recorded fact; everything else is the
run's affair (`nurture.journey.run`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from nurture.journey import as_of
from nurture.journey.calls import ChoiceCall, StepCall, WaitCall
from nurture.journey.decision import AlertStep, Do, Enrol, HandOff, Send
from nurture.journey.facts import Chosen, Done, Span, Waited
from nurture.journey.own import argument_for, name_of, result_of
from nurture.journey.reads import Length, ObservedInt, plain_value
from nurture.journey.settle import TO
from nurture.journey.skipped import Skipped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nurture.journey.matchers import Matcher
    from nurture.journey.run import Run
    from nurture.journey.segment_reads import Named

R = TypeVar("R")
Was = str | tuple[str, ...]
"""The name, or the names, that a step had before it was renamed."""

DAY = 86_400.0
HOUR = 3_600.0
LONGEST = 36_525 * DAY


class Lead:
    """One lead on one track. A track function's only argument."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    # What a track reads

    @property
    def score(self) -> ObservedInt:
        """The score, 0 to 100, as of this point of the journey."""
        return as_of.score(self._run)

    @property
    def stage(self) -> str:
        """`awareness`, `consideration` or `decision`, as of this point of the journey."""
        return as_of.stage(self._run)

    def trait(self, name: str, default: str = "") -> str:
        """A slug from the lead's profile, as it was at enrolment: `industry`, `topic`, `occupation`, `source`."""
        return as_of.trait(self._run, name, default)

    def has(self, matcher: Matcher, *, within: timedelta | None = None) -> bool:
        """Whether the lead has behaved so since it enrolled, or within a time before this point of the journey."""
        return as_of.has(self._run, matcher, within)

    def is_in(self, segment: Named | str) -> bool:
        """Whether the lead is in a segment of the programme, given itself or by its name, as of the last wake."""
        return as_of.is_in(self._run, segment)

    def times(self, matcher: Matcher) -> ObservedInt:
        """How often the lead has behaved so since it enrolled."""
        return as_of.times(self._run, matcher)

    def cadence(self) -> Length:
        """How long to wait before the next touch, by the lead's score, stage and last sign of life."""
        return as_of.cadence(self._run)

    @property
    def enrolled_at(self) -> datetime:
        """When the lead entered this track."""
        return self._run.journal.enrolled.at

    # What a track does

    async def send(self, piece: str, *, variant: int = 0, was: Was = (), catch_up: bool = False) -> Done | Skipped:
        """Send a piece. Falsy if the gate refused it for good.

        `was`: the piece's ids before it was renamed. `catch_up`: leads who were past this step when it was put in get
        it too.
        """
        name = _name("send", piece)
        fact: Done | Skipped | None = self._run.recall(name)
        if fact is not None:
            return fact
        call = StepCall(
            name, lambda key: Send(key, self._run.catalogue.current(piece), variant), _names("send", was), catch_up
        )
        answered: Done | Skipped = await self._run.meet(call)
        return answered

    async def hand_off(self, to: str, reason: str = "", *, was: Was = (), catch_up: bool = False) -> Done | Skipped:
        """Offer the lead to a team, once; the answer arrives as a behaviour to wait for."""
        name = _name("hand_off", to)
        fact: Done | Skipped | None = self._run.recall(name)
        if fact is not None:
            return fact
        call = StepCall(name, lambda key: HandOff(key, to, reason), _names("hand_off", was), catch_up)
        answered: Done | Skipped = await self._run.meet(call)
        return answered

    async def alert(self, text: str, *, was: Was = (), catch_up: bool = False) -> Done | Skipped:
        """Tell the people at the controls something about this lead."""
        name = _name("alert", text)
        fact: Done | Skipped | None = self._run.recall(name)
        if fact is not None:
            return fact
        call = StepCall(name, lambda key: AlertStep(key, text), _names("alert", was), catch_up)
        answered: Done | Skipped = await self._run.meet(call)
        return answered

    async def enrol(self, track: str, *, was: Was = (), catch_up: bool = False) -> Done | Skipped:
        """Enrol the lead on another track; refused if that track's re-entry rule says so."""
        name = _name("enrol", track)
        fact: Done | Skipped | None = self._run.recall(name)
        if fact is not None:
            return fact
        call = StepCall(name, lambda key: Enrol(key, track), _names("enrol", was), catch_up)
        answered: Done | Skipped = await self._run.meet(call)
        return answered

    @overload
    async def do(
        self,
        activity: Callable[..., Awaitable[R]],
        arg: Any = None,
        *,
        within: timedelta | None = None,
        heartbeat: timedelta | None = None,
        tries: int | None = None,
        was: Was = (),
        catch_up: bool = False,
    ) -> Answer[R] | Skipped: ...

    @overload
    async def do(
        self,
        activity: str | Callable[..., Any],
        arg: Any = None,
        *,
        within: timedelta | None = None,
        heartbeat: timedelta | None = None,
        tries: int | None = None,
        was: Was = (),
        catch_up: bool = False,
    ) -> Answer[Any] | Skipped: ...

    async def do(
        self,
        activity: str | Callable[..., Any],
        arg: Any = None,
        *,
        within: timedelta | None = None,
        heartbeat: timedelta | None = None,
        tries: int | None = None,
        was: Was = (),
        catch_up: bool = False,
    ) -> Answer[Any] | Skipped:
        """Run an engineer's own activity, given itself or by its name; what it returns is the answer's `value`.

        Given itself, `arg` is checked and `value` read as the types that its signature says.

        One try may take `within`, 5 minutes if not said; with `heartbeat`, it must tell that it lives as often as that.
        A failed try is repeated until one succeeds, at most 10 minutes apart; after `tries` the step is refused.
        """
        called = name_of(activity)
        name = "do:" + called
        fact: Done | Skipped | None = self._run.recall(name)
        if fact is None:

            def make(key: str) -> Do:
                limits = _seconds("within", within), _seconds("heartbeat", heartbeat)
                return Do(key, called, argument_for(activity, plain_value(arg)), *limits, tries)

            fact = await self._run.meet(StepCall(name, make, _names("do", was), catch_up))
        return Answer(fact, activity, self._run) if isinstance(fact, Done) else fact

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
        span: Span
        if length is not None:
            span = length.span if type(length) is Length else seconds_of(length)
        elif days is not None:
            span = days * DAY if hours is None else days * DAY + hours * HOUR
        elif hours is not None:
            span = hours * HOUR
        else:
            span = TO + to.isoformat() if to is not None else None
        if type(span) is float and not 0 <= span <= LONGEST:
            raise ValueError(f"a wait lasts from nothing to 100 years, not {span / DAY:g} days")
        try:
            patterns = until.patterns if until is not None else ()
        except AttributeError:
            raise TypeError(f"until= is a matcher, such as until=link_clicked(), not {until!r}") from None
        fact: Waited | Skipped | None = self._run.recall_wait(span, patterns)
        if fact is not None:
            return fact
        if length is None and not (days is None and hours is None):
            length = timedelta(days or 0, hours=hours or 0)
        answered: Waited | Skipped = await self._run.meet(WaitCall(length, to, until, span))
        return answered

    async def next_piece(self, stage: str, formats: tuple[str, ...] = ()) -> str | None:
        """The next piece for this stage that the lead has not had, by its topic and industry; None if none is left."""
        name = _name("next_piece", stage)
        fact: Chosen | Skipped | None = self._run.recall(name)
        if fact is None:
            _require_texts("formats", formats)
            fact = await self._run.meet(ChoiceCall(name, plain_value(stage), tuple(formats)))
        return fact.choice if fact is not None else None

    async def choose(
        self, experiment: str, variants: tuple[str, ...] = ("control", "treatment"), *, was: Was = ()
    ) -> str:
        """One of the variants of an experiment, the same for this lead whenever it is asked."""
        name = _name("choose", experiment)
        fact: Chosen | Skipped | None = self._run.recall(name)
        if fact is None:
            _require_texts("an experiment's variants", variants)
            fact = await self._run.meet(ChoiceCall(name, None, (), tuple(variants), _names("choose", was)))
        return (fact.choice if fact is not None else None) or variants[0]

    def on_offer(self) -> OnOffer:
        """While a team has the lead (a `with` block): no score graduates it, which would offer it a second time."""
        return OnOffer(self._run)


def _name(verb: str, subject: str) -> str:
    """What a step is called. Raises TypeError for a subject that is no text."""
    try:
        return verb + ":" + subject
    except TypeError:
        raise TypeError(f"lead.{verb} takes a name or a text first, not {subject!r}") from None


def _require_texts(what: str, given: object) -> None:
    if not isinstance(given, tuple | list) or not all(isinstance(each, str) for each in given):
        raise TypeError(f"{what} are texts in a tuple, such as ('a', 'b'), not {given!r}")


def seconds_of(length: object) -> float:
    """The seconds of a wait's length. Raises TypeError for what is none."""
    if not isinstance(length, timedelta):
        raise TypeError(f"a wait's length is days=... or hours=..., or a timedelta, not {length!r}")
    return length.total_seconds()


class OnOffer:
    """The block in which a team has the lead."""

    __slots__ = ("before", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.before = False

    def __enter__(self) -> None:
        self.before, self.run.offered = self.run.offered, True

    def __exit__(self, *_: object) -> None:
        self.run.offered, self.run.offer_seen = self.before, self.run.position


def _seconds(option: str, length: object) -> float | None:
    """The seconds of an option. Raises TypeError for what is no length."""
    if length is None:
        return None
    if not isinstance(length, timedelta):
        raise TypeError(f"{option}= is a length, such as {option}=hours(1), not {length!r}")
    return length.total_seconds()


class Answer(Generic[R]):
    """What became of an engineer's own activity. Truthy if it was done; `value` is what it returned, observed."""

    __slots__ = ("_activity", "_fact", "_run")

    kind = "done"

    def __init__(self, fact: Done, activity: str | Callable[..., Any], run: Run) -> None:
        self._fact = fact
        self._activity = activity
        self._run = run

    def __bool__(self) -> bool:
        return bool(self._fact)

    @property
    def result(self) -> str:
        """`done` or `refused`."""
        return self._fact.result

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return self._fact.reason

    @property
    def key(self) -> str:
        """The step's key."""
        return self._fact.key

    @property
    def at(self) -> datetime:
        """When it was done."""
        return self._fact.at

    @property
    def value(self) -> R:
        """What the activity returned; None if it was refused."""
        returned = result_of(self._activity, self._fact.value)
        found: R = as_of.value(self._run, name_of(self._activity), returned)
        return found


def _names(verb: str, was: Was) -> tuple[str, ...]:
    if not was:
        return ()
    return tuple(f"{verb}:{each}" for each in ((was,) if isinstance(was, str) else was))
