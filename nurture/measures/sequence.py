"""A confidence sequence: an interval that stays valid however often one looks, and whenever one stops.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, *Time-uniform central limit theory and asymptotic confidence sequences*
(Annals of Statistics 2024), theorem 2.2 and its equation for rho.
"""

from math import log, sqrt

from nurture.errors import InputError
from nurture.measures.proportions import Interval, Rate

ALPHA = 0.05
PLANNED = 5_000
"""The number of observations at which the sequence is tightest."""


def rho_squared(planned: int = PLANNED, alpha: float = ALPHA) -> float:
    """The parameter that makes the sequence tightest at `planned` observations."""
    if planned < 1 or not 0 < alpha < 1:
        raise InputError(f"a sequence planned for {planned} observations at {alpha} makes no sense; plan 1 or more")
    return (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / planned


def unit_margin(count: int, planned: int = PLANNED, alpha: float = ALPHA) -> float:
    """Half the width after `count` observations of variance 1."""
    spread = count * rho_squared(planned, alpha)
    return sqrt(2 * (spread + 1) / (count * spread) * log(sqrt(spread + 1) / alpha))


def always_valid_difference(one: Rate, other: Rate, planned: int = PLANNED, alpha: float = ALPHA) -> Interval:
    """`one` minus `other`, valid at every look; -1 to 1 as long as either is of nothing.

    The variance is that of the difference of two means; a hit and a miss are added to each rate, so that a first run of
    equal outcomes is not taken for certainty.
    """
    if one.value is None or other.value is None:
        return Interval(-1.0, 1.0)
    count = one.of + other.of
    variance = count * (_variance(one) / one.of + _variance(other) / other.of)
    apart, margin = one.value - other.value, sqrt(variance) * unit_margin(count, planned, alpha)
    return Interval(max(-1.0, apart - margin), min(1.0, apart + margin))


def _variance(rate: Rate) -> float:
    share = (rate.hits + 1) / (rate.of + 2)
    return share * (1 - share)
