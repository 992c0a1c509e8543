"""`web`: the web service."""

from typing import Annotated

import typer

from perennial.app.run_web import listening, serve
from perennial.dev.engine_lock import engine_address
from perennial.platform.logs import configure_logs
from perennial.platform.processes import run_program
from perennial.platform.settings import load_settings


def web(
    host: Annotated[str | None, typer.Option(help="The address to listen on. Default: PERENNIAL_WEB_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 is any. Default: PERENNIAL_WEB_PORT.")] = None,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Run the web service: webhooks, Segment's API, health. Ctrl-C stops; requests in flight finish first.

    Temporal may be away: what comes in is kept, and passed on once it is back.
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    address = engine_address(settings.data_dir)
    with listening(settings.web_host if host is None else host, settings.web_port if port is None else port) as sock:
        run_program(serve(settings, sock, address, child=child))
