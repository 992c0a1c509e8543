"""The path of touches that one lead took, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.errors import InputError


@dataclass(frozen=True, slots=True)
class PathTouch:
    """One touch on a path: `id` names it in the ledger, `channel` is what credit is counted by (a piece, a track)."""

    id: str
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Path:
    """A lead's touches, oldest first, and its conversion.

    `worth` is what is credited: 1 for a conversion, an amount for a deal, 0 for a path that did not convert.
    `milestones` are when the lead became a lead and an opportunity, where it did.
    """

    touches: tuple[PathTouch, ...]
    worth: float = 0.0
    converted_at: datetime | None = None
    milestones: tuple[datetime, ...] = ()

    def __post_init__(self) -> None:
        if self.worth < 0:
            raise InputError(f"a path is worth {self.worth}; a conversion is worth 0 or more")
        if any(one.at > other.at for one, other in zip(self.touches, self.touches[1:], strict=False)):
            raise InputError("the touches of a path are not in order; sort them by time")
        if self.converted_at is not None and self.touches and self.touches[-1].at > self.converted_at:
            raise InputError("a path has touches after its conversion; leave them out")

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel of each touch, in order."""
        return tuple([touch.channel for touch in self.touches])  # twice as fast as a generator


@dataclass(frozen=True, slots=True)
class Credit:
    """What one touch is credited with."""

    touch: PathTouch
    amount: float


def total_by_channel(given: Sequence[Credit]) -> dict[str, float]:
    """What each channel is credited with, the most first."""
    totals: dict[str, float] = {}
    for credit in given:
        totals[credit.touch.channel] = totals.get(credit.touch.channel, 0.0) + credit.amount
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))
