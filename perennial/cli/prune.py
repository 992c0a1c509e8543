"""`prune`: remove what is past its time."""

from typing import Annotated

import typer

from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, out, print_json
from perennial.privacy.retention import Keep, Pruned, count_prunable
from perennial.privacy.retention import prune as prune_database


def prune(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what is older than the settings PERENNIAL_KEEP_* allow; reports stay as they were.

    Events by their age; journals, touches and messages once their journey ended that long ago. The relay does the same
    each day.
    """
    gone = run(_prune(dry_run=dry_run))
    if as_json:
        print_json(gone)
        return
    console = out()
    console.print(f"[bold]{'Would remove' if dry_run else 'Removed'}[/]")
    for number, one, many in (
        (gone.events, "event", ""),
        (gone.journals, "journal of a journey", "journals of journeys"),
        (gone.touches, "touch", "touches"),
        (gone.messages, "message", ""),
    ):
        console.print(f"  {counted(number, one, many)}")


async def _prune(*, dry_run: bool) -> Pruned:
    async with opened_database(to_write=not dry_run) as inst:
        keep, now = Keep.by(inst.settings), inst.now()
        if not dry_run:
            return await prune_database(inst.database, keep, now)
        async with inst.database.reading() as session:
            return await count_prunable(session, keep, now)
