"""Check that an experiment's variants got the leads that their weights say: if not, its result is not to be trusted.

Fabijan et al., *Diagnosing sample ratio mismatch in online controlled experiments* (KDD 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nurture.errors import InputError
from nurture.measures.special import chi_square_tail

ALARM = 0.0005
"""Below this p-value something is wrong with the assignment or the counting."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The p-value of Pearson's chi-square test that the counts follow the weights."""

    p: float

    @property
    def alarm(self) -> bool:
        """Whether something is wrong."""
        return self.p < ALARM


def sample_ratio(counts: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Compare the leads of each variant with its weight. Raises InputError for weights that are not positive."""
    if len(counts) != len(weights) or not weights or min(weights) <= 0:
        raise InputError(f"{len(counts)} counts and the weights {list(weights)} do not fit: one weight above 0 a count")
    number, whole = sum(counts), sum(weights)
    if not number or len(counts) == 1:
        return SampleRatio(1.0)
    expected = [number * weight / whole for weight in weights]
    statistic = sum((count - due) ** 2 / due for count, due in zip(counts, expected, strict=True))
    return SampleRatio(chi_square_tail(statistic, len(counts) - 1))
