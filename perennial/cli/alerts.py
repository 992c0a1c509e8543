"""`alerts`: what calls for a person's attention."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import escape, out, print_json
from perennial.intake.failed import Failures, failures
from perennial.intake.rejections import sender_rejections
from perennial.journeys.alerts import AlertLine, latest_alerts
from perennial.platform.program import command
from perennial.reports.watching import watch

LATELY = timedelta(days=30)
"""For how long a rejection of our mail calls for attention."""


def alerts(
    last: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List what the journeys ask a person to look at, mail that is rejected, and events that could not be passed on.

    Also what the measures say now: complaints, bounces, opt-outs and clicks of a week, and offers that sales left open.
    The latest stands last.
    """
    found, rejections, failed, watched = run(_alerts(last))
    if as_json:
        told = [*rejections, *((each.oldest, each.text) for each in failed), *watched]
        ours = [{"at": at, "text": text, "lead_id": None, "email": None} for at, text in told]
        print_json([*(asdict(line) for line in found), *ours])
        return
    console = out()
    lines = [(line.at, f"[bold]{escape(line.text)}[/]  {_whose(line)}") for line in found]
    lines += [(at, f"[bold red]{escape(note)}[/]") for at, note in rejections]
    lines += [(each.oldest, f"[bold]{escape(each.text)}[/]") for each in failed]
    lines += [(at, f"[bold]{escape(text)}[/]") for at, text in watched]
    if lines:
        console.print("[dim]times in UTC[/]")
    for at, text in sorted(lines):
        console.print(f"{at:%d %b %Y %H:%M}  {text}")
    if failed:
        console.print(f"Once their cause is mended, pass them on again: `{command('retell')}`.")
    if rejections:
        console.print("Look after the sender's reputation: SPF, DKIM, DMARC, complaints, the text.")
    if any(line.held for line in found):
        console.print(
            f"Put held leads on their way: `{command('release')} --track TRACK --at STEP`, or mend the track."
        )
    if any(line.stuck for line in found):
        console.print(
            f"Stuck journeys try again by themselves: mend what is named, then `{command('refresh')} --track TRACK`."
        )
    if not lines:
        console.print("Nothing calls for attention.")


def _whose(line: AlertLine) -> str:
    one = f"{escape(line.email)}  [dim]{line.lead_id}[/]"
    return one if line.leads == 1 else f"{line.leads:,} leads on {line.track}, one of them {one}"


async def _alerts(
    last: int,
) -> tuple[list[AlertLine], list[tuple[datetime, str]], list[Failures], list[tuple[datetime, str]]]:
    async with opened_database() as inst, inst.database.reading() as session:
        found = await latest_alerts(session, last)
        rejections = (await sender_rejections(session, inst.now() - LATELY))[:last][::-1]
        watched = [(inst.now(), text) for text in await watch(session, inst.now())]
        return found, rejections, await failures(session), watched
