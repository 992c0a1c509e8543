"""`backfill`: old events from a file, as history."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow
from nurture.errors import InputError
from perennial.cli.many import progress
from perennial.cli.opening import opened_database, recorder_of, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.intake import own
from perennial.intake.backfill import COLUMNS, OldEvent, read_events
from perennial.intake.outbox import CHANNEL, accept
from perennial.intake.reports import Report
from perennial.leads.importing.leads_file import Reject, rejects_file, rejects_path
from perennial.leads.lookup import find_lead

BATCH = 200


def backfill(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .csv or .jsonl file with lead, event and at; subject and id if wanted.", show_default=False
        ),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go, each with its reason; else beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take a file of old events as history: they count for scores and segments, and move no journey.

    What stops mail (lead.opted_out) acts at any age. Taking the same file again changes nothing.
    """
    bad = rejects or rejects_path(file)
    counts = run(_backfill(file, bad, dry_run=dry_run))
    if as_json:
        said = {name: counts[name] for name in ("new", "known", "rejected")}
        print_json({**said, "dry_run": dry_run, "rejects": str(bad) if counts["rejected"] else None})
        return
    would = "would be " if dry_run else ""
    taken = f"[bold]{counted(counts['new'], 'event')} {would}taken[/] as history, {counts['known']:,} known already"
    out().print(f"{taken}{' (dry run: nothing was changed)' if dry_run else ''}")
    if counts["rejected"]:
        out().print(f"{counts['rejected']:,} {would}rejected, see {escape(str(bad))}")


async def _backfill(file: Path, bad: Path, *, dry_run: bool) -> Counter[str]:
    total = sum(1 for _ in read_events(file))  # a file that cannot be read to its end is refused before anything
    counts: Counter[str] = Counter()
    rows = read_events(file)
    seen: set[str] = set()
    async with opened_database(to_write=not dry_run) as base:
        now, database = base.now(), base.database
        with rejects_file(bad, COLUMNS) as keep, progress("backfilling", total) as advance:
            while batch := list(islice(rows, BATCH)):
                async with database.reading() if dry_run else database.writing() as session:
                    reports, rejected = await _reports(session, batch, now)
                    if dry_run:
                        new = await _unknown(session, reports) - seen
                        seen |= new
                    else:
                        receipts = await recorder_of(base).record(session, reports, now)
                        await accept(session, [own.event_of(report, now) for report in reports])
                        new = {receipt.report.id for receipt in receipts if receipt.new}
                for reject in rejected:
                    keep(reject)
                counts.update(new=len(new), known=len(reports) - len(new), rejected=len(rejected))
                advance(len(batch))
        if not dry_run:
            database.announce(CHANNEL)
    return counts


async def _reports(
    session: AsyncSession, batch: Sequence[OldEvent], now: datetime
) -> tuple[list[Report], list[Reject]]:
    reports, rejected = [], []
    for row in batch:
        try:
            reports.append(await _report(session, row, now))
        except InputError as error:
            rejected.append(Reject(row.row, str(error), row.values))
    return reports, rejected


async def _unknown(session: AsyncSession, reports: Sequence[Report]) -> set[str]:
    """The ids of the reports that are not stored yet."""
    ids = {report.id for report in reports}
    return ids - set(await session.scalars(select(BehaviourRow.id).where(BehaviourRow.id.in_(ids))))


async def _report(session: AsyncSession, row: OldEvent, now: datetime) -> Report:
    """What a row reports; raises InputError that says what is wrong with it."""
    if row.wrong:
        raise InputError(row.wrong)
    lead = await find_lead(session, row.lead)
    if lead is None or lead.erased_at is not None:
        raise InputError(f"no lead {row.lead!r}" if row.lead else "lead is empty")
    return row.report(lead.id, lead.time_zone, now)
