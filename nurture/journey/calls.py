"""What a track's code calls for: a step, a wait, a choice, or the end. What answers a call is the run's affair."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.journey.decision import AnyNext, AnyStep
from nurture.journey.facts import Span
from nurture.journey.keys import WAIT
from nurture.journey.matchers import Matcher
from nurture.journey.reads import Length

END = "end"


@dataclass(slots=True)
class StepCall:
    """A step by its name (`send:tip`), its former names, and how to make it once its key is known.

    A step that is to `catch_up` is given to leads who were past it when it was put in. Not frozen, for speed.
    """

    name: str
    make: Callable[[str], AnyStep]
    was: tuple[str, ...] = ()
    catch_up: bool = False


@dataclass(slots=True)
class WaitCall:
    """A wait: its length or its end, what ends it sooner, and how long it is as the code says it."""

    length: timedelta | Length | None
    end: datetime | None
    until: Matcher | None
    span: Span
    name: str = WAIT

    def __post_init__(self) -> None:
        if self.length is None and self.end is None and self.until is None:
            raise ValueError("a wait needs a length, a moment (to=) or a behaviour (until=)")
        if self.length is not None and self.end is not None:
            raise ValueError("a wait has a length or a moment (to=), not both")
        if self.end is not None and self.end.tzinfo is None:
            raise ValueError("a wait ends at an aware moment, in UTC")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that end it sooner."""
        return self.until.patterns if self.until is not None else ()


@dataclass(slots=True)
class ChoiceCall:
    """A choice: among the pieces of a stage, or the variants of an experiment (then `stage` is None)."""

    name: str
    stage: str | None
    formats: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.stage is None and not self.variants:
            raise ValueError("an experiment needs variants to choose from")


@dataclass(slots=True)
class EndCall:
    """The track, or its graduation, has come to its end."""

    outcome: str
    name: str = END


Call = StepCall | WaitCall | ChoiceCall | EndCall


def signature(call: Call, scope: str) -> str:
    """A call in short, to be known again in edited code: its name with its scope; a wait by its length and `until`."""
    if isinstance(call, WaitCall):
        return " ".join((f"{scope}{call.name}", str(call.span), *call.patterns))
    if isinstance(call, EndCall):
        return f"{scope}{call.name} {call.outcome}"
    return scope + call.name


class Stop:
    """What a run yields when nothing more can be derived: what comes next."""

    __slots__ = ("next",)

    def __init__(self, next_: AnyNext) -> None:
        self.next = next_

    def __await__(self) -> Generator[Stop, None, None]:
        yield self


class Lost:
    """What a run yields when the code calls for something else than the journal has next."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Generator[Lost, None, None]:
        yield self


class Ahead:
    """What a run yields that only looks ahead: the call that the code comes to next."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Generator[Ahead, None, None]:
        yield self
