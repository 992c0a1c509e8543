"""`plan`: the diff before a deployment."""

from collections import Counter
from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from nurture.bench.edit_effect import EFFECTS, WRONG, Effect
from perennial.app.planning import LeadPlanned, Plan, plan_programme
from perennial.app.programme import programme_of
from perennial.cli.exit_codes import REFUSED
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, out, print_json
from perennial.platform.program import command

_READINGS = 8


def plan(
    track: Annotated[str | None, typer.Argument(help="One track; else all of them.", show_default=False)] = None,
    *,
    sample: Annotated[int | None, typer.Option(min=1, help="Plan about so many journeys, spread over all.")] = None,
    stories: Annotated[int, typer.Option(min=0, help="How many leads to tell of for each effect.")] = 3,
    as_json: Json = False,
) -> None:
    """Say what today's code would do with every lead in flight, before it is deployed.

    The tracks and the content here are planned over the journals in the database. Nothing is sent, and nothing changed.
    It ends with 3 if a lead would be mailed a piece again, held, or stuck.
    """
    found = run(_plan(track, sample))
    if as_json:
        print_json(_document(found))
    else:
        _print(found, stories)
    if any(counts[effect] for counts in found.counts.values() for effect in WRONG) or found.gone:
        raise typer.Exit(REFUSED)


async def _plan(track: str | None, sample: int | None) -> Plan:
    async with opened_database() as inst:
        programme = programme_of(inst.settings)
        with err().status("reading the journals") as status:
            return await plan_programme(
                inst.database,
                programme,
                inst.now(),
                only=track,
                sample=sample,
                told=lambda done, of: status.update(f"planned {done:,} of {of:,} journeys"),
            )


def _document(found: Plan) -> dict[str, object]:
    return {
        "tracks": {name: dict(counts) for name, counts in sorted(found.counts.items())},
        "under_way": found.under_way,
        "without_a_track": dict(found.gone),
        "leads": [asdict(each) for each in found.changed],
    }


def _print(found: Plan, stories: int) -> None:
    console = out()
    if not found.counts and not found.gone:
        console.print(f"No lead rests on a track now ({counted(found.under_way, 'step')} under way).")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in sorted(found.counts):
        table.add_column(name, justify="right")
    for effect, words in EFFECTS.items():
        numbers = [found.counts[name][effect] for name in sorted(found.counts)]
        if any(numbers) or effect == "as before":
            style = "red" if effect in WRONG else None
            table.add_row(words, *(f"{number:,}" if number else "-" for number in numbers), style=style)
    console.print(table)
    _print_readings(found)
    for effect in EFFECTS:
        if effect != "as before":
            _print_stories(effect, [each for each in found.changed if each.planned.effect == effect], stories)
    for name, number in found.gone.most_common():
        console.print(f"[red]{counted(number, 'lead')} on {escape(name)}: no track of that name; see was= of @track[/]")
    console.print()
    if found.under_way:
        console.print(f"[dim]{counted(found.under_way, 'journey')} had a step under way, or a pause: not planned[/]")
    console.print(f"[dim]To have it decided now, once deployed: {command('refresh')} --track NAME[/]")


def _print_readings(found: Plan) -> None:
    """How the code is read over the journals, where the two differ, for how many leads."""
    readings = Counter(line for each in found.changed for line in dict.fromkeys(each.planned.read))
    if not readings:
        return
    console = out()
    console.print("\n[bold]how the edit is read[/]")
    for line, number in readings.most_common(_READINGS):
        console.print(f"  {counted(number, 'lead')}: {escape(line)}")
    if len(readings) > _READINGS:
        console.print(f"  [dim]and {len(readings) - _READINGS:,} more: --json[/]")


def _print_stories(effect: Effect, leads: list[LeadPlanned], most: int) -> None:
    if not leads or not most:
        return
    console = out()
    console.print(f"\n[bold]{EFFECTS[effect]}[/]")
    for each in islice(leads, most):
        planned = each.planned
        until = f" until {planned.until:%Y-%m-%d %H:%M}" if planned.until and effect == "wait moves" else ""
        console.print(f"  {escape(each.lead_id)} stood in {escape(planned.stood)}; now {escape(planned.next)}{until}")
        for line in planned.because if effect == "held" else ():
            console.print(f"    [dim]{escape(line)}[/]")
    if len(leads) > most:
        console.print(f"  [dim]and {len(leads) - most:,} more: --stories, or --json[/]")
