"""`backfill`: old events from a file, as history."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow, LeadRow
from nurture.errors import InputError
from nurture.people.addresses import try_normalise
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
from perennial.leads.suppressed_addresses import suppress_address
from perennial.leads.suppression import SUPPRESSES
from perennial.platform.secrets import secrets_of

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

    What stops mail (lead.opted_out) acts at any age, also in a row that is rejected.
    Taking the same file again changes nothing.
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
                    found = await _read(session, batch, now)
                    if dry_run:
                        new = await _unknown(session, found.reports) - seen
                        seen |= new
                    else:
                        told = [*found.reports, *found.stops]
                        receipts = await recorder_of(base).record(session, told, now)
                        await accept(session, [own.event_of(report, now) for report in told])
                        taken = {report.id for report in found.reports}
                        new = {receipt.report.id for receipt in receipts if receipt.new} & taken
                        for key, reason in found.strangers.items():
                            await suppress_address(session, secrets_of(base.settings), key, reason, now)
                for reject in found.rejected:
                    keep(reject)
                counts.update(new=len(new), known=len(found.reports) - len(new), rejected=len(found.rejected))
                advance(len(batch))
        if not dry_run:
            database.announce(CHANNEL)
    return counts


@dataclass(slots=True)
class _Found:
    """What rows report, and which are rejected; of these the opt-outs of leads, and of addresses of nobody we know."""

    reports: list[Report] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    stops: list[Report] = field(default_factory=list)
    strangers: dict[str, str] = field(default_factory=dict)


async def _read(session: AsyncSession, batch: Sequence[OldEvent], now: datetime) -> _Found:
    """Read rows. What a row says against mail holds also where the row is rejected."""
    found = _Found()
    for row in batch:
        lead = await find_lead(session, row.lead)
        try:
            found.reports.append(_report(lead, row, now))
        except InputError as error:
            found.rejected.append(Reject(row.row, str(error), row.values))
            stop = row.stop(lead.id if lead is not None else "", now)
            if stop is None:
                continue
            if lead is not None and lead.erased_at is None:
                found.stops.append(stop)
            elif key := try_normalise(row.lead):
                found.strangers.setdefault(key, SUPPRESSES[stop.name])
    return found


async def _unknown(session: AsyncSession, reports: Sequence[Report]) -> set[str]:
    """The ids of the reports that are not stored yet."""
    ids = {report.id for report in reports}
    return ids - set(await session.scalars(select(BehaviourRow.id).where(BehaviourRow.id.in_(ids))))


def _report(lead: LeadRow | None, row: OldEvent, now: datetime) -> Report:
    """What a row reports; raises InputError that says what is wrong with it."""
    if row.wrong:
        raise InputError(row.wrong)
    if lead is None or lead.erased_at is not None:
        raise InputError(f"no lead {row.lead!r}" if row.lead else "lead is empty")
    return row.report(lead.id, lead.time_zone, now)
