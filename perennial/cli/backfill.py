"""`backfill`: old events from a file, as history."""

from collections import Counter
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

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
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go, each with its reason; else beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take a file of old events as history: they count for scores and segments, and move no journey.

    What stops mail (lead.opted_out) acts at any age. Taking the same file again changes nothing.
    """
    bad = rejects or rejects_path(file)
    counts = run(_backfill(file, bad))
    if as_json:
        said = {name: counts[name] for name in ("new", "known", "rejected")}
        print_json({**said, "rejects": str(bad) if counts["rejected"] else None})
        return
    out().print(f"[bold]{counted(counts['new'], 'event')} taken[/] as history, {counts['known']:,} known already")
    if counts["rejected"]:
        out().print(f"{counts['rejected']:,} rejected, see {escape(str(bad))}")


async def _backfill(file: Path, bad: Path) -> Counter[str]:
    total = sum(1 for _ in read_events(file))  # a file that cannot be read to its end is refused before anything
    counts: Counter[str] = Counter()
    rows = read_events(file)
    async with opened_database(to_write=True) as base:
        now, recorder = base.now(), recorder_of(base)
        with rejects_file(bad, COLUMNS) as keep, progress("backfilling", total) as advance:
            while batch := list(islice(rows, BATCH)):
                rejected: list[Reject] = []
                async with base.database.writing() as session:
                    reports = []
                    for row in batch:
                        try:
                            reports.append(await _report(session, row, now))
                        except InputError as error:
                            rejected.append(Reject(row.row, str(error), row.values))
                    receipts = await recorder.record(session, reports, now)
                    await accept(session, [own.event_of(report, now) for report in reports])
                for reject in rejected:
                    keep(reject)
                new = len({receipt.report.id for receipt in receipts if receipt.new})
                counts.update(new=new, known=len(receipts) - new, rejected=len(rejected))
                advance(len(batch))
        base.database.announce(CHANNEL)
    return counts


async def _report(session: AsyncSession, row: OldEvent, now: datetime) -> Report:
    """What a row reports; raises InputError that says what is wrong with it."""
    if row.wrong:
        raise InputError(row.wrong)
    lead = await find_lead(session, row.lead)
    if lead is None or lead.erased_at is not None:
        raise InputError(f"no lead {row.lead!r}" if row.lead else "lead is empty")
    return row.report(lead.id, lead.time_zone, now)
