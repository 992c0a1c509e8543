"""How a demo looks while it runs: a live panel on a terminal, a line now and then elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from perennial.reports.funnel import NURTURE, SALES, Funnel

WIDTH = 80
BAR = 40
_GOOD = ("handed to sales", "reconsidered", "revived")
_COLOURS = {NURTURE: "cyan", SALES: "yellow"}
_LINE_EACH = timedelta(days=15)


@dataclass(slots=True)
class View:
    """Shows how far the demo is. Plain when `console` is no terminal: a line each fortnight of the journeys' time."""

    console: Console
    begin: datetime
    until: datetime
    _live: Live = field(init=False)
    _next_line: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._next_line = self.begin + _LINE_EACH

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def show(self, now: datetime, counts: Funnel) -> None:
        """Show these counts."""
        if self.console.is_terminal:
            self._live.update(self._panel(now, counts), refresh=True)
        elif now >= self._next_line:
            self._next_line += _LINE_EACH
            self.console.print(f"{now:%d %b %Y}  {counts_in_a_line(counts).plain}", highlight=False)

    def _panel(self, now: datetime, counts: Funnel) -> Group:
        done = (now - self.begin) / (self.until - self.begin)
        day, days = (now - self.begin).days, (self.until - self.begin).days
        filled = round(BAR * min(1.0, done))
        head = Text.assemble(
            (f"{now:%a %d %b %Y}", "bold"),
            f"  day {day} of {days}  ",
            ("━" * filled, "green"),
            ("━" * (BAR - filled), "bright_black"),
        )
        return Group(head, counts_in_a_line(counts), Text(), bars(counts.standing))


def counts_in_a_line(counts: Funnel) -> Text:
    """The counts in one line."""
    parts = (
        (counts.sent, "mails", "bold"),
        (counts.offered, "offered to sales", "green"),
        (counts.left.get("opt-out", 0), "opted out", "red"),
        (counts.running, "under way", "cyan"),
    )
    line = Text()
    for number, name, style in parts:
        line.append(f"{number:,} ", style=style)
        line.append(f"{name}  ")
    line.rstrip()
    return line


def print_narrow(console: Console, shown: RenderableType) -> None:
    """Print within 80 columns, whatever the terminal is."""
    console.print(shown, soft_wrap=False, width=min(WIDTH, console.width))


def bars(standing: Mapping[str, Mapping[str, int]]) -> Table:
    """A bar for each track, and in words how many stand where."""
    table = Table.grid(padding=(0, 2))
    most = max((sum(places.values()) for places in standing.values()), default=1)
    for track, places in standing.items():
        total = sum(places.values())
        bar, legend = Text(), Text()
        for place, count in _in_order(places):
            colour = colour_of(place)
            bar.append("█" * max(1, round(BAR * count / most)), style=colour)
            legend.append(", " if legend else "")
            legend.append(f"{count} {place}", style=colour)
        table.add_row(Text(track, "bold"), Text(f"{total}", justify="right"), bar)
        table.add_row("", "", legend)
    return table


def colour_of(place: str) -> str:
    """A colour each for: under way, with sales, a success, a quiet end, and gone."""
    if place.startswith("exited"):
        return "red"
    return _COLOURS.get(place, "green" if place in _GOOD else "bright_black")


def _in_order(places: Mapping[str, int]) -> list[tuple[str, int]]:
    ranks = ("cyan", "yellow", "green", "bright_black", "red")
    return sorted(places.items(), key=lambda item: (ranks.index(colour_of(item[0])), -item[1]))
