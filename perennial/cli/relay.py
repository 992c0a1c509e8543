"""`relay`: from stored events to the journeys they concern; and `retell`, for those that could not be passed on."""

from dataclasses import asdict
from typing import Annotated

import typer

from perennial.app.run_relay import pass_on
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.dev.engine_lock import engine_address
from perennial.intake.failed import Failures, failures, pass_on_again
from perennial.intake.outbox import CHANNEL
from perennial.platform.logs import configure_logs
from perennial.platform.processes import run_program
from perennial.platform.settings import load_settings


def relay(
    *,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Pass on what came in: webhooks, website events and clicks, to the journeys that listen. Ctrl-C stops.

    Run one or more: on PostgreSQL they share the leads out, on SQLite one works; others take over from one that dies.
    While Temporal is away what comes in is kept, and passed on in order once it is back.
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    run_program(pass_on(settings, lambda: engine_address(settings.data_dir), child=child))


def retell(
    *,
    source: Annotated[str | None, typer.Option(help="Only events of this source, such as crm.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    as_json: Json = False,
) -> None:
    """Pass on again the events that were put aside, once their cause is mended.

    The relay tries them as if they had just come in; what fails again is put aside again.
    """
    found = run(_retell(source, dry_run))
    if as_json:
        print_json([asdict(each) for each in found])
        return
    for each in found:
        out().print(
            f"{each.oldest:%d %b %Y %H:%M}  {counted(each.events, 'event')} of {each.source}: {escape(each.note)}"
        )
    total = counted(sum(each.events for each in found), "event")
    if not found:
        out().print("No event has failed.")
    elif not dry_run:
        out().print(f"[bold]{total} {'is' if total.startswith('1 ') else 'are'} passed on again[/] by the relay.")


async def _retell(source: str | None, dry_run: bool) -> list[Failures]:
    async with opened_database(to_write=not dry_run) as inst:
        async with inst.database.writing() if not dry_run else inst.database.reading() as session:
            found = await failures(session, source)
            if not dry_run:
                await pass_on_again(session, source)
        inst.database.announce(CHANNEL)
        return found
