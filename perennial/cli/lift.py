"""`lift`: end the suppressions of addresses that work, whose bounces were read wrongly."""

from datetime import datetime
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.app.misread_bounces import Misread, misread
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json, parse_time
from perennial.cli.printing import counted, escape, out, print_json
from perennial.leads.suppression import lift as end_suppression

_SHOWN = 10
_AT_ONCE = 200
"""So many are lifted in one transaction."""


def lift(
    *,
    why: Annotated[str, typer.Option(help="Why; kept in the consent ledger of each lead.")] = "",
    saying: Annotated[str, typer.Option(help="Only who was told these words by the receiving server.")] = "",
    since: Annotated[str | None, typer.Option(help="Only who was suppressed from this day on: 2026-11-02.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who it would be, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Lift, for many leads at once, the suppressions for hard bounces that were read wrongly.

    By itself: of those whose bounces no longer read as a dead address. With --saying: of those who were told these
    words, and have no other bounce that reads as one. Opt-outs, complaints, imports and what a person suppressed stay.
    It grants no consent, and begins no journey again.
    """
    if not dry_run and not why.strip():
        raise InputError('say why they are lifted, such as --why "our DNS was broken"; --dry-run shows who it would be')
    moment = None if since is None else parse_time(since, "--since")
    found = run(_lift(saying.strip(), moment, why.strip(), dry_run=dry_run))
    if as_json:
        texts, stay = dict(found.texts), dict(found.stay)
        print_json({"leads": sorted(found.said), "said": texts, "stay": stay, "dry_run": dry_run})
        return
    console = out()
    would = "Would lift the suppression of" if dry_run else "Lifted the suppression of"
    console.print(f"[bold]{would} {counted(len(found.said), 'lead', 'leads')}[/]")
    for said, number in found.texts[:_SHOWN]:
        console.print(f"  {number:>6,} were told: {escape(said)}")
    if len(found.texts) > _SHOWN:
        console.print(f"  and {len(found.texts) - _SHOWN} more texts: --json has them all")
    for reason, number in found.stay.most_common():
        console.print(f"[dim]  {number:>6,} stay suppressed: {reason}[/]")
    if dry_run:
        console.print("Nothing was changed (dry run).")


async def _lift(saying: str, since: datetime | None, why: str, *, dry_run: bool) -> Misread:
    async with opened_database(to_write=not dry_run) as inst:
        async with inst.database.reading() as session:
            found = await misread(session, saying=saying, since=since)
        if not dry_run:
            leads = sorted(found.said)
            for start in range(0, len(leads), _AT_ONCE):
                async with inst.database.writing() as session:
                    for lead_id in leads[start : start + _AT_ONCE]:
                        await end_suppression(session, lead_id, "hard-bounce", inst.now(), why=why)
        return found
