"""Rates and what they can be told apart by, held against published figures."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.measures.best import chances_to_be_best
from nurture.measures.proportions import Rate, difference, ratio
from nurture.measures.sample_ratio import sample_ratio
from nurture.measures.sequence import always_valid_difference, rho_squared, unit_margin
from nurture.measures.special import beta_cdf, chi_square_tail, gamma_tail

rates = st.integers(0, 2000).flatmap(lambda of: st.builds(Rate, st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombes_table(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe, *Two-sided confidence intervals for the single proportion* (1998), table I, method 3."""
    found = Rate(hits, of).interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.00005)


@given(rates)
def test_an_interval_holds_its_rate(rate: Rate) -> None:
    found = rate.interval()
    assert 0 <= found.low <= found.high <= 1
    assert rate.value is None or found.low - 1e-12 <= rate.value <= found.high + 1e-12


def test_newcombes_difference() -> None:
    found = difference(Rate(56, 70), Rate(48, 80))
    assert (found.low, found.high) == pytest.approx((0.052431, 0.333873), abs=5e-7)


def test_nothing_is_told_apart_from_nothing() -> None:
    """A rate of nothing has no value, and its intervals hold everything."""
    assert Rate(0, 0).value is None
    assert ratio(Rate(1, 2), Rate(0, 0)) is None
    for apart in (difference, always_valid_difference):
        found = apart(Rate(0, 0), Rate(1, 2))
        assert (found.low, found.high) == (-1, 1)


def test_more_hits_than_tries_are_refused() -> None:
    with pytest.raises(InputError, match="3 of 2 is no rate"):
        Rate(3, 2)


def test_a_ratio_and_its_interval() -> None:
    found = ratio(Rate(200, 1000), Rate(100, 1000))
    assert found is not None
    value, interval = found
    assert value == pytest.approx(2, abs=0.01)
    assert (interval.low, interval.high) == pytest.approx((1.60, 2.49), abs=0.02)  # Katz: exp(log 2 +- 1.96 x 0.1118)


def test_the_chance_to_be_best() -> None:
    """120 of 1,000 against 100 of 1,000."""
    assert chances_to_be_best([Rate(120, 1000), Rate(100, 1000)]) == pytest.approx([0.92318344, 0.07681656], abs=5e-9)


@given(st.lists(rates, min_size=1, max_size=4))
def test_someone_is_best(drawn: list[Rate]) -> None:
    assert sum(chances_to_be_best(drawn)) == pytest.approx(1, abs=1e-6)


def test_a_sample_ratio_that_cannot_be_chance_alarms() -> None:
    found = sample_ratio([821_588, 815_482], [1, 1])
    assert found.p == pytest.approx(1.8218e-6, rel=5e-5)
    assert found.alarm
    assert not sample_ratio([500, 520], [1, 1]).alarm
    assert sample_ratio([0, 0], [1, 3]).p == 1


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="one weight above 0 a count"):
        sample_ratio([1, 2], [1, 0])


def test_the_margin_of_the_confidence_sequence() -> None:
    assert rho_squared(5000, 0.05) == pytest.approx(0.0015872309, abs=5e-11)
    assert unit_margin(5000, 5000, 0.05) == pytest.approx(0.0429243372, abs=5e-11)


def test_looking_thirty_times_raises_few_false_alarms() -> None:
    """4,000 A/A tests, each looked at after each 200 leads: at most 5% ever say that there is a difference."""
    draw = random.Random(11)
    alarms = 0
    for _ in range(4000):
        hits, of = [0, 0], 0
        for _ in range(30):
            of += 100
            for side in (0, 1):
                hits[side] += (draw.getrandbits(100) & draw.getrandbits(100) & draw.getrandbits(100)).bit_count()
            if not always_valid_difference(Rate(hits[0], of), Rate(hits[1], of)).holds(0):
                alarms += 1
                break
    assert alarms <= 200


def test_the_special_functions_agree_with_known_values() -> None:
    """I_x(1, b) = 1 - (1 - x)^b, I_x(2, 2) = 3x^2 - 2x^3; the tail of the exponential; tables of chi-square."""
    assert beta_cdf(0.3, 1, 5) == pytest.approx(1 - 0.7**5, abs=1e-14)
    assert beta_cdf(0.8, 2, 2) == pytest.approx(3 * 0.64 - 2 * 0.512, abs=1e-14)
    assert beta_cdf(0.5, 300, 300) == pytest.approx(0.5, abs=1e-11)
    assert gamma_tail(1, 3) == pytest.approx(2.718281828459045**-3, abs=1e-15)
    assert chi_square_tail(3.841458820694124, 1) == pytest.approx(0.05, abs=1e-12)
    assert chi_square_tail(18.307038053275146, 10) == pytest.approx(0.05, abs=1e-12)
