"""How long something takes, when for some it is not over yet: the estimate of Kaplan and Meier (1958)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import exp, log, sqrt
from statistics import NormalDist

from nurture.errors import InputError


@dataclass(frozen=True, slots=True)
class Spell:
    """How long it took; or, if it is not `over`, how long it has lasted so far; for `number` of them alike."""

    length: timedelta
    over: bool
    number: int = 1


@dataclass(frozen=True, slots=True)
class Survival:
    """After each of `steps`: the time, the share for whom it is not over, and Greenwood's variance sum.

    `spells` is how many were followed, `ended` for how many of them it is over.
    """

    spells: int
    ended: int
    steps: tuple[tuple[timedelta, float, float], ...]

    def left_at(self, length: timedelta) -> float:
        """The share for whom it lasts longer than `length`."""
        return next((left for time, left, _ in reversed(self.steps) if time <= length), 1.0)

    def quantile(self, share: float) -> timedelta | None:
        """The time within which it is over for `share` (0 to 1); None if it is not, by what is known."""
        return next((time for time, left, _ in self.steps if left <= 1 - share + 1e-12), None)

    @property
    def median(self) -> timedelta | None:
        """The time within which it is over for half of them."""
        return self.quantile(0.5)

    def median_interval(self, confidence: float = 0.95) -> tuple[timedelta | None, timedelta | None]:
        """Brookmeyer and Crowley's interval (1982) of the median, by log(-log); a bound of None is not known yet."""
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        bounds = [(time, *_log_log(left, variance, z)) for time, left, variance in self.steps]
        low = next((time for time, least, _ in bounds if least <= 0.5), None)
        return low, next((time for time, _, most in bounds if most <= 0.5), None)


def survival(spells: Iterable[Spell]) -> Survival:
    """Estimate from spells. One that is not over counts among those at risk up to its length. Raises InputError."""
    ended: Counter[timedelta] = Counter()
    leaving: Counter[timedelta] = Counter()
    for spell in spells:
        if spell.length < timedelta():
            raise InputError(f"a spell of {spell.length} ends before it begins")
        leaving[spell.length] += spell.number
        ended[spell.length] += spell.number if spell.over else 0
    at_risk, left, variance = leaving.total(), 1.0, 0.0
    steps: list[tuple[timedelta, float, float]] = []
    for time in sorted(leaving):
        if ended[time]:
            left *= 1 - ended[time] / at_risk
            variance += ended[time] / (at_risk * (at_risk - ended[time])) if ended[time] < at_risk else 0.0
            steps.append((time, left, variance))
        at_risk -= leaving[time]
    return Survival(leaving.total(), ended.total(), tuple(steps))


def _log_log(left: float, variance: float, z: float) -> tuple[float, float]:
    if not 0 < left < 1:
        return left, left
    reach = exp(z * sqrt(variance) / log(left))
    return left ** (1 / reach), left**reach
