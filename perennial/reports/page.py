"""A report as one HTML file: no script, nothing from elsewhere, charts as SVG with real text."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nurture.measures.proportions import Rate
from perennial.reports.tables import Cell, Table, say, say_likely

_HERE = Path(__file__).resolve().parent / "templates"
_MOST_BARS = 12
_WIDTH, _NAMES, _ROW = 720.0, 220.0, 26.0
_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Report:
    """A report, in words and tables."""

    title: str
    about: str
    made_at: datetime
    summary: tuple[str, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "title": self.title,
            "about": self.about,
            "made_at": self.made_at.isoformat(),
            "summary": list(self.summary),
            "tables": {table.name: table.as_json() for table in self.tables},
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its geometry in the drawing's units, its name and what it says; `low` and `high` of an interval."""

    name: str
    says: str
    y: float
    width: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart of one column of a table."""

    title: str
    bars: tuple[Bar, ...]
    more: int

    @property
    def height(self) -> float:
        """Of the drawing."""
        return len(self.bars) * _ROW + 4


def render_report(report: Report) -> str:
    """The page. Its policy allows its own style sheet, by its hash, and nothing else."""
    style = (_HERE / "report.css").read_text("utf-8")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            tables=[(table, chart_of(table)) for table in report.tables],
            style=style,
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            names=_NAMES,
            width=_WIDTH,
        )
    )


def chart_of(table: Table) -> Chart | None:
    """The bars of a table's column, in its order, at most 12; None if it has none."""
    if table.bar is None or not table.rows:
        return None
    shown = [(str(row[0]), row[table.bar]) for row in table.rows[:_MOST_BARS]]
    most = max([0.0, *(_reach(cell) for _, cell in shown)]) or 1.0
    scale = (_WIDTH - _NAMES - 130) / most
    return Chart(
        f"{table.title}: {table.columns[table.bar]}",
        tuple(_bar(name, cell, place, scale) for place, (name, cell) in enumerate(shown)),
        len(table.rows) - len(shown),
    )


def _bar(name: str, cell: Cell, place: int, scale: float) -> Bar:
    y = place * _ROW
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    if isinstance(cell, Rate):
        interval, value = cell.interval(), cell.value
        says = "none" if value is None else f"{value:.1%} of {cell.of:,}"
        return Bar(name, says, y, (value or 0.0) * scale, interval.low * scale, interval.high * scale)
    return Bar(name, say(cell), y, _reach(cell) * scale)


def _reach(cell: Cell) -> float:
    if isinstance(cell, Rate):
        return cell.interval().high
    return float(cell) if isinstance(cell, int | float) else 0.0


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["say"] = say
    environment.filters["say_likely"] = say_likely
    environment.tests["rate"] = lambda cell: isinstance(cell, Rate) and cell.of > 0
    environment.filters["number"] = lambda value: f"{value:.1f}"
    return environment
