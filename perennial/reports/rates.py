"""Dated exchange rates from a CSV file, for reports in one currency."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from nurture.errors import ImportFileError, InputError
from nurture.measures.money import DatedRate, Money, Rates, read_money
from perennial.leads.importing.csv_rows import csv_rows

_COLUMNS = ["currency", "since", "rate"]


def read_rates(path: Path, into: str) -> Rates:
    """The rates of a file with the columns currency, since (a date) and rate, each into the currency `into`.

    Raises ImportFileError that names the row.
    """
    rows = csv_rows(path, ",")
    if (columns := [column.strip().lower() for column in next(rows, [])]) != _COLUMNS:
        raise ImportFileError(f"{path}: the columns are {', '.join(columns) or 'none'}; name currency, since, rate")
    found = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            found.append(_rate(row))
        except InvalidOperation:
            raise ImportFileError(f"{path}: row {number}: the rate is no number; write USD,2026-01-01,0.92") from None
        except (ValueError, InputError) as error:
            raise ImportFileError(f"{path}: row {number}: {error}; write USD,2026-01-01,0.92") from None
    return Rates(into, tuple(found))


def _rate(row: Sequence[str]) -> DatedRate:
    code, since, text = (each.strip() for each in row)
    rate = Decimal(text)
    if not (rate.is_finite() and rate > 0):
        raise InputError(f"the rate {text!r} is not above 0")
    return DatedRate(read_money(0, code).currency, date.fromisoformat(since), rate)


def commonest_currency(amounts: Iterable[Money]) -> str:
    """The currency of most amounts, to report in where none is named; EUR of none."""
    counts = Counter(money.currency for money in amounts)
    return min(counts, key=lambda code: (-counts[code], code)) if counts else "EUR"
