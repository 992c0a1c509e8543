"""`deals`: deals from a CSV file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.cli.opening import opened_database, recorder_of, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, out, print_json
from perennial.intake.deals import BadDeal, read_deals
from perennial.intake.listener import keep_report
from perennial.leads.lookup import find_lead

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

    Bad rows are left out and named. The relay tells the journeys; a deal of more than three days ago moves none.
    """
    new, known, bad = run(_deals(file))
    if as_json:
        print_json({"new": new, "known": known, "bad": [asdict(each) for each in bad]})
        return
    out().print(f"[bold]{counted(new, 'deal event')} taken[/], {known:,} known already, {len(bad):,} left out")
    for each in bad[:_SHOWN]:
        err().print(f"  row {each.row}: {escape(each.reason)}")
    if len(bad) > _SHOWN:
        err().print(f"  and {len(bad) - _SHOWN:,} more; --json lists all")


async def _deals(file: Path) -> tuple[int, int, list[BadDeal]]:
    """How many were new, how many were known, and the rows left out."""
    new = known = 0
    bad: list[BadDeal] = []
    async with opened_database(to_write=True) as base:
        now, recorder = base.now(), recorder_of(base)
        for row in read_deals(file):
            if isinstance(row, BadDeal):
                bad.append(row)
                continue
            async with base.database.reading() as session:
                lead = await find_lead(session, row.lead)
            if lead is None or lead.erased_at is not None:
                bad.append(BadDeal(row.row, f"no lead {row.lead!r}" if row.lead else "lead is empty"))
                continue
            try:
                report = row.report(lead.id, lead.time_zone, now)
            except InputError as error:
                bad.append(BadDeal(row.row, str(error)))
                continue
            receipt = await keep_report(base.database, recorder, report, now)
            new, known = new + receipt.new, known + (not receipt.new)
    return new, known, bad
