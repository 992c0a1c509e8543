"""`segments` and `segment`: how large they are, how they overlap, who is in one and why; and `--segment` of others."""

import csv
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from nurture.segments.named import Segment, Segments
from perennial.app.programme import programme_of
from perennial.cli.names import require_names
from perennial.cli.opening import opened_database, run, scores_now
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, escape_lines, out, print_json
from perennial.leads.importing.formulas import as_text
from perennial.leads.selection import select_leads
from perennial.platform.installation import Installation
from perennial.platform.private_files import private_file
from perennial.segments.lead_facts import facts_of
from perennial.segments.sql import LIVE, ids_of, in_segment

COLUMNS = ("id", "email", "first_name", "last_name", "company")


def segments(as_json: Json = False) -> None:
    """List the segments of the programme: how many leads are in each, and in two at once."""
    total, members, known = run(_segments())
    sizes = {name: len(ids) for name, ids in members.items()}
    shared = [(one, two, len(members[one] & members[two])) for one, two in combinations(members, 2)]
    if as_json:
        listed = [{"name": name, "leads": size, "means": str(known[name].meant)} for name, size in sizes.items()]
        overlaps = [{"segments": [one, two], "leads": both} for one, two, both in shared]
        print_json({"leads": total, "segments": listed, "overlaps": overlaps})
        return
    console = out()
    table = Table.grid(padding=(0, 2))
    for name, size in sizes.items():
        part = f"{size / total:.0%}" if total else ""
        table.add_row(f"[bold]{name}[/]", f"{size:,}", part, escape(str(known[name].meant)))
    console.print(table)
    console.print(f"{counted(len(sizes), 'segment')}, {counted(total, 'lead')}")
    for one, two, both in shared:
        if both:
            console.print(f"  {both:>7,}  in both {one} and {two}")


async def _segments() -> tuple[int, dict[str, set[str]], Segments]:
    async with opened_database() as inst, inst.database.reading() as session:
        known, scores = segments_of(inst), scores_now(inst)
        members = {
            name: set(await session.scalars(await ids_of(session, each, scores))) for name, each in known.items()
        }
        total = await session.scalar(select(func.count()).select_from(LeadRow).where(LIVE))
        return total or 0, members, known


def segment(
    name: Annotated[str, typer.Argument(help="The segment, as `segments` names it.", show_default=False)],
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    file: Annotated[Path | None, typer.Option("--csv", help="Write all of them to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Show who is in a segment, and why each is."""
    require_names(segment=name)
    total, found, meant = run(_segment(name, None if file is not None else limit))
    if file is not None:
        private_file(file)
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow((*COLUMNS, "because"))
            for row in found:
                cells = [*(row[column] or "" for column in COLUMNS), "; ".join(row["because"])]
                writer.writerow([as_text(str(cell)) for cell in cells])
    if as_json:
        print_json({"name": name, "means": str(meant.meant), "total": total, "leads": found[:limit]})
        return
    console = out()
    console.print(f"[bold]{name}[/]: {escape(str(meant.meant))}")
    table = Table.grid(padding=(0, 2))
    for row in found[:limit]:
        table.add_row(escape(row["id"]), escape(row["email"]), escape("; ".join(row["because"])))
    console.print(table)
    console.print(counted(total, "lead") + (f", {limit} shown (--limit)" if total > limit else ""))
    if file is not None:
        console.print(f"all of them in {escape(str(file))}")


async def _segment(name: str, limit: int | None) -> tuple[int, list[dict[str, Any]], Segment]:
    async with opened_database() as inst, inst.database.reading() as session:
        meant, scores = segments_of(inst)[name], scores_now(inst)
        ids = await chosen_leads(session, inst, None, name)
        found: list[dict[str, Any]] = []
        for lead_id in ids[:limit]:
            lead = await session.get_one(LeadRow, lead_id)
            because = meant.because(await facts_of(session, lead, scores), scores.now)
            found.append({column: getattr(lead, column) for column in COLUMNS} | {"because": because})
        return len(ids), found, meant


def segments_of(inst: Installation) -> Segments:
    """The programme's segments; what is broken is said on standard error."""
    known = programme_of(inst.settings).segments
    for line in known.broken:
        err().print(f"[yellow]broken segment:[/] {escape_lines(line)}")
    return known


async def within_segment(session: AsyncSession, inst: Installation, name: str | None) -> ColumnElement[bool] | None:
    """A segment, by name, as a condition on `LeadRow`; None for none. Raises NotFoundError."""
    return None if name is None else await in_segment(session, segments_of(inst)[name], scores_now(inst))


async def chosen_leads(session: AsyncSession, inst: Installation, where: str | None, name: str | None) -> list[str]:
    """The ids of the leads that a filter finds, in a segment if one is named. Raises InputError, NotFoundError."""
    return await select_leads(session, where, scores_now(inst), await within_segment(session, inst, name))
