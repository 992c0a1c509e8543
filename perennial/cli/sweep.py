"""`sweep`: enrol those who came into the segments by which tracks are entered, now."""

from rich.table import Table

from perennial.cli.many import progress
from perennial.cli.opening import connected, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.sweeping import Swept


def sweep(as_json: Json = False) -> None:
    """Enrol those who came into a segment that a track is entered by; the worker does so each hour by itself.

    Each stay of a lead in a segment enrols it once. Cut short, run it again: it takes up where it stopped.
    """
    found = run(_sweep())
    if as_json:
        keys = ("track", "segment", "within", "came", "left")
        print_json([{key: getattr(each, key) for key in keys} | {"results": dict(each.results)} for each in found])
        return
    console = out()
    if not found:
        console.print("No track is entered by a segment: write enters_on=segment_entered(...) above one")
        return
    table = Table.grid(padding=(0, 2))
    for each in found:
        stays = f"{each.within:,} in it, {each.came:,} came, {each.left:,} left"
        table.add_row(f"[bold]{each.track}[/]", each.segment, stays)
        for result, count in each.results.most_common():
            table.add_row("", f"{count:,}", escape(result))
    console.print(table)
    console.print(f"[bold]{counted(sum(each.results['enrolled'] for each in found), 'lead')} enrolled[/]")


async def _sweep() -> list[Swept]:
    async with connected() as inst:
        with progress("enrolling", 0) as advance:
            return await inst.sweeper.sweep(lambda _way, _done, _all: advance(1))
