"""`deals`: deals from a CSV file."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.cli.opening import opened_database, recorder_of, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, out, print_json
from perennial.intake.correcting import TAKEN, Taken, keep_deal
from perennial.intake.deals import BadDeal, DealRow, read_deals
from perennial.intake.reports import Report
from perennial.leads.lookup import find_lead
from perennial.platform.installation import Installation

_SHOWN = 20


def deals(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .csv or .csv.gz with the columns lead, event (opened, won, lost) and at; "
            "deal (its id), amount, currency and reason if wanted.",
            show_default=False,
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Take deals from a CSV file, as the CRM's webhook does; taking the same file again changes nothing.

    A row with another amount, currency, reason or day corrects the deal of its id that was taken before.
    Bad rows are left out and named. The relay tells the journeys; a deal of more than three days ago moves none.
    """
    taken, bad = run(_deals(file))
    if as_json:
        print_json({**{each: taken[each] for each in TAKEN}, "bad": [asdict(each) for each in bad]})
        return
    corrected = f"{taken['corrected']:,} corrected, {taken['known']:,} known already"
    out().print(f"[bold]{counted(taken['new'], 'deal event')} taken[/], {corrected}, {len(bad):,} left out")
    for each in bad[:_SHOWN]:
        err().print(f"  row {each.row}: {escape(each.reason)}")
    if len(bad) > _SHOWN:
        err().print(f"  and {len(bad) - _SHOWN:,} more; --json lists all")


async def _deals(file: Path) -> tuple[Counter[Taken], list[BadDeal]]:
    """How many were new, corrected or known, and the rows left out. Of several rows of one event, the last counts."""
    taken: Counter[Taken] = Counter()
    bad: list[BadDeal] = []
    async with opened_database(to_write=True) as base:
        now, recorder = base.now(), recorder_of(base)
        told: dict[str, tuple[int, Report]] = {}
        for row in read_deals(file):
            if isinstance(row, BadDeal):
                bad.append(row)
                continue
            try:
                report = await _report(base, row, now)
            except InputError as error:
                bad.append(BadDeal(row.row, str(error)))
                continue
            if report.id in told:
                bad.append(BadDeal(told[report.id][0], f"row {row.row} tells of it again; the last one counts"))
            told[report.id] = row.row, report
        for number, report in told.values():
            try:
                taken[await keep_deal(base.database, recorder, report, now)] += 1
            except InputError as error:
                bad.append(BadDeal(number, str(error)))
    return taken, sorted(bad, key=lambda each: each.row)


async def _report(base: Installation, row: DealRow, now: datetime) -> Report:
    """The behaviour that a row tells of. Raises InputError."""
    async with base.database.reading() as session:
        lead = await find_lead(session, row.lead)
    if lead is None or lead.erased_at is not None:
        raise InputError(f"no lead {row.lead!r}" if row.lead else "lead is empty")
    return row.report(lead.id, lead.time_zone, now)
