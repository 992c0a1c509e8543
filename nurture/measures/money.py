"""Amounts in the currencies that they were agreed in, and in the one that a company reports in."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from nurture.errors import InputError

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, 0 or more, in a currency by its ISO 4217 code."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class DatedRate:
    """From `since` on one unit of `currency` is worth `rate` units of the reporting currency."""

    currency: str
    since: date
    rate: Decimal


def read_money(amount: object, currency: object) -> Money:
    """Money from what a CRM or a file says: `1200`, `"1200.50"`, `"eur"`. Raises InputError."""
    code = str(currency or "").strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise InputError(f"the currency {currency!r} is no ISO 4217 code; write EUR, USD ...")
    try:
        value = Decimal(str(amount).strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if isinstance(amount, bool) or not value.is_finite() or not 0 <= value < Decimal("1e15"):
        raise InputError(f"the amount {amount!r} is no number from 0 on; write 1200.50")
    return Money(value, code)


@dataclass(frozen=True)
class Rates:
    """Dated rates into the currency `into`."""

    into: str
    dated: tuple[DatedRate, ...] = ()

    def convert(self, money: Money, on: date) -> Decimal | None:
        """The amount in the reporting currency, at the last rate that was set by `on`; None if there was none."""
        if money.currency == self.into:
            return money.amount
        known = sorted((each.since, each.rate) for each in self.dated if each.currency == money.currency)
        place = bisect_right([since for since, _ in known], on)
        return money.amount * known[place - 1][1] if place else None


def total(amounts: Iterable[tuple[Money, date]], rates: Rates) -> tuple[Decimal, list[Money]]:
    """The sum in the reporting currency to the cent, and the amounts that no rate is known for, which it leaves out."""
    whole, without = Decimal(), list[Money]()
    for money, on in amounts:
        converted = rates.convert(money, on)
        if converted is None:
            without.append(money)
        else:
            whole += converted
    return whole.quantize(CENT), without


def apportion(amount: Decimal, shares: Sequence[float], unit: Decimal = CENT) -> list[Decimal]:
    """Divide an amount by shares into whole units that sum to it: the largest remainders get what rounding left.

    The amount is a whole number of units; shares are 0 or more, and not all 0. Raises InputError.
    """
    if not shares or min(shares) < 0 or not sum(shares) or amount % unit:
        raise InputError(f"{amount} cannot be divided by the shares {list(shares)} into whole {unit}")
    whole = sum(map(Decimal, shares))
    exact = [amount * Decimal(share) / whole / unit for share in shares]
    parts = [each.to_integral_value(ROUND_FLOOR) for each in exact]
    left = int(amount / unit - sum(parts))
    for index in sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])[:left]:
        parts[index] += 1
    return [part * unit for part in parts]
