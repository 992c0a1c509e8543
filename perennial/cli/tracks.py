"""`tracks`: how many leads stand where. Read from the database, so Temporal may be away."""

from collections.abc import Mapping

from rich.console import Console

from nurture.journey.track import Registry
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import Json
from perennial.cli.printing import escape, out, print_json
from perennial.platform.settings import load_settings
from perennial.reports.places import TrackCounts, count_places

WIDEST_BAR = 24
MOST_PLACES = 12


def tracks(as_json: Json = False) -> None:
    """Count who is where: the journeys of each track, by the step they stand at."""
    found = run(_track_counts(tell_broken(programme_of(load_settings()).tracks)))
    if as_json:
        print_json(found)
        return
    console = out()
    for name, counts in found.items():
        journeys = " · ".join(f"{count:,} {status}" for status, count in counts.journeys.items()) or "nobody yet"
        console.print(f"[bold]{name}[/]  {journeys}")
        console.print(f"  [dim]{escape(counts.story)}[/]")
        _print_bars(console, counts.standing, "")
        _print_bars(console, counts.ended, "ended: ")
        console.print()


async def _track_counts(registry: Registry) -> dict[str, TrackCounts]:
    async with opened_database() as inst, inst.database.reading() as session:
        return await count_places(session, registry)


def _print_bars(console: Console, counts: Mapping[str, int], prefix: str) -> None:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    most = max(counts.values(), default=1)
    for step, count in ordered[:MOST_PLACES]:
        bar = "█" * max(1, round(WIDEST_BAR * count / most))
        console.print(f"  {count:>6,}  [cyan]{bar:<{WIDEST_BAR}}[/]  {escape(prefix + step)}")
    if len(ordered) > MOST_PLACES:
        rest = sum(count for _, count in ordered[MOST_PLACES:])
        console.print(f"  {rest:>6,}  [dim]at {len(ordered) - MOST_PLACES} further places[/]")
