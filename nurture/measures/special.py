"""The two special functions that intervals and tests need: incomplete beta and gamma, regularised.

Continued fractions by Lentz's method, as in Press et al., *Numerical Recipes*, sections 6.2 and 6.4; about 14 digits.
"""

from collections.abc import Iterator
from math import exp, lgamma, log, log1p

_TINY = 1e-300
_EPSILON = 1e-16
_MOST_TERMS = 100_000


def beta_cdf(x: float, a: float, b: float) -> float:
    """The chance that a Beta(a, b) variable is at most `x`."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(1.0, _beta_terms(x, a, b))


def gamma_tail(a: float, x: float) -> float:
    """The chance that a Gamma(a, 1) variable is above `x`."""
    if x <= 0:
        return 1.0
    front = exp(a * log(x) - x - lgamma(a))
    if x < a + 1:
        return 1 - front * _gamma_series(a, x)
    return front * _fraction(x + 1 - a, _gamma_terms(a, x))


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The chance that a chi-square variable is above `statistic`: the p-value of a test."""
    return gamma_tail(degrees / 2, statistic / 2)


def _gamma_series(a: float, x: float) -> float:
    term = total = 1 / a
    n = a
    while term > total * _EPSILON:
        n += 1
        term *= x / n
        total += term
    return total


def _gamma_terms(a: float, x: float) -> Iterator[tuple[float, float]]:
    for n in range(1, _MOST_TERMS):
        yield -n * (n - a), x + 2 * n + 1 - a


def _beta_terms(x: float, a: float, b: float) -> Iterator[tuple[float, float]]:
    yield -(a + b) * x / (a + 1), 1.0
    for n in range(1, _MOST_TERMS):
        yield n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n)), 1.0
        yield -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1)), 1.0


def _fraction(first: float, terms: Iterator[tuple[float, float]]) -> float:
    """1 / (first + n1 / (d1 + n2 / (d2 + ...))), from its terms (n, d)."""
    value = c = first or _TINY
    d = 0.0
    for numerator, denominator in terms:
        d = 1 / (denominator + numerator * d or _TINY)
        c = denominator + numerator / c or _TINY
        value *= c * d
        if abs(c * d - 1) < _EPSILON * 4:
            break
    return 1 / value
