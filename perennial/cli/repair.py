"""`repair`: bring Temporal and the database together again."""

from collections import Counter, defaultdict
from typing import Annotated

import typer

from perennial.cli.many import for_each, print_refusals
from perennial.cli.opening import connected, run
from perennial.cli.options import Json, Rate, parse_rate
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.repairing import REMEDIES, Difference, Fault, Repair

SHOWN = 5


def repair(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what differs, and change nothing.")] = False,
    end_lost: Annotated[
        bool,
        typer.Option("--end-lost", help="End the journeys that Temporal has lost, instead of starting them again."),
    ] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Mend journeys that run in Temporal or in the database alone.

    After a journey was terminated in the Temporal UI, after either was restored from a backup, after Temporal came back
    empty. Nothing that the database or the workflow knows of is sent again; it is safe to repeat.
    """
    found, results = run(_repair(parse_rate(rate), dry_run=dry_run, end_lost=end_lost))
    if as_json:
        print_json({"differences": found, "results": dict(results), "dry_run": dry_run})
        return
    console = out()
    if not found:
        console.print("Temporal and the database agree.")
        return
    by_fault: defaultdict[Fault, list[Difference]] = defaultdict(list)
    for each in found:
        by_fault[each.fault].append(each)
    for fault, differences in by_fault.items():
        remedy = "end it" if end_lost and fault == "lost in Temporal" else REMEDIES[fault]
        console.print(f"[bold]{counted(len(differences), 'journey')} {fault}[/]: {remedy}")
        for each in differences[:SHOWN]:
            console.print(f"    {escape(each.enrolment_id)}  [dim]{escape(each.outcome)}[/]")
        if len(differences) > SHOWN:
            console.print(f"    and {len(differences) - SHOWN:,} more")
    if dry_run:
        console.print("Nothing was changed (dry run).")
        return
    console.print(f"[bold]{counted(results['mended'], 'journey')} mended[/]")
    print_refusals(console, results)


async def _repair(rate: float | None, *, dry_run: bool, end_lost: bool) -> tuple[list[Difference], Counter[str]]:
    async with connected() as inst:
        mending = Repair(inst.enroller)
        found = [each async for each in mending.differences()]
        if dry_run:
            return found, Counter()

        async def mend(difference: Difference) -> str:
            if end_lost and difference.fault == "lost in Temporal":
                difference = Difference(difference.enrolment_id, "ended in Temporal", "exited: lost in Temporal")
            return "mended" if await mending.mend(difference, inst.now()) else "well by now"

        return found, await for_each(found, mend, label="repairing", rate=rate)
