"""What a run of a track asks at its frontier, and how it is told to stop there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.journey.decision import AnyNext, AnyStep
from nurture.journey.matchers import Matcher
from nurture.journey.observed import Length


@dataclass(slots=True)
class Wait:
    """A wait at the frontier: its key, its length or its end, and what ends it sooner. Not frozen, for speed."""

    key: str
    length: timedelta | Length | None
    end: datetime | None
    until: Matcher | None

    def __post_init__(self) -> None:
        if self.length is None and self.end is None and self.until is None:
            raise ValueError("a wait needs a length, a moment (to=) or a behaviour (until=)")
        if self.length is not None and self.end is not None:
            raise ValueError("a wait has a length or a moment (to=), not both")
        if self.end is not None and self.end.tzinfo is None:
            raise ValueError("a wait ends at an aware moment, in UTC")


@dataclass(slots=True)
class Choice:
    """A choice at the frontier: among the pieces of a stage, or the variants of an experiment."""

    key: str
    stage: str | None
    formats: tuple[str, ...]
    variants: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.stage is None and not self.variants:
            raise ValueError("an experiment needs variants to choose from")


Ask = AnyStep | Wait | Choice


class Stop:
    """What a run yields when nothing more can be derived: what comes next."""

    __slots__ = ("next",)

    def __init__(self, next_: AnyNext | None) -> None:
        self.next = next_

    def __await__(self) -> Generator[Stop, None, None]:
        yield self
