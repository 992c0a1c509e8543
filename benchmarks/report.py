"""The table: what was measured, what was aimed at, and whether it was met."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `aim` is the bound, `at_most` which side of it is right; None is only for the record."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim was met; None without one."""
        if self.aim is None:
            return None
        return self.value <= self.aim if self.at_most else self.value >= self.aim

    @property
    def verdict(self) -> str:
        """In words: met, or missed by how much."""
        if self.aim is None:
            return ""
        return "met" if self.met else f"missed by {abs(self.value / self.aim - 1):.0%}"


def show(rows: Sequence[Row], *, title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for column, justify in (("measured", "left"), ("value", "right"), ("aim", "right"), ("", "left"), ("note", "left")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type] # a literal type
    for row in rows:
        aim = "" if row.aim is None else f"{'≤' if row.at_most else '≥'} {figure(row.aim)}"
        table.add_row(row.name, f"{figure(row.value)} {row.unit}".strip(), aim, row.verdict, row.note)
    Console(width=150).print(table)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for a machine."""
    return [asdict(row) | {"met": row.met} for row in rows]


def figure(value: float) -> str:
    """A number with three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """The range of several rounds."""
    return f"{figure(min(values))} to {figure(max(values))} in {len(values)} rounds"


def middle(values: Sequence[float]) -> float:
    """The median."""
    return median(values)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
