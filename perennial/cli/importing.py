"""`import`: leads from a CSV file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from perennial.app.programme import track_to_try
from perennial.cli.many import progress
from perennial.cli.opening import LATER, opened_database, run, tell_if_up
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, out, print_json
from perennial.journeys.asked import Asked, ask_to_exit, tell_asked
from perennial.journeys.handles import running
from perennial.leads.importing.importer import ImportReport, import_leads
from perennial.leads.importing.leads_file import LeadRecord, check_file, read_leads, rejects_file, rejects_path
from perennial.leads.importing.mapping import read_mapping
from perennial.leads.importing.proposing import propose
from perennial.platform.program import command
from perennial.platform.secrets import secrets_of
from perennial.platform.settings import load_settings


def import_(
    file: Annotated[Path, typer.Argument(help="The leads, as .csv or .csv.gz in UTF-8.", show_default=False)],
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map",
            help="Which column is what (TOML); sample/mapping.toml explains. Without it, one is proposed.",
            show_default=False,
        ),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go, each with its reason; else beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import leads from a CSV file; importing it again changes nothing.

    Bad rows are left out and kept with their row numbers and reasons in a rejects file; opt-outs in the file become
    suppressions at once. Without --map nothing is imported: a mapping is proposed from the header, on standard output,
    with the first lead as it would be read.
    """
    if mapping is None:
        _propose(file, as_json=as_json)
        return
    bad = rejects or rejects_path(file)
    report, ended, told = run(_import(file, mapping, dry_run=dry_run, bad=bad))
    if as_json:
        print_json(
            {
                **{name: getattr(report, name) for name in ImportReport.__dataclass_fields__},
                "dry_run": dry_run,
                "rejects": str(bad) if report.rejected else None,
                "journeys_ended": ended,
                "told": told,
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
        were, later = ("told", "") if told else ("asked", f". {LATER}")
        console.print(f"{counted(ended, 'running journey was', 'running journeys were')} {were} to end{later}")
    if report.added and not dry_run:
        console.print(f"Next: [bold]{command('enrol')} {track_to_try(load_settings())} --all[/]")


def _propose(file: Path, *, as_json: bool) -> None:
    """Print a mapping to keep, and beside it, on standard error, what it makes of the file."""
    proposal = propose(file)
    sample = None if proposal.sample is None else _shown(proposal.sample)
    if as_json:
        print_json({"mapping": proposal.toml, "left_out": proposal.left_out, "sample": sample})
        return
    typer.echo(proposal.toml, nl=False)
    console = err()
    if sample is None:
        console.print("[yellow]No row of the first ones becomes a lead by this mapping.[/]")
    else:
        console.print(f"[bold]Row {sample.pop('row')} would become[/]")
        for name, value in sample.items():
            console.print(f"  {name:<12} {escape(str(value))}")
    name = f"{file.name.split('.')[0]}.toml"
    again = f"{command('import')} {escape(str(file))}"
    console.print(f"Keep it: [bold]{again} > {escape(name)}[/]; read it, set the basis; then")
    console.print(f"  [bold]{again} --map {escape(name)} --dry-run[/]")


def _shown(lead: LeadRecord) -> dict[str, Any]:
    fields = ("row", "email", "external_id", "first_name", "last_name", "company", "country", "time_zone")
    said = {name: value for name in fields if (value := getattr(lead, name)) is not None}
    return {**said, **lead.traits, **({"never mailed": ", ".join(lead.suppress)} if lead.suppress else {})}


async def _import(file: Path, mapping: Path, *, dry_run: bool, bad: Path) -> tuple[ImportReport, int, bool]:
    columns = read_mapping(mapping)
    found = check_file(file, columns)
    async with opened_database(to_write=not dry_run) as inst:
        done = 0
        with rejects_file(bad, found.columns) as keep, progress("importing", found.rows) as advance:

            def show(read: int) -> None:
                nonlocal done
                advance(read - done)
                done = read

            asked: list[Asked] = []

            async def end(session: AsyncSession, suppressed: Sequence[str]) -> None:
                left = await running(session, suppressed)
                asked.append(await ask_to_exit(session, left, "suppressed by an import", inst.now()))

            report = await import_leads(
                inst.database,
                read_leads(file, columns),
                at=inst.now(),
                dry_run=dry_run,
                on_progress=show,
                on_reject=keep,
                secrets=secrets_of(inst.settings),
                on_suppressed=end,
            )
        ended = sum(len(each.enrolments) for each in asked)
        if not ended:
            return report, 0, True
        return report, ended, bool(await tell_if_up(inst, lambda connected: _tell(connected.client, asked)))


async def _tell(client: Client, asked: Sequence[Asked]) -> bool:
    for each in asked:
        await tell_asked(client, each)
    return True
