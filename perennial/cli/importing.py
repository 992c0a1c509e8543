"""`import`: leads from a CSV file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from perennial.cli.many import progress
from perennial.cli.opening import client_if_up, opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.handles import exit_journeys, running
from perennial.leads.importing.importer import ImportReport, import_leads
from perennial.leads.importing.leads_file import check_file, read_leads, rejects_file, rejects_path
from perennial.leads.importing.mapping import read_mapping
from perennial.platform.installation import Installation
from perennial.platform.secrets import secrets_of


def import_(
    file: Annotated[Path, typer.Argument(help="The leads, as .csv or .csv.gz in UTF-8.", show_default=False)],
    mapping: Annotated[
        Path,
        typer.Option("--map", help="Which column is what (TOML); sample/mapping.toml explains.", show_default=False),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go, each with its reason; else beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import leads from a CSV file; importing it again changes nothing.

    Bad rows are left out and kept with their row numbers and reasons in a rejects file; opt-outs in the file become
    suppressions at once.
    """
    bad = rejects or rejects_path(file)
    report, ended = run(_import(file, mapping, dry_run=dry_run, bad=bad))
    if as_json:
        print_json(
            {
                **{name: getattr(report, name) for name in ImportReport.__dataclass_fields__},
                "dry_run": dry_run,
                "rejects": str(bad) if report.rejected else None,
                "journeys_ended": ended,
            }
        )
        return
    console = out()
    would = "would be " if dry_run else ""
    console.print(f"[bold]{counted(report.read, 'row')} read[/]{' (dry run: nothing was changed)' if dry_run else ''}")
    for count, what in (
        (report.added, f"{would}added"),
        (report.changed, f"{would}changed"),
        (report.unchanged, "unchanged"),
        (report.rejected, f"{would}rejected{f', see {bad}' if report.rejected else ''}"),
    ):
        console.print(f"  {count:>7,}  {escape(what)}")
    if report.suppressed:
        will = "would" if dry_run else "will"
        asked = f"; {report.opted_out:,} of them asked for that" if report.opted_out else ""
        console.print(f"{counted(report.suppressed, 'lead')} {will} never be mailed{asked}")
    if ended:
        console.print(f"{counted(ended, 'running journey was', 'running journeys were')} told to end")
    if report.added and not dry_run:
        console.print("Next: [bold]starter.py enrol new-lead --all[/]")


async def _import(file: Path, mapping: Path, *, dry_run: bool, bad: Path) -> tuple[ImportReport, int]:
    columns = read_mapping(mapping)
    found = check_file(file, columns)
    async with opened_database(to_write=not dry_run) as inst:
        done = 0
        with rejects_file(bad, found.columns) as keep, progress("importing", found.rows) as advance:

            def show(read: int) -> None:
                nonlocal done
                advance(read - done)
                done = read

            report = await import_leads(
                inst.database,
                read_leads(file, columns),
                at=inst.now(),
                dry_run=dry_run,
                on_progress=show,
                on_reject=keep,
                secrets=secrets_of(inst.settings),
            )
        return report, 0 if dry_run else await _end_journeys(inst, report.now_suppressed)


async def _end_journeys(inst: Installation, suppressed: Sequence[str]) -> int:
    """End the running journeys of leads that an import has suppressed; how many were told to end.

    None if no server answers: the gate refuses the leads' mail in any case.
    """
    async with inst.database.reading() as session:
        left = await running(session, suppressed)
    if not left:
        return 0
    client = await client_if_up(inst.settings)
    return 0 if client is None else len(await exit_journeys(client, left, "suppressed by an import"))
