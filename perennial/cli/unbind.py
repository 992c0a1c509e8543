"""`unbind`: undo a user id that was taken for the wrong lead."""

from dataclasses import asdict
from typing import Annotated

import typer

from nurture.errors import RefusedError
from perennial.cli.opening import opened_database, recorder_of, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.intake.outbox import CHANNEL
from perennial.intake.unbinding import Binding, binding_of
from perennial.intake.unbinding import unbind as undo
from perennial.leads.lookup import require_lead
from perennial.platform.program import command


def unbind(
    user_id: Annotated[str, typer.Argument(help="The user id, as the product says it.", show_default=False)],
    *,
    to: Annotated[str | None, typer.Option(help="The right lead, by any name; else it is nobody's for now.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would move, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Undo a user id that was taken for the wrong lead, and say what moves.

    What this user did is taken from the lead, with its points, and is the right lead's, or waits until the user says
    who it is. What journeys have heard, the profile and the consent stay: look at them.
    """
    binding, right = run(_unbind(user_id, to, dry_run=dry_run))
    if as_json:
        print_json({**asdict(binding), "to": right, "dry_run": dry_run})
        return
    console = out()
    would = "would be" if dry_run else "is"
    whose = f"{right}'s" if right else "nobody's until it says who it is"
    console.print(f"User id [bold]{escape(user_id)}[/] was {binding.lead_id}'s, and {would} {whose}")
    for browser in binding.browsers:
        console.print(f"  its browser {escape(browser)} goes along")
    behaviours = counted(len(binding.behaviours), "behaviour", "behaviours")
    console.print(
        f"  {counted(len(binding.events), 'call')}; {behaviours} taken from {binding.lead_id}, with the points"
    )
    if binding.heard:
        console.print(f"[yellow]Journeys that heard some of it, and go on:[/] {escape(', '.join(binding.heard))}")
        console.print(f"  end one: [bold]{command('exit')} --lead {binding.lead_id} --reason ...[/]")
    if dry_run:
        console.print("Nothing was changed (dry run).")


async def _unbind(user_id: str, to: str | None, *, dry_run: bool) -> tuple[Binding, str | None]:
    async with opened_database(to_write=not dry_run) as base:
        database = base.database
        async with database.reading() if dry_run else database.writing() as session:
            right = None if to is None else (await require_lead(session, to))
            if right is not None and right.erased_at is not None:
                raise RefusedError(f"{right.id} was erased, and gets nothing")
            binding = await binding_of(session, user_id)
            right_id = right.id if right is not None else None
            if not dry_run:
                await undo(session, binding, to=right_id, at=base.now(), model=recorder_of(base).scoring)
        database.announce(CHANNEL)
        return binding, right_id
