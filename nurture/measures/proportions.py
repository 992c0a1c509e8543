"""Rates and what they can be told apart by: Wilson's interval, Newcombe's for a difference, Katz's for a ratio."""

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

from nurture.errors import InputError

SMALL = 30
"""A rate of fewer than these is marked as one of small numbers."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value lies in it."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of:
            raise InputError(f"{self.hits} of {self.of} is no rate; the part is between 0 and the whole")

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def small(self) -> bool:
        """Whether there are too few to read much into it."""
        return self.of < SMALL

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's score interval (1927); all of 0 to 1 of nothing."""
        if not self.of:
            return Interval(0.0, 1.0)
        z, share = _z(confidence), self.hits / self.of
        middle = (share + z * z / (2 * self.of)) / (1 + z * z / self.of)
        reach = z * sqrt(share * (1 - share) / self.of + z * z / (4 * self.of**2)) / (1 + z * z / self.of)
        low = 0.0 if not self.hits else max(0.0, middle - reach)
        return Interval(low, 1.0 if self.hits == self.of else min(1.0, middle + reach))


def difference(one: Rate, other: Rate, confidence: float = 0.95) -> Interval:
    """`one` minus `other`: Newcombe's hybrid score interval (1998, method 10); -1 to 1 if either is of nothing."""
    if one.value is None or other.value is None:
        return Interval(-1.0, 1.0)
    here, there, apart = one.interval(confidence), other.interval(confidence), one.value - other.value
    low = apart - sqrt((one.value - here.low) ** 2 + (there.high - other.value) ** 2)
    return Interval(low, apart + sqrt((here.high - one.value) ** 2 + (other.value - there.low) ** 2))


def ratio(one: Rate, other: Rate, confidence: float = 0.95) -> tuple[float, Interval] | None:
    """`one` over `other`, and Katz's log interval (1978); with half a hit more on each side (Walter 1975).

    None if either is of nothing.
    """
    if not (one.of and other.of):
        return None
    a, b, m, n = one.hits + 0.5, other.hits + 0.5, one.of + 0.5, other.of + 0.5
    middle = log((a / m) / (b / n))
    reach = _z(confidence) * sqrt(1 / a - 1 / m + 1 / b - 1 / n)
    return exp(middle), Interval(exp(middle - reach), exp(middle + reach))


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)
