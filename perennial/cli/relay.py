"""`relay`: from stored events to the journeys they concern."""

from typing import Annotated

import typer

from perennial.app.run_relay import pass_on
from perennial.dev.engine_lock import engine_address
from perennial.platform.logs import configure_logs
from perennial.platform.processes import run_program
from perennial.platform.settings import load_settings


def relay(
    *,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Pass on what came in: webhooks, website events and clicks, to the journeys that listen. Ctrl-C stops.

    Run one or more; one works at a time, and another takes over if it dies. While Temporal is away what comes in is
    kept, and passed on in order once it is back.
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    run_program(pass_on(settings, lambda: engine_address(settings.data_dir), child=child))
