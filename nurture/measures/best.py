"""The chance of each rate to be the best one, under flat priors."""

from collections.abc import Sequence
from math import exp, lgamma, log, log1p, prod, sqrt

from nurture.measures.proportions import Rate
from nurture.measures.special import beta_cdf

_STEPS_IN_A_DEVIATION = 8
_TAIL = 25.0  # a density of e**-25 of the highest counts no more


def chances_to_be_best(rates: Sequence[Rate]) -> list[float]:
    """For each rate the chance that its true value is above all others; they sum to 1.

    A true rate is Beta(hits + 1, misses + 1). The integral runs over log-odds, where the density vanishes at both ends,
    so that the trapezoid rule is exact to about ten digits.
    """
    return [
        _chance(rate, [other for place, other in enumerate(rates) if place != mine]) for mine, rate in enumerate(rates)
    ]


def _chance(rate: Rate, others: Sequence[Rate]) -> float:
    a, b = rate.hits + 1, rate.of - rate.hits + 1
    deviation = _deviation(rate)
    norm = lgamma(a + b) - lgamma(a) - lgamma(b)
    low, high = _bounds(a, b, deviation)
    step = min(map(_deviation, (rate, *others))) / _STEPS_IN_A_DEVIATION
    total = 0.0
    for index in range(int((high - low) / step) + 1):
        odds = low + index * step
        less, more = -_softplus(-odds), -_softplus(odds)  # log of the rate, and of what it leaves
        below = prod(beta_cdf(exp(less), each.hits + 1, each.of - each.hits + 1) for each in others)
        total += exp(norm + a * less + b * more) * below
    return min(1.0, total * step)


def _deviation(rate: Rate) -> float:
    return sqrt(1 / (rate.hits + 1) + 1 / (rate.of - rate.hits + 1))


def _bounds(a: float, b: float, deviation: float) -> tuple[float, float]:
    """Where the density of the log-odds has fallen to nothing, on either side of its highest point."""
    middle = log(a / b)
    reach = sqrt(2 * _TAIL) * deviation
    return middle - reach - _TAIL / a, middle + reach + _TAIL / b


def _softplus(value: float) -> float:
    return log1p(exp(value)) if value <= 0 else value + log1p(exp(-value))
