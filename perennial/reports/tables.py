"""Tables of a report, and what their cells say: to a person, in a CSV file, and as JSON."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from nurture.measures.proportions import Rate
from perennial.leads.importing.formulas import as_text

Cell: TypeAlias = str | int | float | date | Decimal | timedelta | Rate | None

_RATE_COLUMNS = ("", " of", " share", " low", " high")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `name` in file names, `says` what it shows. `bar` is the column that is drawn as bars, if one is."""

    name: str
    title: str
    says: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    bar: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Rows as objects; a rate as hits, of, share, low and high, a time in hours."""
        rows = [dict(zip(self.columns, map(plain, row), strict=True)) for row in self.rows]
        return {"name": self.name, "title": self.title, "says": self.says, "rows": rows}

    def write_csv(self, folder: Path) -> Path:
        """Write it as CSV; a rate takes five columns."""
        path = folder / f"{self.name}.csv"
        wide = [any(isinstance(row[place], Rate) for row in self.rows) for place in range(len(self.columns))]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_header(self.columns, wide))
            writer.writerows(list(_flat(row, wide)) for row in self.rows)
        return path


def say(cell: Cell) -> str:  # noqa: PLR0911 - one return a kind
    """A cell for a person. A rate carries its count, and says so when it is of few."""
    match cell:
        case None:
            return "not known"
        case Rate():
            return _say_rate(cell)
        case timedelta():
            hours = cell / timedelta(hours=1)
            return f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:,.0f} hours"
        case date():
            return f"{cell:%d %b %Y}"
        case float():
            return f"{cell:,.2f}"
        case int() | Decimal():
            return f"{cell:,}"
        case str():
            return cell


def plain(cell: Cell) -> Any:
    """A cell as JSON: money as text, so that no digit is lost."""
    match cell:
        case Rate():
            interval = cell.interval()
            share = {"share": cell.value, "low": interval.low, "high": interval.high, "small": cell.small}
            return {"hits": cell.hits, "of": cell.of, **share}
        case timedelta():
            return {"hours": cell / timedelta(hours=1)}
        case date() | Decimal():
            return str(cell)
        case _:
            return cell


def _say_rate(rate: Rate) -> str:
    if rate.value is None:
        return "none to count"
    few = ", few" if rate.small else ""
    return f"{rate.value:.{_digits(rate)}%} ({rate.hits:,} of {rate.of:,}{few})"


def say_likely(rate: Rate) -> str:
    """The interval of a rate for a person; empty of nothing."""
    if rate.value is None:
        return ""
    interval, digits = rate.interval(), _digits(rate)
    return f"likely {interval.low:.{digits}%} to {interval.high:.{digits}%}"


def _digits(rate: Rate) -> int:
    return 1 if rate.value is not None and rate.value < 0.1 else 0


def _header(columns: Sequence[str], wide: Sequence[bool]) -> list[str]:
    return [
        f"{name}{more}"
        for name, is_wide in zip(columns, wide, strict=True)
        for more in (_RATE_COLUMNS if is_wide else ("",))
    ]


def _flat(row: Sequence[Cell], wide: Sequence[bool]) -> Iterator[Any]:
    for cell, is_wide in zip(row, wide, strict=True):
        if isinstance(cell, Rate):
            interval = cell.interval()
            yield from (cell.hits, cell.of, cell.value, interval.low, interval.high)
        elif is_wide:
            yield from ("",) * len(_RATE_COLUMNS)
        elif isinstance(cell, timedelta):
            yield cell / timedelta(hours=1)
        else:
            yield as_text(cell) if isinstance(cell, str) else cell
