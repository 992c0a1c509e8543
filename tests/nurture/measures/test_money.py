"""Money: amounts as CRMs write them, dated rates, and division to the cent."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.measures.money import DatedRate, Money, Rates, apportion, read_money, total

RATES = Rates(
    "EUR",
    (
        DatedRate("USD", date(2026, 1, 1), Decimal("0.90")),
        DatedRate("USD", date(2026, 4, 1), Decimal("0.80")),
    ),
)


@pytest.mark.parametrize(("amount", "currency"), [(1200, "EUR"), ("1200.00", " eur "), (1200.0, "EUR")])
def test_money_is_read_as_crms_write_it(amount: object, currency: object) -> None:
    assert read_money(amount, currency) == Money(Decimal(1200), "EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "says"),
    [
        (1200, "euros", "no ISO 4217 code"),
        (1200, None, "no ISO 4217 code"),
        ("a lot", "EUR", "'a lot' is no number"),
        (-5, "EUR", "from 0 on"),
        ("NaN", "EUR", "no number"),
        ("1e400", "EUR", "no number"),
        (True, "EUR", "no number"),
        (None, "EUR", "no number"),
    ],
)
def test_what_is_no_money_is_refused(amount: object, currency: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_money(amount, currency)


def test_an_amount_is_converted_at_the_rate_of_its_day() -> None:
    dollars = Money(Decimal(100), "USD")
    assert RATES.convert(dollars, date(2026, 3, 31)) == 90
    assert RATES.convert(dollars, date(2026, 4, 1)) == 80
    assert RATES.convert(dollars, date(2025, 12, 31)) is None
    assert RATES.convert(Money(Decimal(7), "EUR"), date(2020, 1, 1)) == 7


def test_amounts_without_a_rate_are_told_and_not_summed() -> None:
    pounds = Money(Decimal(50), "GBP")
    day = date(2026, 5, 1)
    assert total([(Money(Decimal(10), "USD"), day), (pounds, day)], RATES) == (Decimal("8.00"), [pounds])


@given(
    st.integers(0, 10**9),
    st.lists(st.floats(0, 1000), min_size=1, max_size=20).filter(lambda shares: sum(shares) > 0),
)
def test_parts_sum_to_the_whole_cent_for_cent(cents: int, shares: list[float]) -> None:
    """And none is a cent or more from its exact share."""
    amount = Decimal(cents) / 100
    parts = apportion(amount, shares)
    assert sum(parts) == amount
    whole = sum(shares)
    for part, share in zip(parts, shares, strict=True):
        assert abs(float(part) - float(amount) * (share / whole)) < 0.0101


def test_no_shares_divide_nothing() -> None:
    with pytest.raises(InputError, match="cannot be divided"):
        apportion(Decimal(1), [0.0, 0.0])
